"""What was answered with 2xx is kept, whatever ends: the server, PostgreSQL, or both."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from detections import detection, instant, post
from http2_node import HTTP2Node
from live_stream import Reader
from load import SINGLES, Load
from postgresql_cluster import Cluster, running_cluster
from server_under_test import (
    ROOT,
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

CAMERAS = [f"c{number}" for number in range(6)]
# Connections of each load: single detections, and arrays of several lengths.
SIZES = [SINGLES, SINGLES, SINGLES, 7, 40, 150]
INSTANCES = 3


@pytest.fixture(scope="module")
def durable_cluster() -> Iterator[Cluster]:
    """A PostgreSQL that the tests of this module may stop and crash."""
    with running_cluster(durable=True) as cluster:
        yield cluster


def create_load_site(server: Server) -> Site:
    """A new site with the load's cameras, whose administrator stays connected."""
    administrator = server.client(server.create_token("administrator"))
    site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
    for key in CAMERAS:
        new = {"site": site.id, "area": site.area, "name": key.upper(), "key": key}
        create(administrator, "/v1/cameras", new)
    return site


def move(site: Site, server: Server) -> Site:
    """The same site on the server that has taken the place of another, by the same tokens."""
    site.administrator.close()
    site.close()
    administrator = server.client(server.create_token("administrator"))
    return Site(
        server, administrator, site.id, site.area, site.camera, site.camera_key, site.node,
        site.tokens,
    )


def close(site: Site) -> None:
    site.administrator.close()
    site.close()


def stored(site: Site) -> Counter[str]:
    """How often the list, walked to its end, shows each detection of the site."""
    ids: Counter[str] = Counter()
    target: str | None = "/v1/detections?limit=500"
    while target is not None:
        page = site.client("observer").get(target)
        assert page.status_code == 200, page.text
        ids.update(item["id"] for item in page.json()["items"])
        target = page.links["next"]["url"] if "next" in page.links else None
    return ids


def send_again(site: Site, items: list[dict[str, Any]]) -> Counter[str]:
    """The outcomes of what a node sends once more, in the largest arrays that the server takes."""
    outcomes: Counter[str] = Counter()
    for start in range(0, len(items), 1_000):
        answer = post(site, items[start : start + 1_000], 200)
        outcomes.update(outcome["outcome"] for outcome in answer["items"])
    return outcomes


def check_nothing_is_lost(site: Site, load: Load) -> None:
    """What was acknowledged is there once, a resend makes only duplicates, and alarms count right.

    Afterwards what was unsettled is there too.
    """
    assert set(load.outcomes) == {"created"}
    ids = stored(site)
    assert [item["id"] for item in load.acknowledged if ids[item["id"]] != 1] == []
    assert set(ids.values()) == {1}

    assert send_again(site, load.acknowledged) == {"duplicate": len(load.acknowledged)}
    settled = send_again(site, load.unsettled)
    assert set(settled) <= {"created", "duplicate"}
    sent = load.acknowledged + load.unsettled
    assert send_again(site, sent) == {"duplicate": len(sent)}

    assert stored(site) == {item["id"]: 1 for item in sent} | {id: 1 for id in ids}
    alarms = site.client("observer").get("/v1/alarms", params={"limit": 500}).json()["items"]
    assert sum(alarm["detection_count"] for alarm in alarms) == stored(site).total()


def postmaster(data_dir: Path) -> int:
    """The main process of the embedded PostgreSQL."""
    return int((data_dir / "postgresql" / "postmaster.pid").read_text().splitlines()[0])


def test_a_killed_server_has_lost_nothing_that_it_acknowledged(binary: Path) -> None:
    with data_directory() as directory, ExitStack() as stack:
        data = directory / "data"
        server = start_server(binary, data)
        stack.callback(server.stop)
        site = create_load_site(server)
        database = postmaster(data)

        for _ in range(2):
            with Load([server], site, CAMERAS, SIZES) as load:
                load.wait_for_more(2_000)
                server.kill()
                load.wait_until(lambda: len(load.broken) == len(SIZES))

            assert set(load.statuses) == {200, 201}
            server = start_server(binary, data)
            stack.callback(server.stop)
            assert postmaster(data) == database, "the PostgreSQL that was left is not adopted"
            site = move(site, server)
            check_nothing_is_lost(site, load)

        close(site)
        assert server.stop() == 0


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_the_service_comes_back_by_itself_when_postgresql_was_away(
    mode: str, binary: Path, durable_cluster: Cluster, tmp_path: Path
) -> None:
    database = durable_cluster.create_database(f"away-{mode}")
    with running_server(binary, tmp_path, database=database) as server, server.client() as nobody:
        site = create_load_site(server)
        observer = site.client("observer")
        with (
            Reader(server, site.token("observer")) as reader,
            Load([server], site, CAMERAS, SIZES) as load,
        ):
            load.wait_for_more(2_000)

            durable_cluster.stop(mode)
            load.wait_until(lambda: load.statuses[503] >= 2 * len(SIZES))

            ready = nobody.get("/readyz")
            assert ready.status_code == 503 and ready.json()["code"] == "database.unavailable"
            assert int(ready.headers["retry-after"]) > 0
            assert nobody.get("/livez").status_code == 200
            for client in (observer, site.administrator):
                away = client.get("/v1/sites")
                assert away.status_code == 503 and "retry-after" in away.headers

            durable_cluster.start()
            back_at = instant()
            # Arrays name the cameras of every lane.
            load.wait_for_each(3)
            assert nobody.get("/readyz").status_code == 200
            # The live stream has gone on, on the connection that it had.
            reader.until(
                lambda event: datetime.fromisoformat(event.data["last_detection_at"])
                > datetime.fromisoformat(back_at)
            )

        assert load.broken == []
        assert set(load.statuses) == {200, 201, 503}
        assert load.retry_after == {"1"}
        check_nothing_is_lost(site, load)
        close(site)


def test_several_instances_may_start_at_once_on_an_empty_database(
    binary: Path, tmp_path: Path
) -> None:
    # Of its own: the database roles belong to the whole cluster and must be missing too.
    with running_cluster() as cluster, ExitStack() as stack:
        database = cluster.create_database("empty")
        servers = []
        for _ in range(INSTANCES):
            servers.append(launch_server(binary, tmp_path, database=database))
            stack.callback(servers[-1].stop)
        for server in servers:
            wait_for_listeners(server, 1)

        for server in servers:
            with server.client() as nobody:
                assert nobody.get("/readyz").status_code == 200
        with psycopg.connect(database) as owner:
            recorded = owner.execute("SELECT name FROM migrations ORDER BY name").fetchall()
        names = sorted(path.stem for path in (ROOT / "Migrations").glob("*.sql"))
        assert [name.removesuffix(".sql") for (name,) in recorded] == names
        applied = [line for server in servers for line in server.log if " applied 0" in line]
        assert len(applied) == 1
        assert "ERROR" not in cluster.log
        assert [server.stop() for server in servers] == [0] * INSTANCES


def test_a_server_that_is_told_to_stop_finishes_what_runs(binary: Path) -> None:
    with data_directory() as directory, ExitStack() as stack:
        data = directory / "data"
        server = start_server(binary, data)
        stack.callback(server.stop)
        site = create_load_site(server)
        nodes = [HTTP2Node(server, site, CAMERAS) for _ in range(4)]
        with Load([server], site, CAMERAS, SIZES) as load:
            load.wait_for_more(1_000)
            for node in nodes:
                node.wait_for(50)

            status = server.stop()

            for node in nodes:
                node.join()
        assert status == 0, "".join(server.log)
        assert set(load.statuses) == {200, 201}
        for node in nodes:
            assert node.error is None
            assert node.go_aways and {code for _, code in node.go_aways} == {0}
            # Each request that the server has not disowned is answered, none with an error.
            last = node.go_aways[-1][0]
            assert [stream for stream in node.sent if stream <= last] == sorted(node.statuses)
            assert set(node.statuses.values()) == {201}

        with running_server(binary, data) as server:
            site = move(site, server)
            ids = stored(site)
            for node in nodes:
                for stream, item in node.sent.items():
                    assert ids[item["id"]] == (1 if stream in node.statuses else 0)
            check_nothing_is_lost(site, load)
            close(site)


def test_what_the_database_refuses_harms_nobody_in_its_group(
    pair: tuple[Server, Server], database: str
) -> None:
    site = create_load_site(pair[0])
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(
            """
            CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'poison' USING ERRCODE = 'numeric_value_out_of_range';
            END
            $$;
            CREATE TRIGGER poison BEFORE INSERT ON detections
                FOR EACH ROW WHEN (NEW.confidence = 0.666) EXECUTE FUNCTION refuse_poison();
            """
        )
        try:
            # What these post is in the same groups, for it names the same cameras.
            with Load(pair[:1], site, CAMERAS, SIZES) as load:
                load.wait_for_more(100)
                for position in range(7):
                    items = [detection(site, camera=CAMERAS[n % 2]) for n in range(7)]
                    items[position]["confidence"] = 0.666

                    outcomes = post(site, items, 200)["items"]

                    expected = ["created"] * 7
                    expected[position] = "refused"
                    assert [outcome["outcome"] for outcome in outcomes] == expected
                    assert outcomes[position]["problem"]["code"] == "detection.not-storable"
                    load.acknowledged += items[:position] + items[position + 1 :]
                load.wait_for_more(100)
        finally:
            owner.execute("DROP TRIGGER poison ON detections; DROP FUNCTION refuse_poison")
    assert set(load.statuses) == {200, 201}
    check_nothing_is_lost(site, load)
    close(site)
