"""What observers do at the same time over HTTP, and what rings when a shelving has run out."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import httpx
import pytest
from server_under_test import Site


def raise_alarm(site: Site) -> str:
    """The id of the alarm that a new detection raises."""
    detection = {
        "id": str(uuid.uuid4()),
        "camera": site.camera_key,
        "pattern": "hitting",
        "confidence": 0.9,
        "occurred_at": datetime.now(timezone.utc).isoformat(),
    }
    return site.client("node").post("/v1/detections", json=detection).json()["alarm"]


def events_until(client: httpx.Client, last: str) -> Iterator[tuple[str, dict]]:
    """The names and documents of the site's events from the beginning to the first of a name."""
    name = ""
    with client.stream("GET", "/v1/stream", headers={"Last-Event-ID": "0.0"}) as response:
        for line in response.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))
                if name == last:
                    return


@pytest.mark.parametrize("step", ["acknowledge", "assign"])
def test_of_two_observers_at_once_one_wins_and_the_stream_tells_who(site: Site, step: str) -> None:
    path = f"/v1/sites/{site.id}"
    headers = {"If-Match": site.administrator.get(path).headers["etag"]}
    positions = {"positions": [{"name": "Platz 1"}, {"name": "Platz 2"}]}
    assert site.administrator.patch(path, json=positions, headers=headers).status_code == 200
    alarm = raise_alarm(site)
    clients = [site.client("observer"), site.client("shift_supervisor")]
    bodies = [{"position": name} if step == "assign" else {} for name in ("Platz 1", "Platz 2")]

    def take(number: int) -> httpx.Response:
        return clients[number].post(f"/v1/alarms/{alarm}/{step}", json=bodies[number])

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(take, range(2)))

    won, lost = sorted(answers, key=lambda answer: answer.status_code)
    assert (won.status_code, lost.status_code) == (200, 409), (won.text, lost.text)
    event, by, at = {
        "acknowledge": ("alarm.acknowledged", "acknowledged_by", "acknowledged_at"),
        "assign": ("alarm.assigned", "assigned_by", "assigned_at"),
    }[step]
    assert (lost.json()["holder"], lost.json()["since"]) == (won.json()[by], won.json()[at])
    assert lost.json()["current"] == won.json()
    *_, (_, told) = events_until(clients[0], event)
    assert told == won.json()


def test_a_shelving_that_has_run_out_rings_its_alarm(site: Site) -> None:
    observer = site.client("observer")
    until = datetime.now(timezone.utc) + timedelta(seconds=2)
    shelving = {
        "site": site.id,
        "camera": site.camera,
        "reason": "Aufbau einer Bühne",
        "until": until.isoformat(),
    }
    assert observer.post("/v1/shelvings", json=shelving).status_code == 201
    alarm = raise_alarm(site)
    assert observer.get(f"/v1/alarms/{alarm}").json()["annunciated_at"] is None

    received = list(events_until(observer, "alarm.annunciated"))

    names = [name for name, _ in received]
    assert names[-4:] == [
        "alarm.raised",
        "shelving.ended",
        "alarm.unshelved",
        "alarm.annunciated",
    ]
    rung = received[-1][1]
    assert (rung["id"], rung["suppression"]) == (alarm, "none")
    assert datetime.fromisoformat(rung["annunciated_at"]) >= until
