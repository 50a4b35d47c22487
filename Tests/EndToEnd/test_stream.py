"""The live stream: each event once and in order, whatever reader, writers and database do.

What it is compared with is the journal, read by SQL.
"""

from __future__ import annotations

import json
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
import httpx
import psycopg
import pytest
from detections import Node, detection, post
from live_stream import EVENT_SECONDS_MAX, Event, Reader
from postgresql_cluster import Cluster
from server_under_test import Server, Site, create, create_site, data_directory, running_server

RECONNECTS = 200
SEED = 20231031
IMPORT_ROWS = 300_000
# More than a ring holds, and many pages of the journal.
IMPORT_EVENTS = 20_000
POLL_SECONDS = 0.5
STALL_SECONDS_MAX = 1.0
STALLED_READERS = 200
MEMORY_GROWTH_MAX = 64 * 1024 * 1024


def journal(
    database: str, site: str, after: tuple[int, int], types: set[str] | None = None
) -> list[tuple[str, str, Any]]:
    """What a reader must see: id, name and data of each event after another."""
    with psycopg.connect(database) as owner:
        rows = owner.execute(
            """
            SELECT position, ordinal, event, with_staff_names(document)::text
            FROM journal JOIN positions USING (change)
            WHERE site = %s AND position >= %s AND (position, ordinal) > (%s, %s)
                AND split_part(event, '.', 1) IN ('site', 'area', 'camera', 'node', 'alarm')
            ORDER BY position, ordinal
            """,
            [site, after[0], *after],
        ).fetchall()
    return [
        (f"{position}.{ordinal}", name, json.loads(document))
        for position, ordinal, name, document in rows
        if types is None or name in types or name.split(".")[0] in types
    ]


def order(id: str) -> tuple[int, int]:
    position, ordinal = id.split(".")
    return int(position), int(ordinal)


def head(database: str) -> str:
    """The id of the newest event."""
    with psycopg.connect(database) as owner:
        row = owner.execute(
            """
            SELECT position || '.' || coalesce(
                (SELECT max(ordinal) FROM journal WHERE journal.change = positions.change), 0)
            FROM positions ORDER BY position DESC LIMIT 1
            """
        ).fetchone()
    assert row is not None
    return row[0]


def seen(event: Event) -> tuple[str, str, Any]:
    assert event.id is not None and event.name is not None
    return event.id, event.name, event.data


class Writers:
    """Threads that write until they are told to stop, and whose failure is the test's."""

    def __init__(self, *steps: Callable[[], Any]) -> None:
        self.is_over = threading.Event()
        self.pool = ThreadPoolExecutor(len(steps))
        self.running = [self.pool.submit(self.repeat, step) for step in steps]

    def repeat(self, step: Callable[[], Any]) -> None:
        while not self.is_over.is_set():
            step()

    def __enter__(self) -> Writers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.is_over.set()
        self.pool.shutdown()
        for writer in self.running:
            writer.result()


def late_detections(server: Server, site: Site, pattern: str) -> Callable[[], None]:
    """Posts two detections of the past that each make an alarm of their own, in one group."""
    node = Node(server, site.token("node"))
    # Further apart than the quiet time.
    times = (datetime.now(timezone.utc) - timedelta(hours=1, seconds=40 * n) for n in count())

    def step() -> None:
        batch = [
            detection(site, pattern=pattern, occurred_at=next(times).isoformat()) for _ in range(2)
        ]
        status, answer = node.post(batch)
        assert status == 200, answer
        assert {item["outcome"] for item in answer["items"]} == {"created"}, answer

    return step


def alarm_steps(server: Server, site: Site, alarm: str) -> Callable[[], None]:
    """Takes the steps of an observer, one after the other, round and round."""
    observer = Node(server, site.token("observer"))
    number = count()

    def step() -> None:
        name, body = [
            ("comment", {"text": "Zwei Personen."}),
            ("confirm", {}),
            ("comment", {"text": "Streife ist unterwegs."}),
            ("dismiss", {"reason": "play"}),
        ][next(number) % 4]
        status, _, answer = observer.request("POST", f"/v1/alarms/{alarm}/{name}", body)
        assert status == 200, answer

    return step


FILTERS: list[tuple[str | None, bool]] = [
    (None, False),
    ("alarm.commented,alarm.late", False),
    ("alarm", True),
    ("alarm.confirmed", True),
]


@pytest.mark.slow
def test_readers_that_reconnect_at_random_see_each_event_once_and_in_order(
    pair: tuple[Server, Server], database: str, pair_site: Site, pair_administrator: httpx.Client
) -> None:
    neighbour = create_site(pair[0], pair_administrator, f"site-{uuid.uuid4().hex}")
    alarm = post(pair_site, detection(pair_site))["alarm"]
    foreign = post(neighbour, detection(neighbour))["alarm"]
    token = pair_site.token("observer")

    def read(number: int) -> tuple[str, list[Event], Callable[[str], None]]:
        """Reconnects at random; returns where it began, what it saw, and how to read on."""
        types, names_site = FILTERS[number]
        parameters = {} if types is None else {"types": types}
        if names_site:
            parameters["site"] = pair_site.id
        chance = random.Random(SEED + number)
        events: list[Event] = []
        with Reader(pair[0], token, **parameters) as reader:
            last = start = reader.begin().last_id
        for _ in range(RECONNECTS):
            with Reader(chance.choice(pair), token, last, **parameters) as reader:
                blocks = reader.blocks()
                for _ in range(chance.randrange(6)):
                    block = next(blocks)
                    if block.name is not None:
                        events.append(block)
                last = reader.last_id

        def finish(until: str) -> None:
            with Reader(chance.choice(pair), token, last, **parameters) as reader:
                if not events or events[-1].id != until:
                    events.extend(reader.until(lambda event: event.id == until))

        assert start is not None
        return start, events, finish

    with Writers(
        late_detections(pair[0], pair_site, "kicking"),
        late_detections(pair[1], pair_site, "pushing"),
        alarm_steps(pair[0], pair_site, alarm),
        alarm_steps(pair[1], pair_site, alarm),
        alarm_steps(pair[1], neighbour, foreign),
    ) as writers, ThreadPoolExecutor(len(FILTERS)) as pool:
        readers = [pool.submit(read, n) for n in range(len(FILTERS))]
        outcomes = [reader.result() for reader in readers]
        writers.stop()

    for (types, _), (start, events, finish) in zip(FILTERS, outcomes):
        expected = journal(
            database, pair_site.id, order(start), None if types is None else set(types.split(","))
        )
        finish(expected[-1][0])
        assert [(event.id, event.name) for event in events] == [row[:2] for row in expected]
        assert [event.data for event in events] == [row[2] for row in expected]
        assert len(expected) > RECONNECTS / 2
    neighbour.close()


@pytest.mark.slow
def test_an_import_in_one_transaction_stalls_nobody_and_then_arrives(
    pair: tuple[Server, Server], database: str, pair_site: Site
) -> None:
    alarm = post(pair_site, detection(pair_site))["alarm"]
    answered: dict[str, float] = {}
    received: list[Event] = []
    is_over = threading.Event()
    observer = pair_site.client("observer")
    before = head(database)

    def read(reader: Reader) -> None:
        for event in reader.events():
            received.append(event)
            if event.data.get("last"):
                return

    def comment() -> None:
        # Paced: what is measured is the delay of each, not how many there can be.
        answer = observer.post(f"/v1/alarms/{alarm}/comment", json={"text": str(len(answered))})
        assert answer.status_code == 200
        answered[str(len(answered))] = time.monotonic()
        is_over.wait(0.02)

    with Reader(pair[1], pair_site.token("observer"), seconds_max=60) as reader:
        reader.begin()
        following = threading.Thread(target=read, args=(reader,))
        following.start()
        with psycopg.connect(database) as owner, Writers(comment) as writers:
            owner.execute(
                """
                INSERT INTO detections (site, id, occurred_at, received_at, node, camera, pattern,
                    operating_mode, model, confidence, counted_only, late, content_hash, change)
                SELECT %s, gen_random_uuid(), timestamptz '2020-01-01Z' + n * interval '1 s', now(),
                    %s, %s, 'hitting', 'production', '', 0.9, true, true, '', 0
                FROM generate_series(1, %s) AS n
                """,
                [pair_site.id, pair_site.node, pair_site.camera, IMPORT_ROWS],
            )
            change = owner.execute("SELECT nextval('changes')").fetchone()
            assert change is not None
            owner.execute(
                """
                INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
                SELECT %s, n, 'alarm.late', %s, gen_random_uuid(), now(),
                    json_build_object('imported', n)
                FROM generate_series(1, %s) AS n
                """,
                [change[0], pair_site.id, IMPORT_EVENTS],
            )
            count_before_commit = len(received)
            owner.execute("SELECT append_position(%s)", [change[0]])
            owner.commit()
            writers.stop()
        with psycopg.connect(database, autocommit=True) as owner:
            append_events(owner, pair_site.id, [{"last": True}])
        following.join(60)
        assert not following.is_alive(), f"only {len(received)} events arrived"

    comments = [event for event in received if event.name == "alarm.commented"]
    assert len(comments) == len(answered)
    assert count_before_commit > 20
    delays = [
        event.received_at - at
        for event, at in zip(received[:count_before_commit], answered.values())
    ]
    assert max(delays) < STALL_SECONDS_MAX
    # Nobody announces what the owner commits; the feed finds it when it looks.
    pauses = [b.received_at - a.received_at for a, b in zip(received, received[1:])]
    assert max(pauses[: count_before_commit - 1]) < STALL_SECONDS_MAX
    assert max(pauses) < STALL_SECONDS_MAX + POLL_SECONDS
    expected = [row[:2] for row in journal(database, pair_site.id, order(before))]
    assert [(event.id, event.name) for event in received] == expected

    # The ring has moved on: from there, it is the journal that is read.
    with Reader(
        pair[0], pair_site.token("observer"), before, types="alarm.commented", seconds_max=60
    ) as reader:
        again = [next(reader.events()) for _ in comments]
    assert [event.id for event in again] == [event.id for event in comments]


def append_events(owner: psycopg.Connection, site: str, documents: list[Any]) -> None:
    """Writes one change with an event for each document."""
    with owner.transaction(), owner.cursor() as cursor:
        cursor.execute("SELECT nextval('changes')")
        change = cursor.fetchone()
        assert change is not None
        cursor.executemany(
            """
            INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
            VALUES (%s, %s, 'alarm.late', %s, gen_random_uuid(), now(), %s)
            """,
            [
                (change[0], number, site, json.dumps(document))
                for number, document in enumerate(documents, 1)
            ],
        )
        cursor.execute("SELECT append_position(%s)", change)


@pytest.fixture(scope="module")
def narrow(binary: Path, cluster: Cluster) -> Iterator[tuple[Server, str, Site]]:
    """A server that replays five positions and is patient for two seconds; its database."""
    database = cluster.create_database(f"leitstand-{uuid.uuid4().hex}")
    options = ["--replay-window", "5", "--stall-seconds", "2"]
    with data_directory() as directory:
        with running_server(binary, directory, *options, database=database) as server:
            with server.client(server.create_token("administrator")) as administrator:
                site = create_site(server, administrator, "mannheim")
                yield server, database, site
                site.close()


def create_areas(site: Site, count: int) -> list[str]:
    """Changes of one event each."""
    return [
        create(site.administrator, "/v1/areas", {"site": site.id, "name": f"Q {n}"})["id"]
        for n in range(count)
    ]


def test_0_0_begins_with_the_oldest_of_the_window(narrow: tuple[Server, str, Site]) -> None:
    server, _, site = narrow
    areas = create_areas(site, 9)

    with Reader(server, site.token("observer"), "0.0") as reader:
        events = reader.until(lambda event: event.data["id"] == areas[-1])

    assert [(event.name, event.data["id"]) for event in events] == [
        ("area.created", area) for area in areas[-5:]
    ]


def test_an_id_older_than_the_window_gets_one_resync_and_then_what_is_new(
    narrow: tuple[Server, str, Site],
) -> None:
    server, database, site = narrow
    old = head(database)
    create_areas(site, 9)
    newest = head(database)

    with Reader(server, site.token("observer"), old, types="area") as reader:
        resync = next(reader.events())
        later = create_areas(site, 9)
        events = reader.until(lambda event: event.data["id"] == later[-1])

    assert (resync.name, resync.id) == ("resync", newest)
    assert [(event.name, event.data["id"]) for event in events] == [
        ("area.created", area) for area in later
    ]


def test_an_id_within_the_window_gets_what_came_after_it(narrow: tuple[Server, str, Site]) -> None:
    server, database, site = narrow
    last = head(database)
    areas = create_areas(site, 5)

    with Reader(server, site.token("observer"), last) as reader:
        events = reader.until(lambda event: event.data["id"] == areas[-1])

    assert [event.data["id"] for event in events] == areas


@pytest.mark.parametrize(
    "id", ["", "x", "1", "1.", ".1", "1.0.0", "+1.0", "-1.0", "1.-0", "1,0", "9223372036854775808.0"]
)
def test_an_id_that_is_none_is_refused(id: str, narrow: tuple[Server, str, Site]) -> None:
    server, _, site = narrow

    answer = site.client("observer").get("/v1/stream", headers={"Last-Event-ID": id})

    assert (answer.status_code, answer.json()["code"]) == (422, "stream.cursor-invalid")


def test_an_id_that_has_not_been_is_refused(narrow: tuple[Server, str, Site]) -> None:
    _, database, site = narrow
    position, ordinal = order(head(database))
    for id in (f"{position}.{ordinal + 1}", f"{position + 1}.0", "9223372036854775807.0"):
        answer = site.client("observer").get("/v1/stream", headers={"Last-Event-ID": id})

        assert (answer.status_code, answer.json()["code"]) == (422, "stream.cursor-invalid")


def unread_stream(server: Server, token: str) -> socket.socket:
    """A reader that asks for the stream and then takes nothing."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(server.address)
    reader.sendall(
        f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    return reader


def stream_readers(monitor: httpx.Client) -> int:
    text = monitor.get("/metrics").text
    lines = [line for line in text.splitlines() if line.startswith("leitstand_stream_readers ")]
    return int(float(lines[0].split()[1]))


def peak_resident_bytes(server: Server) -> int:
    """The most memory that the program's process has ever occupied."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1]) * 1024


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + EVENT_SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, what


def test_readers_that_never_read_are_cut_off_and_cost_little(
    narrow: tuple[Server, str, Site],
) -> None:
    server, database, site = narrow
    token = site.token("observer")
    with ExitStack() as stack:
        monitor = stack.enter_context(server.client(server.create_token("monitor")))
        stalled = [
            stack.enter_context(unread_stream(server, token)) for _ in range(STALLED_READERS)
        ]
        wait_until(lambda: stream_readers(monitor) == STALLED_READERS, "not all began to read")
        memory = server.resident_bytes

        def write() -> None:
            with psycopg.connect(database, autocommit=True) as owner:
                for start in range(0, 20_000, 1_000):
                    numbers = range(start, start + 1_000)
                    append_events(
                        owner, site.id, [{"number": n, "filler": "x" * 600} for n in numbers]
                    )

        with Reader(server, token) as healthy, ThreadPoolExecutor(1) as pool:
            healthy.begin()
            writing = pool.submit(write)
            events = healthy.until(lambda event: event.data.get("number") == 19_999)
            writing.result()

            assert [event.data["number"] for event in events] == list(range(20_000))
            wait_until(lambda: stream_readers(monitor) <= 1, "not all stalled readers were cut off")
            most = peak_resident_bytes(server)
            for reader in stalled:
                reader.settimeout(EVENT_SECONDS_MAX)
                assert is_broken_off(reader)
            assert most - memory < MEMORY_GROWTH_MAX, f"{most - memory:,} bytes"


def is_broken_off(reader: socket.socket) -> bool:
    """Whether the stream ends without the chunk that would make it complete."""
    end = b""
    try:
        while received := reader.recv(65_536):
            end = (end + received)[-5:]
    except ConnectionResetError:
        pass
    return end != b"0\r\n\r\n"


class HTTP2Reader:
    """A connection with streams whose windows are opened one by one, or never."""

    def __init__(self, server: Server, token: str, window: int) -> None:
        self.server, self.token = server, token
        self.socket = socket.create_connection(server.address, timeout=EVENT_SECONDS_MAX)
        self.connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        )
        self.connection.local_settings = h2.settings.Settings(
            client=True,
            initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window},
        )
        self.connection.initiate_connection()

    def __enter__(self) -> HTTP2Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def open(self, window: int = 0) -> int:
        """Asks for the stream on a stream of the connection."""
        stream = self.connection.get_next_available_stream_id()
        fields = {
            ":method": "GET",
            ":scheme": "http",
            ":authority": "x",
            ":path": "/v1/stream",
            "authorization": f"Bearer {self.token}",
        }
        self.connection.send_headers(stream, list(fields.items()), end_stream=True)
        if window:
            self.connection.increment_flow_control_window(window, stream)
        self.socket.sendall(self.connection.data_to_send())
        return stream

    def events(self) -> Iterator[h2.events.Event]:
        """What arrives, until the server closes the connection."""
        while received := self.socket.recv(65_536):
            for event in self.connection.receive_data(received):
                if isinstance(event, h2.events.DataReceived):
                    self.connection.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
                yield event
            self.socket.sendall(self.connection.data_to_send())


    def ended_streams(self) -> list[int]:
        """The streams that are complete when the server closes the connection.

        From the frames themselves: after GOAWAY, h2 takes no more of what is still under way.
        """
        received = b"".join(iter(lambda: self.socket.recv(65_536), b""))
        ended = []
        while received:
            length = int.from_bytes(received[:3])
            kind, flags, stream = received[3], received[4], int.from_bytes(received[5:9])
            if kind == 0 and flags & 1:
                ended.append(stream)
            received = received[9 + length :]
        return ended


def test_an_http2_reader_that_opens_no_window_is_cut_off_and_its_neighbour_is_not(
    narrow: tuple[Server, str, Site],
) -> None:
    server, _, site = narrow
    with HTTP2Reader(server, site.token("observer"), window=0) as reader, Writers(
        lambda: create_areas(site, 1)
    ):
        shut = reader.open()
        neighbour = reader.open(window=1 << 20)
        is_cut_off = False
        received = b""
        for event in reader.events():
            if isinstance(event, h2.events.StreamReset):
                assert event.stream_id == shut
                is_cut_off = True
                received = b""
            if isinstance(event, h2.events.DataReceived):
                assert event.stream_id == neighbour
                received += event.data
            if is_cut_off and b"area.created" in received:
                break
        assert is_cut_off and b"area.created" in received


def test_a_heartbeat_tells_a_filtered_reader_how_far_it_is(
    narrow: tuple[Server, str, Site],
) -> None:
    server, database, site = narrow
    with Reader(server, site.token("observer"), types="node.changed") as reader:
        blocks = reader.blocks()
        first = next(blocks)
        create_areas(site, 8)
        newest = head(database)

        heartbeat = next(blocks)

    assert (heartbeat.name, heartbeat.data) == (None, None)
    assert first.order < heartbeat.order
    assert heartbeat.id == newest


def test_revoking_a_token_ends_its_streams_on_both_instances(
    pair: tuple[Server, Server], pair_site: Site, pair_administrator: httpx.Client
) -> None:
    new = {"name": "Platz 3", "role": "observer", "site": pair_site.id}
    made = create(pair_administrator, "/v1/tokens", new)
    with ExitStack() as stack:
        # Both loops of both instances.
        readers = [
            stack.enter_context(Reader(server, made["token"])) for server in pair for _ in range(6)
        ]
        for reader in readers:
            reader.begin()

        pair_administrator.post(f"/v1/tokens/{made['id']}/revoke").raise_for_status()

        for reader in readers:
            assert list(reader.events()) == []


def test_a_stream_ends_when_its_token_expires(
    pair: tuple[Server, Server], pair_site: Site, pair_administrator: httpx.Client
) -> None:
    expiry = (datetime.now(timezone.utc) + timedelta(seconds=4)).isoformat()
    new = {"name": "Gast", "role": "observer", "site": pair_site.id, "expires_at": expiry}
    made = create(pair_administrator, "/v1/tokens", new)
    with Reader(pair[1], made["token"]) as reader:
        reader.begin()

        assert list(reader.events()) == []

        assert datetime.now(timezone.utc) >= datetime.fromisoformat(expiry)


def test_sigterm_ends_the_streams_of_both_versions_and_the_server_ends_well(
    binary: Path, cluster: Cluster
) -> None:
    database = cluster.create_database(f"leitstand-{uuid.uuid4().hex}")
    with data_directory() as directory:
        with running_server(binary, directory, database=database) as server:
            with server.client(server.create_token("administrator")) as administrator:
                site = create_site(server, administrator, "mannheim")
            token = site.token("observer")
            with Reader(server, token) as first, HTTP2Reader(server, token, 65_535) as second:
                first.begin()
                stream = second.open()
                arriving = second.events()
                while not isinstance(next(arriving), h2.events.DataReceived):
                    pass
                server.process.terminate()

                assert list(first.events()) == []
                # The last chunk came: else http.client would miss it.
                assert first.response.read() == b""
                assert second.ended_streams() == [stream]
            assert server.process.wait(EVENT_SECONDS_MAX) == 0
            site.close()
            # running_server expects a server that runs.
            assert server.stop() == 0
            server.process.poll = lambda: None  # type: ignore[method-assign]


def test_http_1_and_http_2_send_the_same(pair: tuple[Server, Server], pair_site: Site) -> None:
    token = pair_site.token("observer")
    with Reader(pair[0], token) as reader:
        start = reader.begin().last_id
        assert start is not None
        areas = create_areas(pair_site, 30)
        expected = reader.until(lambda event: event.data["id"] == areas[-1])

    headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": start}
    with httpx.Client(http1=False, http2=True, timeout=EVENT_SECONDS_MAX) as client:
        with client.stream("GET", f"{pair[1].base_url}/v1/stream", headers=headers) as response:
            assert (response.http_version, response.status_code) == ("HTTP/2", 200)
            assert response.headers["content-type"] == "text/event-stream"
            lines: list[str] = []
            for line in response.iter_lines():
                lines.append(line)
                if line == "" and len([one for one in lines if one.startswith("data:")]) == 30:
                    break
    assert [line for line in lines if line.startswith("id: ")][1:] == [
        f"id: {event.id}" for event in expected
    ]
    assert [json.loads(line[6:]) for line in lines if line.startswith("data: ")] == [
        event.data for event in expected
    ]


def test_an_event_is_the_resource_as_lists_give_it(
    pair: tuple[Server, Server], pair_site: Site
) -> None:
    observer = pair_site.client("observer")
    steps: list[tuple[str, dict[str, Any] | None, str]] = [
        ("acknowledge", None, "acknowledged"),
        ("confirm", {}, "confirmed"),
        ("dismiss", {"reason": "play"}, "dismissed"),
        ("comment", {"text": "Kinder."}, "commented"),
        ("release", None, "released"),
        ("close", None, "closed"),
        ("reopen", None, "reopened"),
    ]
    with Reader(pair[1], pair_site.token("observer")) as reader:
        reader.begin()
        alarm = post(pair_site, detection(pair_site))["alarm"]
        for step, body, name in [(None, None, "raised"), *steps]:
            if step is not None:
                observer.post(f"/v1/alarms/{alarm}/{step}", json=body).raise_for_status()

            event = reader.until(lambda event: True)[-1]

            assert event.name == f"alarm.{name}"
            assert event.data == observer.get(f"/v1/alarms/{alarm}").json()
            assert [event.data] == observer.get("/v1/alarms").json()["items"]

        for resource, id in [
            ("area", pair_site.area),
            ("camera", pair_site.camera),
            ("node", pair_site.node),
        ]:
            path = f"/v1/{resource}s/{id}"
            tag = observer.get(path).headers["etag"]
            changed = pair_site.administrator.patch(
                path, json={"name": "Anders"}, headers={"If-Match": tag}
            )
            assert changed.status_code == 200, changed.text

            event = reader.until(lambda event: True)[-1]

            assert event.name == f"{resource}.changed"
            # As the list gives it: who reads a live address is logged.
            listed = {name: value for name, value in changed.json().items() if name != "live_url"}
            assert event.data == listed
            assert event.data in observer.get(f"/v1/{resource}s").json()["items"]


def test_a_stream_outlives_the_databases_restart_and_misses_nothing(
    pair: tuple[Server, Server], pair_site: Site, cluster: Cluster, database: str
) -> None:
    observer = pair_site.client("observer")
    alarm = post(pair_site, detection(pair_site))["alarm"]
    comment = f"/v1/alarms/{alarm}/comment"
    with Reader(pair[1], pair_site.token("observer")) as reader:
        start = reader.begin().last_id
        assert start is not None
        observer.post(comment, json={"text": "Vorher."}).raise_for_status()
        cluster.stop()
        cluster.start()
        wait_until(
            lambda: observer.post(comment, json={"text": "Nachher."}).status_code == 200,
            "the server did not come back",
        )
        expected = journal(database, pair_site.id, order(start))

        events = reader.until(lambda event: event.id == expected[-1][0])

    assert [seen(event) for event in events] == expected
