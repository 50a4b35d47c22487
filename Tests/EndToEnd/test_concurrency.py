"""Many connections and two instances at one camera, and observers at one alarm."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from detections import Node, detection, post
from postgresql_cluster import Cluster
from server_under_test import Server, Site, create

CONNECTIONS = 100
POSTS = 20


def together(count: int, act: Callable[[int], Any]) -> list[Any]:
    """What `act` gives for each number, all begun at the same moment."""
    gate = threading.Barrier(count)

    def begin(number: int) -> Any:
        gate.wait()
        return act(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(begin, range(count)))


def test_a_hundred_connections_make_one_alarm_with_the_exact_count(
    pair: tuple[Server, Server], pair_site: Site, cluster: Cluster
) -> None:
    token = pair_site.token("node")
    logged = len(cluster.log)
    shared = [detection(pair_site) for _ in range(POSTS)]

    def hammer(number: int) -> Counter[tuple[int, str, str]]:
        seen: Counter[tuple[int, str, str]] = Counter()
        with Node(pair[number % 2], token) as node:
            for turn in range(POSTS):
                # Every fifth connection sends what others send too, to both instances.
                own = detection(pair_site, camera=pair_site.camera)
                status, answer = node.post(shared[turn] if number % 5 == 0 else own)
                seen[status, answer.get("outcome"), answer.get("alarm")] += 1
        return seen

    seen = sum(together(CONNECTIONS, hammer), Counter())

    assert {status for status, _, _ in seen} == {200, 201}
    assert len({alarm for _, _, alarm in seen}) == 1
    created = sum(count for (status, _, _), count in seen.items() if status == 201)
    assert created == CONNECTIONS * 4 // 5 * POSTS + len(shared)
    alarms = pair_site.client("observer").get("/v1/alarms").json()["items"]
    assert [(alarm["condition"], alarm["detection_count"]) for alarm in alarms] == [
        ("active", created)
    ]
    assert "deadlock" not in cluster.log[logged:]


def test_batches_over_many_cameras_do_not_lock_each_other_out(
    pair: tuple[Server, Server], pair_site: Site, cluster: Cluster
) -> None:
    token = pair_site.token("node")
    logged = len(cluster.log)
    cameras = [pair_site.camera_key]
    for number in range(8):
        camera = {"site": pair_site.id, "area": pair_site.area, "name": f"C {number}"}
        cameras.append(create(pair_site.administrator, "/v1/cameras", camera)["id"])
    patterns = ["hitting", "kicking", "pushing"]

    def hammer(number: int) -> set[int]:
        statuses = set()
        with Node(pair[number % 2], token) as node:
            for turn in range(4):
                # Each in an order of its own: whoever locks in the order of arrival deadlocks.
                keys = [(camera, pattern) for camera in cameras for pattern in patterns]
                keys = keys[number % len(keys) :] + keys[: number % len(keys)]
                if number % 3 == 0:
                    keys.reverse()
                items = [
                    detection(pair_site, camera=camera, pattern=pattern) for camera, pattern in keys
                ]
                status, answer = node.post(items)
                statuses.add(status)
                if status == 200:
                    assert {outcome["outcome"] for outcome in answer["items"]} == {"created"}
        return statuses

    assert set().union(*together(24, hammer)) == {200}

    alarms = pair_site.client("observer").get("/v1/alarms", params={"limit": 500}).json()["items"]
    assert len(alarms) == len(cameras) * len(patterns)
    assert {alarm["detection_count"] for alarm in alarms} == {24 * 4}
    assert "deadlock" not in cluster.log[logged:]


def test_of_observers_who_race_to_acknowledge_one_has_it(
    pair: tuple[Server, Server], pair_site: Site, pair_administrator: httpx.Client
) -> None:
    alarm = post(pair_site, detection(pair_site))["alarm"]
    names = [f"Platz {number}" for number in range(12)]
    tokens = [
        create(
            pair_administrator,
            "/v1/tokens",
            {"name": name, "role": "observer", "site": pair_site.id},
        )
        for name in names
    ]

    def acknowledge(number: int) -> httpx.Response:
        with pair[number % 2].client(tokens[number]["token"]) as observer:
            observer.get("/livez")
            return observer.post(f"/v1/alarms/{alarm}/acknowledge")

    answers = together(len(names), acknowledge)

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 11
    (winner,) = (number for number, answer in enumerate(answers) if answer.status_code == 200)
    held = answers[winner].json()
    assert held["acknowledged_by"] == {"token": tokens[winner]["id"], "name": names[winner]}
    for answer in answers:
        if answer.status_code == 409:
            problem = answer.json()
            assert problem["code"] == "alarm.acknowledged-by-other"
            assert problem["holder"] == held["acknowledged_by"]
            assert problem["since"] == held["acknowledged_at"]
            assert problem["current"]["acknowledged_by"] == held["acknowledged_by"]
    history = pair_site.client("observer").get(f"/v1/alarms/{alarm}/history").json()["items"]
    assert [entry["event"] for entry in history].count("alarm.acknowledged") == 1


def test_of_writers_who_race_to_change_one_wins(
    pair: tuple[Server, Server], pair_site: Site, pair_administrator: httpx.Client
) -> None:
    token = pair[0].create_token("administrator")
    path = f"/v1/cameras/{pair_site.camera}"
    tag = pair_administrator.get(path).headers["etag"]

    def rename(number: int) -> int:
        with pair[number % 2].client(token) as client:
            change = {"name": f"Kamera {number}"}
            return client.patch(path, json=change, headers={"If-Match": tag}).status_code

    assert sorted(together(8, rename)) == [200] + [412] * 7


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
