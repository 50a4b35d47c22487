"""The live stream: each event once and in order, whoever writes, reconnects, imports or stalls."""

from __future__ import annotations

import http.client
import json
import queue
import random
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import h2.events
import hpack
import httpx
import hyperframe.frame
import psycopg
import pytest
from detections import Node, detection, instant, post
from live_stream import Event, Reader
from postgresql_cluster import Cluster
from server_under_test import Server, Site, create, create_site, running_server, start_server
from wire import HTTP2Client, read_to_end

RECONNECTIONS = 200
IMPORTED_ROWS = 300_000
STALL_SECONDS_MAX = 1.0
SEED = 20231031


def journal(database: str, site: str | None = None, types: str | None = None) -> list[str]:
    """The ids of all events that streams show, in their order."""
    with psycopg.connect(database) as owner:
        rows = owner.execute(
            """
            SELECT position || '.' || ordinal FROM journal JOIN positions USING (change)
            WHERE event NOT LIKE 'token.%%'
                AND (%(site)s::text IS NULL OR site = %(site)s)
                AND (%(types)s::text[] IS NULL OR event = ANY (%(types)s))
            ORDER BY position, ordinal
            """,
            {"site": site, "types": None if types is None else types.split(",")},
        )
        return [id for (id,) in rows]


def head_of(database: str) -> str:
    """The id of the newest event, shown or not."""
    with psycopg.connect(database) as owner:
        row = owner.execute(
            """
            SELECT position || '.' || ordinal FROM journal JOIN positions USING (change)
            ORDER BY position DESC, ordinal DESC LIMIT 1
            """
        ).fetchone()
        assert row is not None
        return row[0]


def order(id: str) -> tuple[int, ...]:
    """An id's place among all."""
    return tuple(map(int, id.split(".")))


def after(ids: list[str], id: str) -> list[str]:
    """Those behind an id."""
    return [other for other in ids if order(other) > order(id)]


def write(site: Site, server: Server, token: str, ends: threading.Event) -> None:
    """Makes events without pause: alarms, each handled, on a camera of its own."""
    random_walk = random.Random(SEED)
    patterns = ["hitting", "kicking", "pushing", "jostling", "fighting", "robbery", "vandalism"]
    modes = ["production", "parallel", "exercise", "training"]
    with Node(server, token) as node, server.client(site.token("observer")) as observer:
        alarms: list[str] = []
        while not ends.is_set():
            items = [
                detection(
                    site,
                    pattern=random_walk.choice(patterns),
                    operating_mode=random_walk.choice(modes),
                    model=f"m-{random_walk.randrange(1_000_000)}",
                )
                for _ in range(random_walk.randrange(1, 4))
            ]
            status, answer = node.post(items)
            assert status == 200, answer
            alarms += [item["alarm"] for item in answer["items"]]
            step = {"text": "Gesehen."}
            chosen = random_walk.choice(alarms)
            answer = observer.post(f"/v1/alarms/{chosen}/comment", json=step)
            assert answer.status_code == 200, answer.text


@contextmanager
def writers(sites: list[tuple[Site, Server]]) -> Iterator[None]:
    """Writes to each site at each server until the end of the block."""
    ends = threading.Event()
    failures: queue.Queue[BaseException] = queue.Queue()

    def run(site: Site, server: Server, token: str) -> None:
        try:
            write(site, server, token, ends)
        except BaseException as failure:
            failures.put(failure)

    threads = [
        threading.Thread(target=run, args=(site, server, site.token("node")))
        for site, server in sites
        if site.token("observer")
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ends.set()
        for thread in threads:
            thread.join()
    if not failures.empty():
        raise failures.get()


def read_with_reconnections(
    pair: tuple[Server, Server], token: str, start: str, count: int, **parameters: str
) -> list[Event]:
    """What a reader sees that leaves after a few events and resumes, at either instance."""
    random_walk = random.Random(SEED)
    seen: list[Event] = []
    last_id = start
    for number in range(count):
        with Reader(pair[number % 2], token, last_id, **parameters) as reader:
            left = random_walk.randrange(0, 8)
            for block in reader.blocks():
                last_id = reader.last_id or last_id
                if block.name is None:
                    continue
                seen.append(block)
                left -= 1
                if left <= 0:
                    break
    return seen


@pytest.mark.parametrize(
    "parameters",
    [{}, {"types": "alarm.commented"}, {"types": "alarm.raised,alarm.commented"}],
    ids=["all", "one type", "two types"],
)
def test_a_reader_that_reconnects_sees_each_event_once_and_in_order(
    parameters: dict[str, str],
    pair: tuple[Server, Server],
    pair_site: Site,
    pair_administrator: httpx.Client,
    database: str,
) -> None:
    other = create_site(pair[1], pair_administrator, f"site-{uuid.uuid4().hex}")
    count = RECONNECTIONS if not parameters else RECONNECTIONS // 5
    start = head_of(database)
    # Sites share the journal: a reader of one passes over the other's events.
    with writers([(pair_site, pair[0]), (pair_site, pair[1]), (other, pair[1])]):
        seen = read_with_reconnections(
            pair, pair_site.token("observer"), start, count, site=pair_site.id, **parameters
        )
    other.close()

    ids = [event.id for event in seen]
    expected = after(journal(database, pair_site.id, parameters.get("types")), start)
    assert ids == expected[: len(ids)]
    assert len(ids) > count


def test_a_reader_of_the_past_meets_the_present_without_a_seam(
    pair: tuple[Server, Server], pair_site: Site, database: str
) -> None:
    with writers([(pair_site, pair[0]), (pair_site, pair[1])]):
        deadline = time.monotonic() + 30
        while len(journal(database, pair_site.id)) < 600:
            assert time.monotonic() < deadline, "the writers are too slow"
        # Begins in the journal, which it reads in pages, and ends in the ring.
        with Reader(pair[1], pair_site.token("observer"), "0.0") as reader:
            newest = journal(database, pair_site.id)[-1]
            seen = reader.until(lambda event: event.id == newest)
            seen += reader.until(lambda event: event.name == "alarm.raised")
    ids = [event.id for event in seen]
    assert ids == journal(database, pair_site.id)[: len(ids)]


def test_an_import_does_not_stall_the_stream(
    pair: tuple[Server, Server], pair_site: Site, database: str
) -> None:
    waits: list[float] = []
    with (
        psycopg.connect(database) as owner,
        Reader(pair[1], pair_site.token("observer"), types="alarm.commented") as reader,
    ):
        reader.begin()
        alarm = post(pair_site, detection(pair_site))["alarm"]
        is_imported = threading.Event()

        def insert() -> None:
            # As the owner, in one transaction that stays open.
            owner.execute(
                """
                INSERT INTO detections (site, id, occurred_at, received_at, node, camera, pattern,
                    operating_mode, model, confidence, counted_only, late, content_hash, change)
                SELECT %s, gen_random_uuid(), now() - number * interval '1 millisecond', now(),
                    %s, %s, 'hitting', 'production', 'm', 0.9, false, true, '', 0
                FROM generate_series(1, %s) AS number
                """,
                [pair_site.id, pair_site.node, pair_site.camera, IMPORTED_ROWS],
            )
            is_imported.set()

        def comment() -> None:
            observer = pair_site.client("observer")
            answer = observer.post(f"/v1/alarms/{alarm}/comment", json={"text": "Gesehen."})
            assert answer.status_code == 200
            committed_at = time.monotonic()
            event = reader.until(lambda event: event.name == "alarm.commented")[-1]
            waits.append(event.received_at - committed_at)

        importer = threading.Thread(target=insert)
        importer.start()
        try:
            while not is_imported.is_set():
                comment()
        finally:
            importer.join()
        # It is not committed yet; what is committed after it began must not wait for it.
        for _ in range(20):
            comment()
        assert post(pair_site, detection(pair_site))["outcome"] == "created"
        owner.commit()
    assert len(waits) > 20
    assert max(waits) < STALL_SECONDS_MAX


# Where a reader may begin


@pytest.fixture(scope="module")
def forgetful(
    binary: Path, database: str, pair: tuple[Server, Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """An instance that lets readers begin only a few positions back, and drops slow ones soon."""
    options = ["--replay-window", "20", "--stall-seconds", "2"]
    directory = tmp_path_factory.mktemp("forgetful")
    with running_server(binary, directory, *options, database=database) as server:
        yield server


def comments(site: Site, count: int) -> None:
    """As many positions in the journal."""
    alarm = post(site, detection(site))["alarm"]
    for number in range(count):
        text = {"text": f"{number}"}
        answer = site.client("observer").post(f"/v1/alarms/{alarm}/comment", json=text)
        assert answer.status_code == 200


def test_a_reader_older_than_the_window_is_told_to_read_the_lists_again(
    forgetful: Server, pair_site: Site, database: str
) -> None:
    start = head_of(database)
    comments(pair_site, 30)
    token = pair_site.token("observer")
    newest = journal(database)[-1]

    with Reader(forgetful, token, start) as reader:
        (resync,) = reader.until(lambda _: True)
        assert resync.name == "resync" and resync.data["reason"]
        assert resync.id is not None and order(resync.id) >= order(newest)
        comments(pair_site, 1)
        seen = reader.until(lambda event: event.name == "alarm.commented")
    assert [event.id for event in seen] == after(journal(database), resync.id)[: len(seen)]


def test_the_window_is_read_from_its_oldest_event_on(
    forgetful: Server, pair_site: Site, database: str
) -> None:
    token = pair_site.token("observer")
    with Reader(forgetful, token, types="alarm.commented") as reader:
        reader.begin()
        comments(pair_site, 30)
        everything = journal(database)
        # Only then has this instance heard of all.
        reader.until(lambda event: event.id == everything[-1])

    with Reader(forgetful, token, "0.0") as reader:
        seen = reader.until(lambda event: event.id == everything[-1])
    assert [event.id for event in seen] == everything[-len(seen) :]
    # Events beside ours, of which there are few, move the window's end.
    assert 15 <= len(seen) <= 20


def test_without_an_id_a_reader_begins_now(
    pair: tuple[Server, Server], pair_site: Site, database: str
) -> None:
    token = pair_site.token("observer")
    comments(pair_site, 3)
    newest = head_of(database)

    with Reader(pair[0], token) as reader:
        first = next(reader.blocks())
        assert first.name is None and first.id is not None
        assert order(first.id) >= order(newest)
        comments(pair_site, 1)
        seen = reader.until(lambda event: event.name == "alarm.commented")
    assert [event.id for event in seen] == after(journal(database, pair_site.id), first.id)[
        : len(seen)
    ]


@pytest.mark.parametrize(
    "id", ["", "1", "1.", ".1", "-1.0", "1.-1", "1.0.0", "x.y", "0x1.0", "99999999999999999999.0"]
)
def test_an_id_that_is_none_is_refused(id: str, pair: tuple[Server, Server], pair_site: Site) -> None:
    answer = pair_site.client("observer").get("/v1/stream", headers={"Last-Event-ID": id})

    assert answer.status_code == 422
    assert answer.json()["code"] == "stream.cursor-invalid"
    assert answer.json()["errors"][0]["header"] == "Last-Event-ID"


def test_an_id_of_the_future_is_refused(
    pair: tuple[Server, Server], pair_site: Site, database: str
) -> None:
    position = int(head_of(database).split(".")[0])
    observer = pair_site.client("observer")

    answer = observer.get("/v1/stream", headers={"Last-Event-ID": f"{position + 1000}.0"})

    assert (answer.status_code, answer.json()["code"]) == (422, "stream.cursor-invalid")


# How a stream ends


def test_a_reader_that_takes_nothing_is_cut_off_and_costs_little(
    forgetful: Server, pair: tuple[Server, Server], pair_site: Site
) -> None:
    head = b"GET /v1/stream HTTP/1.1\r\nHost: x\r\n"
    head += b"Authorization: Bearer %s\r\n\r\n" % pair_site.token("observer").encode()
    before = forgetful.resident_bytes
    slow = []
    for _ in range(20):
        connection = socket.socket()
        # Small, so that the server soon has to wait.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(30)
        connection.connect(forgetful.address)
        connection.sendall(head)
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        slow.append(connection)

    text = "x" * 3_000
    alarm = post(pair_site, detection(pair_site))["alarm"]
    with writers([(pair_site, pair[0]), (pair_site, pair[1])]):
        with forgetful.client(forgetful.create_token("monitor")) as monitor:
            deadline = time.monotonic() + 60
            while "\nleitstand_stream_readers 0\n" not in monitor.get("/metrics").text:
                assert time.monotonic() < deadline, "slow readers are not cut off"
                comment = {"text": text}
                pair_site.client("observer").post(f"/v1/alarms/{alarm}/comment", json=comment)

    for connection in slow:
        received = read_to_end(connection)
        # Without the last chunk, the reader knows that it has not seen the end.
        assert not received.endswith(b"0\r\n\r\n")
        connection.close()
    assert forgetful.resident_bytes - before < 32 * 1024 * 1024


def test_a_heartbeat_moves_a_filtered_reader_along(
    pair: tuple[Server, Server], pair_site: Site, database: str
) -> None:
    token = pair_site.token("observer")
    with Reader(pair[0], token, types="site.changed", seconds_max=20) as reader:
        reader.begin()
        comments(pair_site, 3)
        newest = journal(database)[-1]

        # Every 15 seconds.
        heartbeat = next(reader.blocks())

    assert heartbeat.name is None and heartbeat.id is not None
    assert order(heartbeat.id) >= order(newest)


def test_the_stream_ends_with_the_token_that_opened_it(
    pair: tuple[Server, Server], pair_site: Site, pair_administrator: httpx.Client
) -> None:
    new = {"name": "Platz 3", "role": "observer", "site": pair_site.id}
    made = create(pair_administrator, "/v1/tokens", new)
    for server in pair:
        with Reader(server, made["token"], seconds_max=10) as reader:
            reader.begin()
            if server is pair[0]:
                continue
            pair_administrator.post(f"/v1/tokens/{made['id']}/revoke")

            assert list(reader.blocks()) == []


def test_the_stream_ends_when_its_token_expires(
    server: Server, site: Site, administrator: httpx.Client
) -> None:
    expiry = datetime.fromisoformat(instant(seconds=-2))
    new = {"name": "Gast", "role": "observer", "site": site.id, "expires_at": expiry.isoformat()}
    made = create(administrator, "/v1/tokens", new)

    with Reader(server, made["token"], seconds_max=10) as reader:
        reader.begin()
        assert [block.name for block in reader.blocks() if block.name] == []

    assert datetime.fromisoformat(instant()) >= expiry


def test_a_reader_by_http2_is_served_beside_other_requests(
    pair: tuple[Server, Server], pair_site: Site
) -> None:
    authorization = ("authorization", f"Bearer {pair_site.token('observer')}")
    with HTTP2Client(pair[0].address) as client:
        stream = client.request("GET", "/v1/stream", [authorization])
        posted = post(pair_site, detection(pair_site))
        text = b""
        for event in client.events():
            if isinstance(event, h2.events.DataReceived) and event.stream_id == stream:
                text += event.data
            if posted["alarm"].encode() in text:
                break
        listed = client.answer(client.request("GET", "/v1/alarms", [authorization]))
        assert json.loads(listed.body)["items"][0]["id"] == posted["alarm"]


def test_a_server_that_is_told_to_end_finishes_what_runs(
    binary: Path, cluster: Cluster, tmp_path: Path
) -> None:
    database = cluster.create_database(f"leitstand-{uuid.uuid4().hex}")
    server = start_server(binary, tmp_path, database=database)
    try:
        with server.client(server.create_token("administrator")) as administrator:
            site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
        node_token, observer_token = site.token("node"), site.token("observer")
        site.close()
        body = json.dumps([detection(site) for _ in range(200)]).encode()
        with (
            Reader(server, observer_token) as reader,
            HTTP2Client(server.address) as by_http2,
            Node(server, node_token) as idle,
            psycopg.connect(database) as owner,
        ):
            reader.begin()
            assert idle.request("GET", "/livez")[0] == 200
            # What runs waits in the database until the server is told to end.
            owner.execute("LOCK TABLE detections IN SHARE MODE")
            by_http1 = http.client.HTTPConnection(*server.address, timeout=30)
            headers = {
                "Authorization": f"Bearer {node_token}",
                "Content-Type": "application/json",
            }
            by_http1.request("POST", "/v1/detections", body=body, headers=headers)
            stream = by_http2.request(
                "POST",
                "/v1/detections",
                [(name.lower(), value) for name, value in headers.items()],
                ends=False,
            )
            single = json.dumps(detection(site)).encode()
            by_http2.session.send_data(stream, single, end_stream=True)
            by_http2.flush()
            wait_for_waiting(database)

            server.process.terminate()
            # The stream ends at once, and well: a browser resumes elsewhere.
            assert [block for block in reader.blocks() if block.name] == []
            owner.commit()

            answer = by_http1.getresponse()
            assert answer.status == 200
            items = json.loads(answer.read())["items"]
            assert {item["outcome"] for item in items} == {"created"}
            by_http1.close()
            frames = list(by_http2.frames())
            goaways = [frame for frame in frames if isinstance(frame, hyperframe.frame.GoAwayFrame)]
            assert goaways and {frame.error_code for frame in goaways} == {0}
            heads = [
                dict(hpack.Decoder().decode(frame.data))
                for frame in frames
                if isinstance(frame, hyperframe.frame.HeadersFrame)
            ]
            assert [head[":status"] for head in heads] == ["201"]
        assert server.process.wait(timeout=30) == 0, "".join(server.log)
    finally:
        server.stop()


def wait_for_waiting(database: str) -> None:
    """Returns once a statement of the server's waits for a lock."""
    deadline = time.monotonic() + 20
    with psycopg.connect(database, autocommit=True) as owner:
        while True:
            row = owner.execute(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                """
            ).fetchone()
            if row is not None and row[0] > 0:
                return
            assert time.monotonic() < deadline, "nothing waits"
