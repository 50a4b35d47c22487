"""`leitstand replay`: real incidents from a node that loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx
import pytest
from server_under_test import Server, data_directory, environment, start_server

SCENARIO = "mannheim"
DETECTIONS = 1961
AREAS = 7
CAMERAS = 290
REPORTING_CAMERAS = 43
# The evening in nine seconds.
SPEED = "60"
REPLAY_SECONDS_MAX = 120


@dataclass
class Installation:
    """A data directory with the server that runs on it, which may be killed and started again."""

    binary: Path
    data_dir: Path
    server: Server

    def restart(self) -> None:
        """Starts a server where the killed one listened."""
        host, port = self.server.address
        self.server = start_server(self.binary, self.data_dir, listeners=[f"{host}:{port}"])

    def replay(self, *options: str, speed: str = SPEED) -> subprocess.Popen[str]:
        """Starts a replay; its summary goes to `summary`."""
        return start_replay(
            self.binary,
            *("--speed", speed, "--url", self.server.base_url),
            *("--data-dir", str(self.data_dir), "--summary-json", str(self.summary_file)),
            *options,
        )

    @property
    def summary_file(self) -> Path:
        return self.data_dir.parent / "summary.json"

    @property
    def summary(self) -> dict:
        return json.loads(self.summary_file.read_text())

    @cached_property
    def administrator(self) -> httpx.Client:
        return self.server.client(self.server.create_token("administrator"))

    @cached_property
    def observer(self) -> httpx.Client:
        return self.server.client(self.server.create_token("observer", site=SCENARIO))

    def wait_for_detections(self, count: int, replay: subprocess.Popen[str]) -> None:
        """Returns when that many detections of a running replay have arrived."""
        # The replay itself makes the site, and before it there are no observers of it.
        while not every(self.administrator, "/v1/sites"):
            assert replay.poll() is None, "the replay ended early"
        while len(self.detections()) < count:
            assert replay.poll() is None, "the replay ended early"

    def detections(self) -> list[dict]:
        return every(self.observer, "/v1/detections")

    def alarms(self) -> list[dict]:
        return every(self.observer, "/v1/alarms")

    def watched(self, kind: str) -> list[dict]:
        """The site's areas, cameras or nodes."""
        return every(self.administrator, f"/v1/{kind}", site=SCENARIO)


def every(client: httpx.Client, path: str, **parameters: str) -> list[dict]:
    """All pages of a list."""
    items: list[dict] = []
    cursor: dict[str, str] = {}
    while True:
        response = client.get(path, params={"limit": "500", **parameters, **cursor})
        assert response.status_code == 200, response.text
        page = response.json()
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}


def start_replay(binary: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(binary), "replay", SCENARIO, *options],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(replay: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of a replay that ends by itself."""
    output, progress = replay.communicate(timeout=REPLAY_SECONDS_MAX)
    return replay.returncode, output, progress


@contextmanager
def installed(binary: Path) -> Iterator[Installation]:
    with data_directory() as directory:
        data_dir = directory / "data"
        installation = Installation(binary, data_dir, start_server(binary, data_dir))
        try:
            yield installation
        finally:
            installation.server.stop()


@pytest.fixture
def empty(binary: Path) -> Iterator[Installation]:
    """An installation of one test alone, in which nothing has been replayed."""
    with installed(binary) as installation:
        yield installation


@pytest.fixture(scope="module")
def played(binary: Path) -> Iterator[Installation]:
    """An installation in which the scenario has been replayed."""
    with installed(binary) as installation:
        status, output, progress = finish(installation.replay(speed="1000"))
        assert status == 0, output + progress
        yield installation


def test_replay_makes_the_site_and_raises_an_alarm_for_each_camera(empty: Installation) -> None:
    status, output, progress = finish(empty.replay())

    assert status == 0, progress
    assert f"detections: {DETECTIONS} sent, {DETECTIONS} created, 0 duplicates" in output
    assert f"alarms: {REPORTING_CAMERAS}, the first " in output
    assert "waiting 0" in progress.splitlines()[-1]
    cameras = empty.watched("cameras")
    assert len(cameras) == CAMERAS
    assert len({camera["key"] for camera in cameras}) == CAMERAS
    alarms = empty.alarms()
    assert len(alarms) == REPORTING_CAMERAS
    assert {alarm["id"] for alarm in alarms} == set(empty.summary["alarms"])
    assert sum(alarm["detection_count"] for alarm in alarms) == DETECTIONS
    assert not any(alarm["late"] for alarm in alarms)


def test_a_server_killed_in_the_middle_costs_no_detection(empty: Installation) -> None:
    replay = empty.replay()
    empty.wait_for_detections(300, replay)

    empty.server.kill()
    empty.restart()
    status, output, progress = finish(replay)

    assert status == 0, output + progress
    summary = empty.summary
    assert summary["made"] == summary["sent"] == DETECTIONS
    assert summary["created"] + summary["duplicates"] == DETECTIONS
    assert summary["lost"] == summary["refused"] == 0
    assert summary["absences"] >= 1
    detections = empty.detections()
    assert len(detections) == DETECTIONS
    assert len({detection["id"] for detection in detections}) == DETECTIONS
    assert sum(alarm["detection_count"] for alarm in empty.alarms()) == DETECTIONS


def test_an_interrupt_ends_it_tidily(empty: Installation) -> None:
    replay = empty.replay()
    empty.wait_for_detections(1, replay)

    replay.send_signal(signal.SIGINT)
    status, output, progress = finish(replay)

    assert status == 0, progress
    assert output.startswith("stopped replaying mannheim")
    summary = empty.summary
    assert 0 < summary["created"] == summary["made"] < DETECTIONS
    assert len(empty.detections()) == summary["created"]


def test_a_second_replay_finds_the_site_and_makes_detections_of_its_own(
    played: Installation,
) -> None:
    before = len(played.detections())

    status, output, progress = finish(played.replay(speed="1000"))

    assert status == 0, progress
    # Ids are made anew for each replay: only a resend is a duplicate.
    assert f"{DETECTIONS} created, 0 duplicates" in output
    assert len(played.detections()) == before + DETECTIONS
    assert len(played.watched("cameras")) == CAMERAS
    assert len(played.watched("areas")) == AREAS
    assert len(played.watched("nodes")) == 1


def test_a_token_of_ones_own_leaves_the_database_alone(played: Installation) -> None:
    node = played.watched("nodes")[0]["id"]
    token = played.server.create_token("node", site=SCENARIO, node=node)

    status, output, progress = finish(
        played.replay("--token", token, "--data-dir", "/nowhere", speed="1000")
    )

    assert status == 0, progress
    assert f"{DETECTIONS} created" in output


def test_what_is_refused_is_counted_and_ends_with_1(played: Installation) -> None:
    site = played.administrator.get(f"/v1/sites/{SCENARIO}")
    all_patterns = site.json()["patterns"]
    permit(played, [item for item in all_patterns if item["pattern"] != "robbery"])

    status, output, _ = finish(played.replay(speed="1000"))

    permit(played, all_patterns)
    assert status == 1
    summary = played.summary
    assert summary["refused"] > 0
    assert summary["refusals"] == {"detection.pattern-not-permitted": summary["refused"]}
    assert summary["created"] + summary["refused"] == DETECTIONS
    assert f"refused as detection.pattern-not-permitted: {summary['refused']}" in output


def permit(installation: Installation, patterns: list[dict]) -> None:
    response = installation.administrator.patch(
        f"/v1/sites/{SCENARIO}", json={"patterns": patterns}, headers={"If-Match": "*"}
    )
    assert response.status_code == 200, response.text


def test_a_wrong_token_fails_at_once(played: Installation) -> None:
    status, output, _ = finish(played.replay("--token", "wrong"))

    assert status == 1
    assert "failed: 401, token." in output


def test_a_server_that_stays_away_is_given_up_after_the_time_asked_for(binary: Path) -> None:
    # Nobody listens on port 1.
    url = "http://127.0.0.1:1"

    status, output, _ = finish(
        start_replay(binary, "--token", "any", "--url", url, "--patience", "1")
    )

    assert status == 1
    assert "failed: the server was away for" in output


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere"],
        [os.devnull],
        [SCENARIO, "--url", "nonsense"],
        [SCENARIO, "--speed", "0"],
        [SCENARIO, "--patience", "0"],
    ],
)
def test_wrong_arguments_are_said_to_be_wrong(binary: Path, arguments: list[str]) -> None:
    finished = subprocess.run(
        [str(binary), "replay", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=REPLAY_SECONDS_MAX,
    )

    assert finished.returncode == 64
    assert "Error: " in finished.stderr
