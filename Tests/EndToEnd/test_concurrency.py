"""Many do the same at once, on two instances of one database: one outcome, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from detections import detection, post
from load import Load
from postgresql_cluster import Cluster
from server_under_test import COMMAND_SECONDS_MAX, Server, Site, create, environment

CONNECTIONS = 50
SECONDS = 4
PATTERNS = ["kicking", "hitting", "pushing", "jostling", "fighting", "robbery", "vandalism"]


@pytest.fixture(scope="module")
def load_binary(binary: Path) -> Path:
    """The built load generator."""
    path = binary.with_name("leitstand-load")
    if not path.is_file():
        pytest.fail(f"{path} does not exist; build it")
    return path


@pytest.fixture(scope="module")
def monitors(pair: tuple[Server, Server]) -> Iterator[list[httpx.Client]]:
    """A client of each instance that may read the metrics."""
    token = pair[0].create_token("monitor")
    clients = [server.client(token) for server in pair]
    yield clients
    for client in clients:
        client.close()


@pytest.fixture
def observers(
    pair: tuple[Server, Server], pair_site: Site, pair_administrator: httpx.Client
) -> Iterator[list[httpx.Client]]:
    """Two observers, each on an instance of their own."""
    clients = []
    for server, name in zip(pair, ("Platz 1", "Platz 2")):
        new = {"name": name, "role": "observer", "site": pair_site.id}
        made = create(pair_administrator, "/v1/tokens", new)
        clients.append(server.client(made["token"]))
    yield clients
    for client in clients:
        client.close()


def history(client: httpx.Client, alarm: str) -> list[dict[str, Any]]:
    """What has become of the alarm at this path, oldest first."""
    response = client.get(f"{alarm}/history", params={"limit": 500})
    assert response.status_code == 200, response.text
    return response.json()["items"]


def at_once(*actions: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """What each answers when all are begun at the same moment."""
    barrier = threading.Barrier(len(actions))

    def act(action: Callable[[], httpx.Response]) -> httpx.Response:
        barrier.wait()
        return action()

    with ThreadPoolExecutor(len(actions)) as executor:
        return list(executor.map(act, actions))


def hammer(
    load_binary: Path, servers: tuple[Server, Server], token: str
) -> list[subprocess.Popen[str]]:
    """A load generator for each server, on the camera with the key c0."""
    return [
        subprocess.Popen(
            [load_binary, "--url", server.base_url, "--seconds", str(SECONDS), "--cameras", "1"]
            + ["--connections", str(CONNECTIONS), "--streams", "1"],
            env=environment() | {"LEITSTAND_TOKEN": token},
            stdout=subprocess.PIPE,
            text=True,
        )
        for server in servers
    ]


def failures(monitors: list[httpx.Client]) -> list[str]:
    """The metrics of answers with 5xx of both instances."""
    text = "\n".join(monitor.get("/metrics").text for monitor in monitors)
    return [line for line in text.splitlines() if 'status="5' in line]


def test_a_hundred_connections_raise_one_alarm_that_counts_each_detection(
    load_binary: Path,
    pair: tuple[Server, Server],
    pair_site: Site,
    pair_administrator: httpx.Client,
    observers: list[httpx.Client],
    monitors: list[httpx.Client],
    cluster: Cluster,
) -> None:
    new = {"site": pair_site.id, "area": pair_site.area, "name": "C 0", "key": "c0"}
    create(pair_administrator, "/v1/cameras", new)
    logged_before = len(cluster.log)
    generators = hammer(load_binary, pair, pair_site.token("node"))

    # Meanwhile observers handle the alarm, whose row each detection extends.
    statuses: Counter[int] = Counter()
    while any(generator.poll() is None for generator in generators):
        for alarm in observers[0].get("/v1/alarms").json()["items"]:
            for step in ("acknowledge", "release", "close", "reopen"):
                path = f"/v1/alarms/{alarm['id']}/{step}"
                answers = at_once(*(lambda client=client: client.post(path) for client in observers))
                statuses.update(answer.status_code for answer in answers)
    printed = [generator.communicate(timeout=COMMAND_SECONDS_MAX)[0] for generator in generators]
    counts = [json.loads(text) for text in printed]

    assert [count["failed"] for count in counts] == [0, 0]
    assert all(count["created"] > CONNECTIONS for count in counts)
    assert set(statuses) == {200, 409}
    alarms = observers[1].get("/v1/alarms").json()["items"]
    assert [alarm["condition"] for alarm in alarms] == ["active"]
    assert alarms[0]["detection_count"] == sum(count["created"] for count in counts)
    assert failures(monitors) == []
    assert "deadlock detected" not in cluster.log[logged_before:]


def test_arrays_that_name_the_same_cameras_in_any_order_do_not_block_each_other(
    pair: tuple[Server, Server],
    pair_site: Site,
    pair_administrator: httpx.Client,
    monitors: list[httpx.Client],
    cluster: Cluster,
) -> None:
    cameras = [f"c{number}" for number in range(8)]
    for key in cameras:
        new = {"site": pair_site.id, "area": pair_site.area, "name": key, "key": key}
        create(pair_administrator, "/v1/cameras", new)
    logged_before = len(cluster.log)

    # Cameras taken in turn: arrays of lengths that divide nothing begin with each of them.
    with Load(pair, pair_site, cameras, [3, 5, 7, 11, 13, 17, 19, 23]) as load:
        load.wait_for_more(3_000)

    assert set(load.statuses) == {200}
    alarms = pair_site.client("observer").get("/v1/alarms").json()["items"]
    assert len({alarm["camera"] for alarm in alarms}) == len(alarms) == len(cameras)
    assert sum(alarm["detection_count"] for alarm in alarms) == len(load.acknowledged)
    assert failures(monitors) == []
    assert "deadlock detected" not in cluster.log[logged_before:]


def test_of_two_who_acknowledge_at_once_one_holds_the_alarm_and_the_other_learns_who(
    pair_site: Site, observers: list[httpx.Client]
) -> None:
    path = f"/v1/alarms/{post(pair_site, detection(pair_site))['alarm']}"
    winners: Counter[str] = Counter()

    for _ in range(50):
        answers = at_once(
            *(lambda client=client: client.post(f"{path}/acknowledge") for client in observers)
        )

        assert sorted(answer.status_code for answer in answers) == [200, 409]
        won, refused = sorted(answers, key=lambda answer: answer.status_code)
        alarm, problem = won.json(), refused.json()
        assert problem["code"] == "alarm.acknowledged-by-other"
        assert problem["holder"] == alarm["acknowledged_by"]
        assert problem["since"] == alarm["acknowledged_at"]
        assert problem["current"] == alarm
        winners[alarm["acknowledged_by"]["name"]] += 1
        holder = observers[answers.index(won)]
        assert holder.post(f"{path}/release").status_code == 200

    told = history(observers[0], path)
    assert Counter(entry["event"] for entry in told) == {
        "alarm.raised": 1,
        "alarm.acknowledged": 50,
        "alarm.released": 50,
    }
    taken = [entry["actor"]["name"] for entry in told if entry["event"] == "alarm.acknowledged"]
    assert Counter(taken) == winners


def test_verdicts_given_at_once_are_both_in_the_history(
    pair_site: Site, observers: list[httpx.Client]
) -> None:
    first, second = observers

    # An alarm for each: a verdict repeated by the same observer changes nothing.
    for pattern in PATTERNS:
        posted = post(pair_site, detection(pair_site, pattern=pattern))
        path = f"/v1/alarms/{posted['alarm']}"

        answers = at_once(
            lambda: first.post(f"{path}/confirm", json={"note": "A brawl."}),
            lambda: second.post(f"{path}/dismiss", json={"reason": "play"}),
        )

        assert [answer.status_code for answer in answers] == [200, 200]
        _, *verdicts = history(first, path)
        assert sorted((entry["event"], entry["actor"]["name"]) for entry in verdicts) == [
            ("alarm.confirmed", "Platz 1"),
            ("alarm.dismissed", "Platz 2"),
        ]
        # The later one stands.
        assert verdicts[-1]["alarm"] == second.get(path).json()
        assert verdicts[-1]["event"] == f"alarm.{verdicts[-1]['alarm']['verdict']}"


def test_of_two_changes_to_the_same_version_one_is_made(
    pair: tuple[Server, Server], pair_site: Site
) -> None:
    token = pair[0].create_token("administrator")
    path = f"/v1/cameras/{pair_site.camera}"
    with pair[0].client(token) as first, pair[1].client(token) as second:
        for number in range(25):
            tag = first.get(path).headers["etag"]

            def rename(client: httpx.Client, name: str) -> httpx.Response:
                return client.patch(path, json={"name": name}, headers={"If-Match": tag})

            answers = at_once(
                lambda: rename(first, f"First {number}"), lambda: rename(second, f"Second {number}")
            )

            assert sorted(answer.status_code for answer in answers) == [200, 412]
            made = min(answers, key=lambda answer: answer.status_code)
            now = second.get(path)
            assert now.json() == made.json()
            assert now.headers["etag"] == made.headers["etag"] != tag
