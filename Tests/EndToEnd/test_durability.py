"""What was answered with 2xx is there, whatever dies meanwhile."""

from __future__ import annotations

import http.client
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from detections import Node, detection
from postgresql_cluster import Cluster, running_cluster
from server_under_test import (
    Server,
    Site,
    create,
    create_site,
    data_directory,
    launch_server,
    running_server,
    start_server,
    wait_for_listeners,
)

CLIENTS = 6
SECONDS_MAX = 30


@dataclass
class Journal:
    """What the clients of a load have sent, and what they were promised."""

    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    promised: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    # Of each answer 503.
    retry_after: set[str | None] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, items: list[dict[str, Any]], status: int, answer: Any) -> None:
        with self.lock:
            self.statuses[status] += 1
            if status == 201:
                self.promised.add(answer["id"])
            elif status == 200:
                outcomes = {outcome["outcome"] for outcome in answer["items"]}
                assert outcomes <= {"created", "duplicate"}, answer
                self.promised.update(item["id"] for item in items)


def load(
    site: Site, token: str, cameras: list[str], ends: threading.Event, journal: Journal
) -> None:
    """Posts one detection after the other, and now and then ten at once, at full speed."""
    node = None
    number = 0
    while not ends.is_set():
        number += 1
        count = 10 if number % 5 == 0 else 1
        items = [
            detection(site, camera=cameras[(number + place) % len(cameras)]) for place in range(count)
        ]
        with journal.lock:
            journal.sent.update((item["id"], item) for item in items)
        try:
            node = node or Node(site.server, token)
            status, fields, answer = node.request(
                "POST", "/v1/detections", items if count > 1 else items[0]
            )
        except (OSError, http.client.HTTPException):
            # Nothing was promised. The server is away; who waits for it asks until it is back.
            node = None
            continue
        journal.note(items, status, answer)
        if status == 503:
            journal.retry_after.add(fields["retry-after"])


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Returns as soon as it holds, which it must in time."""
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, f"not in time: {what}"


def stored(site: Site) -> list[str]:
    """The ids of all detections of the site, as the list gives them."""
    observer = site.client("observer")
    ids = []
    target: str | None = "/v1/detections?limit=500"
    while target is not None:
        page = observer.get(target)
        assert page.status_code == 200, page.text
        ids += [item["id"] for item in page.json()["items"]]
        target = page.links["next"]["url"] if "next" in page.links else None
    return ids


def outcomes_of(node: Node, items: list[dict[str, Any]]) -> Counter[str]:
    """What becomes of the items when they are sent again."""
    outcomes: Counter[str] = Counter()
    for start in range(0, len(items), 500):
        status, answer = node.post(items[start : start + 500])
        assert status == 200, answer
        outcomes.update(outcome["outcome"] for outcome in answer["items"])
    return outcomes


def check_promises(site: Site, journal: Journal) -> None:
    """Each promise is kept exactly once, and sending all again adds what was never promised."""
    ids = stored(site)
    assert len(ids) == len(set(ids)), "a detection is there twice"
    missing = journal.promised - set(ids)
    assert not missing, f"{len(missing)} of {len(journal.promised)} are lost"
    with Node(site.server, site.token("node")) as node:
        promised = [item for id, item in journal.sent.items() if id in journal.promised]
        assert outcomes_of(node, promised) == {"duplicate": len(promised)}
        everything = list(journal.sent.values())
        assert outcomes_of(node, everything)["refused"] == 0
        assert outcomes_of(node, everything) == {"duplicate": len(everything)}
    assert sorted(stored(site)) == sorted(journal.sent)
    # The counts agree with the detections.
    alarms = site.client("observer").get("/v1/alarms", params={"limit": 500}).json()["items"]
    assert sum(alarm["detection_count"] for alarm in alarms) == len(journal.sent)


def more_cameras(site: Site, count: int) -> list[str]:
    """The keys of the site's camera and of further ones."""
    keys = [site.camera_key]
    for number in range(2, count + 1):
        camera = {"site": site.id, "area": site.area, "name": f"C {number}", "key": f"c-{number}"}
        keys.append(create(site.administrator, "/v1/cameras", camera)["key"])
    return keys


def test_what_was_promised_before_a_crash_is_there_once(binary: Path) -> None:
    with data_directory() as directory:
        server = start_server(binary, directory / "data")
        try:
            with server.client(server.create_token("administrator")) as administrator:
                site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
                cameras = more_cameras(site, 4)
            token = site.token("node")
            journal, ends = Journal(), threading.Event()
            with ThreadPoolExecutor(CLIENTS) as clients:
                running = [
                    clients.submit(load, site, token, cameras, ends, journal)
                    for _ in range(CLIENTS)
                ]
                wait_until(lambda: len(journal.promised) > 500, "the load")
                server.kill()
                ends.set()
                for client in running:
                    client.result()
            assert set(journal.statuses) <= {200, 201}

            # It finds the PostgreSQL that the crash has left running.
            server = start_server(binary, directory / "data")
            site.close()
            site = replace(site, server=server, clients={})
            check_promises(site, journal)
            site.close()
            assert server.stop() == 0, "".join(server.log)
        finally:
            server.stop()


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A PostgreSQL that this test may stop."""
    with running_cluster() as cluster:
        yield cluster


def test_an_outage_of_the_database_loses_nothing_and_ends_by_itself(
    binary: Path, own_cluster: Cluster, tmp_path: Path
) -> None:
    database = own_cluster.create_database("leitstand")
    with running_server(binary, tmp_path, database=database) as server:
        with server.client(server.create_token("administrator")) as administrator:
            site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
            cameras = more_cameras(site, 4)
        token = site.token("node")
        site.token("observer")
        journal, ends = Journal(), threading.Event()
        with ThreadPoolExecutor(CLIENTS) as clients, server.client() as anybody:
            running = [
                clients.submit(load, site, token, cameras, ends, journal) for _ in range(CLIENTS)
            ]
            try:
                for _ in range(2):
                    before = len(journal.promised)
                    wait_until(lambda: len(journal.promised) > before + 100, "the load")
                    own_cluster.stop()

                    away = anybody.get("/readyz")
                    assert away.status_code == 503
                    assert away.headers["retry-after"].isdigit()
                    assert away.json()["code"] == "database.unavailable"
                    assert anybody.get("/livez").status_code == 200
                    refusals = journal.statuses[503]
                    wait_until(lambda: journal.statuses[503] > refusals + 10, "refusals")
                    assert anybody.get("/readyz").status_code == 503

                    own_cluster.start()
                    wait_until(lambda: anybody.get("/readyz").status_code == 200, "readiness")
                    before = len(journal.promised)
                    wait_until(lambda: len(journal.promised) > before + 100, "service")
            finally:
                ends.set()
            for client in running:
                client.result()

        assert set(journal.statuses) <= {200, 201, 503}, journal.statuses
        assert all(value is not None and value.isdigit() for value in journal.retry_after)
        check_promises(site, journal)
        site.close()


def test_three_instances_start_at_once_on_an_empty_database(
    binary: Path, cluster: Cluster, tmp_path: Path
) -> None:
    database = cluster.create_database(f"leitstand-{uuid.uuid4().hex}")
    servers = [launch_server(binary, tmp_path, database=database) for _ in range(3)]
    try:
        for server in servers:
            wait_for_listeners(server, 1)
        token = servers[0].create_token("administrator")
        for server in servers:
            with server.client(token) as administrator:
                assert administrator.get("/readyz").status_code == 200
                create_site(server, administrator, f"site-{uuid.uuid4().hex}").close()
        with servers[0].client(token) as administrator:
            assert len(administrator.get("/v1/sites").json()["items"]) == 3
        with psycopg.connect(database) as owner:
            applied = owner.execute("SELECT count(*), count(DISTINCT name) FROM migrations")
            count, distinct = applied.fetchone() or (0, 0)
            assert count == distinct > 0
    finally:
        statuses = [server.stop() for server in servers]
    assert statuses == [0, 0, 0]


def test_a_database_changed_behind_its_back_is_refused(
    binary: Path, cluster: Cluster, tmp_path: Path
) -> None:
    database = cluster.create_database(f"leitstand-{uuid.uuid4().hex}")
    with running_server(binary, tmp_path, database=database):
        pass
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("UPDATE migrations SET checksum = sha256('other')")

    server = launch_server(binary, tmp_path, database=database)

    assert server.process.wait(timeout=SECONDS_MAX) != 0
    server.stop()
    assert "0001" in "".join(server.log)


def test_an_acknowledged_step_survives_the_crash_of_the_server(binary: Path) -> None:
    with data_directory() as directory:
        server = start_server(binary, directory / "data")
        try:
            with server.client(server.create_token("administrator")) as administrator:
                site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
            with Node(server, site.token("node")) as node:
                _, posted = node.post(detection(site))
            path = f"/v1/alarms/{posted['alarm']}"
            held = site.client("observer").post(f"{path}/acknowledge")
            assert held.status_code == 200
            server.kill()
            server = start_server(binary, directory / "data")
            with server.client(site.token("observer")) as observer:
                assert observer.get(path).json() == held.json()
            site.close()
        finally:
            server.stop()
