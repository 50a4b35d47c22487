"""What the nodes' heartbeats tell across a crash of the server, and when they stay away."""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from live_stream import Reader
from server_under_test import Server, Site, create_site, data_directory, start_server

# After a longer gap it is unknown what the node did meanwhile.
INTERVALS_MISSED = 3


def beat(site: Site) -> dict[str, Any]:
    """The receipt of a heartbeat that analyses the site's camera."""
    entries = [{"camera": site.camera_key, "status": "analysing"}]
    answer = site.client("node").post(
        f"/v1/nodes/{site.node}/heartbeat", json={"queue_length": 0, "cameras": entries}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def wait_until_unknown(receipt: dict[str, Any]) -> None:
    """Lets time pass until more than three of the node's intervals are without a heartbeat.

    Time itself is what is tested here: nothing happens that could be waited for.
    """
    end = datetime.fromisoformat(receipt["received_at"]) + INTERVALS_MISSED * timedelta(seconds=1)
    while datetime.now(timezone.utc) <= end:
        time.sleep(0.05)


def coverage(site: Site) -> list[tuple[str, str, str]]:
    """How the camera was watched for hitting in this hour, oldest part first."""
    now = datetime.now(timezone.utc)
    period = {"from": (now - timedelta(hours=1)).isoformat(), "to": now.isoformat()}
    answer = site.client("observer").get("/v1/coverage", params=period | {"pattern": "hitting"})
    assert answer.status_code == 200, answer.text
    return [(item["state"], item["from"], item["to"]) for item in answer.json()["items"]][::-1]


def test_a_crash_is_unknown_and_a_lost_node_is_told_once(binary: Path) -> None:
    with data_directory() as directory, ExitStack() as stack:
        data = directory / "data"
        first = start_server(binary, data)
        stack.callback(first.stop)
        with first.client(first.create_token("administrator")) as administrator:
            site = create_site(first, administrator, f"site-{uuid.uuid4().hex}")
            stack.callback(site.close)
            every_second = administrator.patch(
                f"/v1/nodes/{site.node}",
                json={"heartbeat_seconds": 1},
                headers={"If-Match": "*"},
            )
            assert every_second.status_code == 200, every_second.text
            site.token("observer")
            before = [beat(site) for _ in range(3)]
            first.kill()

        wait_until_unknown(before[-1])
        second = start_server(binary, data)
        stack.callback(second.stop)
        site = moved(site, second)
        stack.callback(site.close)
        after = [beat(site) for _ in range(2)]

        known = coverage(site)
        # The last part ends at the question's own instant, or where knowledge does.
        assert [state for state, _, _ in known][:4] == ["unknown", "analysed", "unknown", "analysed"]
        assert known[1][1:] == (before[0]["received_at"], before[-1]["next_due_at"])
        assert known[2][1:] == (before[-1]["next_due_at"], after[0]["received_at"])

        kinds = {"types": "node.lost,node.returned"}
        with Reader(second, site.token("observer"), last_id="0.0", **kinds) as reader:
            lost = reader.until(lambda event: event.name == "node.lost")[-1].data
            assert (lost["id"], lost["lost"]) == (site.node, True)
            assert lost["last_heartbeat_at"] == after[-1]["received_at"]
            listed = site.client("observer").get("/v1/nodes", params={"lost": "true"}).json()
            assert listed["items"] == [lost]
            beat(site)
            reader.until(lambda event: event.name == "node.returned")
        with Reader(second, site.token("observer"), last_id="0.0", **kinds) as reader:
            told = reader.until(lambda event: event.name == "node.returned")
        assert [event.name for event in told] == ["node.lost", "node.returned"]


def moved(site: Site, server: Server) -> Site:
    """The same site on the server that has taken the place of another, by the same tokens."""
    return Site(
        server, site.administrator, site.id, site.area, site.camera, site.camera_key, site.node,
        site.tokens,
    )
