"""Several instances on one database, and one instance after another on its data."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import httpx
import psycopg

from detections import Node, detection
from postgresql_cluster import Cluster
from server_under_test import (
    Server,
    Site,
    create,
    create_site,
    data_directory,
    launch_server,
    running_server,
    start_server,
)

END_SECONDS_MAX = 30
#: How many connections requests have on a loop, and as many those who keep house.
KEEPERS = 4
#: How long a request waits for a connection before it is refused.
WAIT_SECONDS_MAX = 10


def test_a_change_of_what_is_permitted_holds_at_once_on_both_instances(
    pair: tuple[Server, Server], pair_site: Site, pair_administrator: httpx.Client
) -> None:
    token = pair_site.token("node")
    path = f"/v1/sites/{pair_site.id}"
    with Node(pair[0], token) as first, Node(pair[1], token) as second:
        for _ in range(5):
            for patterns, status in (
                ([{"pattern": "kicking"}], 422),
                ([{"pattern": "hitting"}], 201),
            ):
                changed = pair_administrator.patch(
                    path, json={"patterns": patterns}, headers={"If-Match": "*"}
                )
                assert changed.status_code == 200
                for node in (second, first):
                    assert node.post(detection(pair_site))[0] == status


def test_a_camera_made_on_one_instance_is_known_on_the_other(
    pair: tuple[Server, Server], pair_site: Site
) -> None:
    with Node(pair[1], pair_site.token("node")) as node:
        key = uuid.uuid4().hex
        assert node.post(detection(pair_site, camera=key))[0] == 422

        camera = {"site": pair_site.id, "area": pair_site.area, "name": "Neu", "key": key}
        create(pair_site.administrator, "/v1/cameras", camera)

        assert node.post(detection(pair_site, camera=key))[0] == 201


def test_a_database_changed_behind_its_back_is_refused(
    binary: Path, cluster: Cluster, tmp_path: Path
) -> None:
    database = cluster.create_database(f"leitstand-{uuid.uuid4().hex}")
    with running_server(binary, tmp_path, database=database):
        pass
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("UPDATE migrations SET checksum = sha256('other')")

    server = launch_server(binary, tmp_path, database=database)

    assert server.process.wait(timeout=END_SECONDS_MAX) != 0
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


def test_no_request_waits_behind_what_keeps_house(
    binary: Path, cluster: Cluster, tmp_path: Path
) -> None:
    database = cluster.create_database(f"leitstand-{uuid.uuid4().hex}")
    with (
        running_server(binary, tmp_path, "--loops", "1", database=database) as server,
        server.client(server.create_token("administrator")) as administrator,
        psycopg.connect(database) as owner,
    ):
        # What is looked at once a second waits, as it may for a long change of the tables.
        owner.execute("LOCK TABLE alarms, shelvings, nodes, floods IN ACCESS EXCLUSIVE MODE")
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = %s"
        [oid] = owner.execute(
            "SELECT oid FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        deadline = time.monotonic() + END_SECONDS_MAX
        while owner.execute(waiting, [oid]).fetchone()[0] < KEEPERS:
            assert time.monotonic() < deadline

        answer = administrator.get("/v1/sites")

        owner.rollback()
    assert answer.status_code == 200, answer.text
    assert answer.elapsed.total_seconds() < WAIT_SECONDS_MAX
