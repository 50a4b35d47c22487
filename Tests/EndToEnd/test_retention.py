"""What is past its period goes when the server starts, but for what evidence holds keep."""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from detections import detection, instant, post
from server_under_test import Server, Site, create, create_site, data_directory, start_server

RETENTION_SECONDS_MAX = 20


def ids(site: Site, path: str) -> set[str]:
    """What a list of at most one page shows to an observer."""
    answer = site.client("observer").get(path, params={"limit": 100})
    assert answer.status_code == 200, answer.text
    assert "next" not in answer.links
    return {item["id"] for item in answer.json()["items"]}


def journaled(site: Site) -> list[dict[str, Any]]:
    """What the journal says of the runs of retention."""
    answer = site.client("auditor").get("/v1/audit", params={"event": "retention.completed"})
    assert answer.status_code == 200, answer.text
    return [entry["document"] for entry in answer.json()["items"]]


def wait_for_retention(site: Site, due: int) -> dict[str, int]:
    """The sums over all runs, once they have got to so many detections."""
    deadline = time.monotonic() + RETENTION_SECONDS_MAX
    while sum(run["due"] for run in journaled(site)) < due:
        assert time.monotonic() < deadline, journaled(site)
        time.sleep(0.05)
    runs = journaled(site)
    return {name: sum(run[name] for run in runs) for name in ("due", "deleted", "kept_by_hold")}


def moved(site: Site, server: Server) -> Site:
    """The same site on the server that has taken the place of another, by the same tokens."""
    return Site(
        server, site.administrator, site.id, site.area, site.camera, site.camera_key, site.node,
        site.tokens,
    )


def test_a_restart_deletes_what_is_due_and_keeps_what_is_held(binary: Path) -> None:
    with data_directory() as directory, ExitStack() as stack:
        data = directory / "data"
        first = start_server(binary, data)
        stack.callback(first.stop)
        with first.client(first.create_token("administrator")) as administrator:
            site = create_site(first, administrator, f"site-{uuid.uuid4().hex}")
            stack.callback(site.close)
            site.token("auditor")
            held = [detection(site, occurred_at=instant(hours=70, minutes=m)) for m in (10, 20)]
            due = [detection(site, occurred_at=instant(hours=70, minutes=m)) for m in (0, 30, 45)]
            fresh = detection(site)
            outcomes = post(site, [*held, *due, fresh], 200)["items"]
            assert {outcome["outcome"] for outcome in outcomes} == {"created"}
            range_ = {"from": instant(hours=70, minutes=25), "to": instant(hours=70, minutes=5)}
            hold = create(
                site.client("observer"),
                "/v1/evidence-holds",
                {"camera": site.camera, "ground": "offence"} | range_,
            )
            alarms = ids(site, "/v1/alarms")
            assert len(alarms) == 6
            shorter = administrator.patch(
                f"/v1/sites/{site.id}", json={"retention_hours": 1}, headers={"If-Match": "*"}
            )
            assert shorter.status_code == 200, shorter.text
            assert ids(site, "/v1/detections") == {item["id"] for item in [*held, *due, fresh]}
            assert first.stop() == 0

        second = start_server(binary, data)
        stack.callback(second.stop)
        site = moved(site, second)
        stack.callback(site.close)

        assert wait_for_retention(site, 5) == {"due": 5, "deleted": 3, "kept_by_hold": 2}
        assert ids(site, "/v1/detections") == {fresh["id"]}
        kept = f"/v1/evidence-holds/{hold['id']}/detections"
        assert ids(site, kept) == {item["id"] for item in held}
        assert ids(site, "/v1/alarms") == alarms
        again = post(site, [*due, *held, fresh], 200)["items"]
        assert [outcome["outcome"] for outcome in again] == ["duplicate"] * 6
        assert ids(site, "/v1/detections") == {fresh["id"]}
