"""The running server against its contract: what it answers to, what it does not, and how."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import takewhile
from typing import Any

import httpx
import pytest
from contract import (
    CLOSED,
    DOCUMENT,
    METHODS,
    OPERATIONS,
    Operation,
    call,
    check,
    check_component,
    problems_of,
    refused,
)
from server_under_test import Server, Site, create_site

NO_ID = "0199a2b0-ffff-7000-8000-ffffffffffff"
ROLES = DOCUMENT["components"]["schemas"]["Role"]["enum"]
EVENTS = CLOSED["paths"]["/v1/stream"]["get"]["x-events"]


@pytest.fixture(scope="module")
def everyone(server: Server, administrator: httpx.Client) -> Iterator[dict[str, httpx.Client]]:
    """A client of each role, of one site where the role is bound to one."""
    site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
    clients = {role: site.client(role) for role in ROLES}
    yield clients
    site.close()


@pytest.fixture
def other_site(server: Server, administrator: httpx.Client) -> Iterator[Site]:
    """A second site of this test."""
    site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
    yield site
    site.close()


def instant(**ago: float) -> str:
    """An instant so long ago."""
    return (datetime.now(timezone.utc) - timedelta(**ago)).isoformat()


def detection(site: Site, **members: Any) -> dict[str, Any]:
    """A detection that the site permits, with the members given."""
    plain = {
        "id": str(uuid.uuid4()),
        "camera": site.camera_key,
        "pattern": "hitting",
        "confidence": 0.75,
        "occurred_at": instant(),
    }
    return plain | members


def raise_alarm(site: Site, **members: Any) -> dict[str, Any]:
    """The alarm that a new detection raises."""
    posted = call(
        site.client("node"), "POST", "/v1/detections", 201, json=detection(site, **members)
    )
    assert posted["outcome"] == "created"
    return call(site.client("observer"), "GET", f"/v1/alarms/{posted['alarm']}", 200)


def pages(client: httpx.Client, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """The items of all pages, by the cursor in the body, which the Link header repeats."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        response = client.get(path, params=parameters | cursor)
        assert response.status_code == 200, response.text
        check(response)
        page = response.json()
        items += page["items"]
        if page["next"] is None:
            assert "link" not in response.headers
            return items
        linked = client.get(response.links["next"]["url"])
        cursor = {"cursor": page["next"]}
        assert linked.json() == client.get(path, params=parameters | cursor).json()


# What the server answers to


def test_the_server_gives_out_the_contract(nobody: httpx.Client) -> None:
    assert call(nobody, "GET", "/openapi.json", 200) == DOCUMENT


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_documented_operation_is_served(
    operation: Operation, everyone: dict[str, httpx.Client], nobody: httpx.Client
) -> None:
    client = everyone[operation.roles[0]] if operation.roles else nobody

    with client.stream(operation.method.upper(), operation.target(NO_ID)) as response:
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            assert response.status_code == 200
            return
        response.read()

    assert response.status_code != 405
    if response.status_code == 404:
        assert response.json()["code"] != "route.unknown"
    check(response)


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.roles], ids=str)
def test_an_operation_takes_the_roles_that_it_lists_and_no_other(
    operation: Operation, everyone: dict[str, httpx.Client], nobody: httpx.Client
) -> None:
    target = operation.target(NO_ID)

    refused(nobody, operation.method.upper(), target, 401, "token.missing")
    refused(
        nobody,
        operation.method.upper(),
        target,
        401,
        "token.invalid",
        headers={"Authorization": "Bearer no-such-token"},
    )
    for role, client in everyone.items():
        if role not in operation.roles:
            refused(client, operation.method.upper(), target, 403, "role.forbidden")
        elif str(operation) != "POST /v1/sites":  # An administrator of one site may not.
            with client.stream(operation.method.upper(), target) as response:
                assert response.status_code not in (401, 403), f"{role} may not {operation}"


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_an_undocumented_method_is_405_with_those_allowed(
    path: str, administrator: httpx.Client
) -> None:
    documented = {method.upper() for method in METHODS if method in DOCUMENT["paths"][path]}

    for method in {method.upper() for method in METHODS} - documented:
        response = administrator.request(method, path.replace("{id}", NO_ID))
        assert response.status_code == 405, f"{method} {path}: {response.status_code}"
        check_component(response, "MethodNotAllowed")
        allowed = {method.strip() for method in response.headers["allow"].split(",")}
        assert allowed - {"HEAD", "OPTIONS"} == documented


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/site",
        "/v1/sites/",
        "/v2/sites",
        "/V1/sites",
        "/v1/sites/mannheim/cameras",
        "/v1/nodes/0199a2b0-ffff-7000-8000-ffffffffffff/heartbeats",
        "/v1/alarms/steps/more",
        "/v1/alarms/0199a2b0-ffff-7000-8000-ffffffffffff/delete",
        "/v1/alarms/0199a2b0-ffff-7000-8000-ffffffffffff/history/1",
        "/v1/detections/0199a2b0-ffff-7000-8000-ffffffffffff",
        "/v1/tokens/0199a2b0-ffff-7000-8000-ffffffffffff",
        "/openapi.yaml",
        "/livez/",
        "/.git/config",
        "/v1/%2e%2e/livez",
        "/v1/sites%2F..%2F..%2Fetc%2Fpasswd/x",
    ],
)
def test_an_undocumented_path_is_404(path: str, administrator: httpx.Client) -> None:
    response = administrator.get(path)

    assert response.status_code == 404, response.text
    check_component(response, "RouteUnknown")


def test_the_server_says_how_it_is(nobody: httpx.Client, monitor: httpx.Client) -> None:
    assert call(nobody, "GET", "/livez", 200) == {"status": "alive"}
    assert call(nobody, "GET", "/readyz", 200) == {"status": "ready"}

    metrics = monitor.get("/metrics")

    assert metrics.status_code == 200
    check(metrics)
    assert "# TYPE " in metrics.text


# Sites, areas, cameras, nodes


@pytest.mark.parametrize("kind", ["sites", "areas", "cameras", "nodes"])
def test_a_resource_is_created_read_listed_and_changed(
    kind: str, site: Site, administrator: httpx.Client
) -> None:
    name = f"site-{uuid.uuid4().hex}"
    input = {
        "sites": {"id": name, "name": "Hamburg", "time_zone": "Europe/Berlin"},
        "areas": {"site": site.id, "name": "Alter Messplatz"},
        "cameras": {
            "site": site.id,
            "area": site.area,
            "name": "Paradeplatz 2",
            "key": "paradeplatz-2",
            "latitude": 49.4874,
            "longitude": 8.4661,
            "live_url": "https://video.example/paradeplatz-2",
        },
        "nodes": {
            "site": site.id,
            "name": "Analyse 2",
            "model": "pose",
            "model_version": "2026.10",
            "heartbeat_seconds": 5,
        },
    }[kind]

    response = administrator.post(f"/v1/{kind}", json=input)
    assert response.status_code == 201, response.text
    check(response)
    created, location, tag = response.json(), response.headers["location"], response.headers["etag"]
    assert created == created | input
    assert location == f"/v1/{kind}/{created['id']}"

    read = administrator.get(location)
    check(read)
    assert (read.json(), read.headers["etag"]) == (created, tag)
    # Who reads a live address is logged; a list shows none.
    listed = {name: value for name, value in created.items() if name != "live_url"}
    assert listed in pages(administrator, f"/v1/{kind}", limit=100)

    refused(administrator, "PATCH", location, 428, "precondition.missing", json={"name": "New"})
    refused(
        administrator,
        "PATCH",
        location,
        412,
        "precondition.failed",
        json={"name": "New"},
        headers={"If-Match": '"stale"'},
    )
    fixed = refused(
        administrator,
        "PATCH",
        location,
        422,
        "body.invalid",
        json={"id": created["id"]},
        headers={"If-Match": tag},
    )
    assert [error["pointer"] for error in fixed["errors"]] == ["/id"]

    changed = administrator.patch(location, json={"name": "New"}, headers={"If-Match": tag})
    assert changed.status_code == 200, changed.text
    check(changed)
    assert changed.json() == created | {"name": "New"}
    assert changed.headers["etag"] != tag
    refused(
        administrator,
        "PATCH",
        location,
        412,
        "precondition.failed",
        json={"name": "Newer"},
        headers={"If-Match": tag},
    )
    merged = administrator.patch(
        location,
        content=json.dumps({}),
        headers={"If-Match": "*", "Content-Type": "application/merge-patch+json"},
    )
    assert merged.status_code == 200, merged.text
    check(merged)
    assert (merged.json(), merged.headers["etag"]) == (changed.json(), changed.headers["etag"])

    singular = kind.removesuffix("s")
    refused(administrator, "GET", f"/v1/{kind}/{NO_ID}", 404, f"{singular}.unknown")
    refused(administrator, "GET", f"/v1/{kind}/no.such.id", 404, f"{singular}.unknown")


def test_a_new_site_permits_all_patterns_that_indicate_an_offence(
    site: Site, administrator: httpx.Client
) -> None:
    catalogue = DOCUMENT["components"]["schemas"]["Pattern"]["enum"]

    given = call(administrator, "GET", f"/v1/sites/{site.id}", 200)

    permitted = {pattern["pattern"] for pattern in given["patterns"]}
    assert permitted == set(catalogue) - {"lying", "falling", "staggering"}
    assert given["operating_mode"] == "production"


def test_a_pattern_that_indicates_no_offence_needs_a_legal_basis(
    site: Site, administrator: httpx.Client
) -> None:
    target, any_state = f"/v1/sites/{site.id}", {"If-Match": "*"}

    without = {"patterns": [{"pattern": "lying"}]}
    refused(administrator, "PATCH", target, 422, "body.invalid", json=without, headers=any_state)

    with_basis = {"patterns": [{"pattern": "lying", "legal_basis": "HmbPolDVG § 18"}]}
    changed = call(administrator, "PATCH", target, 200, json=with_basis, headers=any_state)
    always = {"valid_from": None, "valid_to": None}
    assert changed["patterns"] == [with_basis["patterns"][0] | always]


def test_a_site_sets_its_positions_grounds_and_terms(
    site: Site, other_site: Site, administrator: httpx.Client
) -> None:
    target, any_state = f"/v1/sites/{site.id}", {"If-Match": "*"}
    evening = [{"days": ["fri", "sat"], "from": "18:00", "to": "04:00"}]
    settings = {
        "positions": [
            {"name": "Platz 1", "areas": None, "staffed": None},
            {"name": "Platz 2", "areas": [site.area], "staffed": evening},
        ],
        "patterns": [
            {
                "pattern": "lying",
                "legal_basis": "HmbPolDVG § 18",
                "valid_from": "2026-01-01T00:00:00.000000Z",
                "valid_to": "2027-01-01T00:00:00.000000Z",
            }
        ],
        "retention_hours": 48,
        "hold_grounds": ["Strafverfahren", "Gefahrenabwehr"],
        "four_eyes_release": True,
        "access_reason": "shift",
        "access_log_days": 90,
    }

    changed = call(administrator, "PATCH", target, 200, json=settings, headers=any_state)

    assert changed == changed | settings
    foreign = {"positions": [{"name": "Platz 1", "areas": [other_site.area]}]}
    problem = refused(
        administrator, "PATCH", target, 422, "body.invalid", json=foreign, headers=any_state
    )
    assert [error["pointer"] for error in problem["errors"]] == ["/positions"]


def test_a_removed_camera_leaves_its_key_to_a_successor(
    site: Site, administrator: httpx.Client
) -> None:
    camera, any_state = f"/v1/cameras/{site.camera}", {"If-Match": "*"}
    removed_at = instant(seconds=10)
    life = {"installed_at": instant(hours=2), "removed_at": removed_at}
    call(administrator, "PATCH", camera, 200, json=life, headers=any_state)
    node = site.client("node")

    before = detection(site, occurred_at=instant(seconds=30))
    assert call(node, "POST", "/v1/detections", 201, json=before)["outcome"] == "created"
    refused(node, "POST", "/v1/detections", 422, "detection.camera-removed", json=detection(site))

    successor = {"site": site.id, "area": site.area, "name": "Paradeplatz 1 neu"}
    successor |= {
        "key": site.camera_key,
        "operating_mode": "parallel",
        "operating_hours": [{"days": ["mon"], "from": "00:00", "to": "24:00"}],
    }
    made = call(administrator, "POST", "/v1/cameras", 201, json=successor)
    assert made == made | successor
    after = detection(site)
    call(node, "POST", "/v1/detections", 201, json=after)
    stored = pages(site.client("observer"), "/v1/detections", limit=100)
    assert {item["id"]: (item["camera"], item["operating_mode"]) for item in stored} == {
        before["id"]: (site.camera, "production"),
        after["id"]: (made["id"], "parallel"),
    }
    still_there = {"removed_at": None}
    refused(
        administrator, "PATCH", camera, 409, "camera.key-exists", json=still_there, headers=any_state
    )


@pytest.mark.parametrize("role", ["shift_supervisor", "administrator"])
def test_a_mode_window_is_created_read_listed_and_ended(
    role: str, site: Site, other_site: Site
) -> None:
    client, observer, path = site.client(role), site.client("observer"), "/v1/mode-windows"
    staged = {"site": site.id, "camera": site.camera, "operating_mode": "training"}
    staged |= {"from": instant(minutes=5), "to": instant(minutes=-55), "note": "Szene 17"}

    response = client.post(path, json=staged)
    assert response.status_code == 201, response.text
    check(response)
    window = response.json()
    assert response.headers["location"] == f"{path}/{window['id']}"
    assert (window["note"], window["ended_at"]) == ("Szene 17", None)
    sent = detection(site, operating_mode="production")
    call(site.client("node"), "POST", "/v1/detections", 201, json=sent)
    [stored] = pages(observer, "/v1/detections")
    assert stored["operating_mode"] == "training"

    assert call(observer, "GET", f"{path}/{window['id']}", 200) == window
    filters = {"camera": site.camera, "operating_mode": "training", "running_at": instant()}
    assert pages(observer, path, **filters, limit=1) == [window]
    assert pages(observer, path, running_at=instant(hours=1)) == []
    refused(client, "POST", path, 409, "mode-window.overlaps", json=staged)

    ended = call(client, "POST", f"{path}/{window['id']}/end", 200)
    assert ended == window | {"to": ended["to"], "ended_at": ended["ended_at"]}
    assert ended["to"] == ended["ended_at"] < window["to"]
    refused(client, "POST", f"{path}/{window['id']}/end", 409, "mode-window.over")

    later = staged | {"camera": None, "from": instant(hours=-1), "to": instant(hours=-2)}
    planned = call(client, "POST", path, 201, json=later)
    cancelled = call(client, "POST", f"{path}/{planned['id']}/end", 200, json={})
    assert cancelled["to"] == cancelled["from"]

    foreign = other_site.client(role)
    refused(foreign, "GET", f"{path}/{window['id']}", 404, "mode-window.unknown")
    refused(foreign, "POST", f"{path}/{window['id']}/end", 404, "mode-window.unknown")
    unknown = staged | {"camera": other_site.camera}
    problem = refused(client, "POST", path, 422, "body.invalid", json=unknown)
    assert [error["pointer"] for error in problem["errors"]] == ["/camera"]


@pytest.mark.parametrize("role", ["shift_supervisor", "administrator"])
def test_an_interruption_is_created_read_listed_and_ended(
    role: str, site: Site, other_site: Site
) -> None:
    client, observer, path = site.client(role), site.client("observer"), "/v1/interruptions"
    assembly = {"site": site.id, "area": site.area, "ground": "Versammlung"}
    assembly |= {"from": instant(hours=3)}

    made = call(client, "POST", path, 201, json=assembly)
    assert (made["area"], made["camera"], made["to"]) == (site.area, None, None)
    assert call(observer, "GET", f"{path}/{made['id']}", 200) == made
    filters = {"area": site.area, "ground": "Versammlung", "running_at": instant()}
    assert pages(observer, path, **filters, limit=1) == [made]

    end = f"{path}/{made['id']}/end"
    before = {"at": instant(hours=4)}
    problem = refused(client, "POST", end, 422, "body.invalid", json=before)
    assert [error["pointer"] for error in problem["errors"]] == ["/at"]
    ended = call(client, "POST", end, 200, json={"at": instant(hours=1)})
    assert ended["from"] < ended["to"] < ended["ended_at"]
    refused(client, "POST", end, 409, "interruption.over")

    foreign = other_site.client(role)
    refused(foreign, "GET", f"{path}/{made['id']}", 404, "interruption.unknown")
    refused(foreign, "POST", end, 404, "interruption.unknown")
    problem = refused(
        client, "POST", path, 422, "body.invalid", json=assembly | {"area": other_site.area}
    )
    assert [error["pointer"] for error in problem["errors"]] == ["/area"]


def test_what_is_taken_or_does_not_exist_is_refused(
    site: Site, other_site: Site, administrator: httpx.Client
) -> None:
    again = {"id": site.id, "name": "Again", "time_zone": "Europe/Berlin"}
    refused(administrator, "POST", "/v1/sites", 409, "site.exists", json=again)

    for zone in ("localtime", "posixrules", "Factory", "posix/Europe/Berlin"):
        nowhere = {"id": f"site-{uuid.uuid4().hex}", "name": "Nowhere", "time_zone": zone}
        refused(administrator, "POST", "/v1/sites", 422, "body.invalid", json=nowhere)
    moon = {"id": f"site-{uuid.uuid4().hex}", "name": "Moon", "time_zone": "Moon/Tycho"}
    problem = refused(administrator, "POST", "/v1/sites", 422, "body.invalid", json=moon)
    assert [error["pointer"] for error in problem["errors"]] == ["/time_zone"]

    camera = {"site": site.id, "area": site.area, "name": "Twin", "key": site.camera_key}
    refused(administrator, "POST", "/v1/cameras", 409, "camera.key-exists", json=camera)

    foreign = {"site": site.id, "area": other_site.area, "name": "Astray"}
    problem = refused(administrator, "POST", "/v1/cameras", 422, "body.invalid", json=foreign)
    assert [error["pointer"] for error in problem["errors"]] == ["/area"]

    nowhere = {"site": "no-such-site", "name": "Nowhere"}
    problem = refused(administrator, "POST", "/v1/areas", 422, "body.invalid", json=nowhere)
    assert [error["pointer"] for error in problem["errors"]] == ["/site"]


def test_a_time_zone_is_fixed_once_there_is_data(site: Site, administrator: httpx.Client) -> None:
    target, any_state = f"/v1/sites/{site.id}", {"If-Match": "*"}
    zone = {"time_zone": "Europe/Vienna"}
    call(administrator, "PATCH", target, 200, json=zone, headers=any_state)

    raise_alarm(site)

    refused(
        administrator,
        "PATCH",
        target,
        409,
        "site.time-zone-fixed",
        json={"time_zone": "Europe/Berlin"},
        headers=any_state,
    )
    call(administrator, "PATCH", target, 200, json=zone, headers=any_state)


def test_lists_are_filtered_and_go_on_by_cursor(site: Site, administrator: httpx.Client) -> None:
    for number in range(2, 6):
        camera = {
            "site": site.id,
            "area": site.area,
            "name": f"Paradeplatz {number}",
            "key": f"Paradeplatz + {number}",
        }
        call(administrator, "POST", "/v1/cameras", 201, json=camera)

    newest_first = pages(administrator, "/v1/cameras", site=site.id, limit=2)

    names = [camera["name"] for camera in newest_first]
    assert names == [f"Paradeplatz {number}" for number in (5, 4, 3, 2, 1)]
    by_key = pages(administrator, "/v1/cameras", site=site.id, key="Paradeplatz + 3")
    assert [camera["name"] for camera in by_key] == ["Paradeplatz 3"]
    assert pages(administrator, "/v1/cameras", area=site.area, limit=500) == newest_first
    assert pages(administrator, "/v1/cameras", area=NO_ID) == []


def test_what_is_set_up_is_found_by_when_and_as_what(
    site: Site, administrator: httpx.Client
) -> None:
    areas = {
        monitored: call(
            administrator,
            "POST",
            "/v1/areas",
            201,
            json={"site": site.id, "name": f"Area {monitored}", "monitored": monitored},
        )
        for monitored in (True, False)
    }
    gone = {"site": site.id, "area": site.area, "name": "Gone", "key": "gone"}
    life = {"installed_at": instant(hours=2), "removed_at": instant(hours=1)}
    removed = call(administrator, "POST", "/v1/cameras", 201, json=gone | life)
    site.token("observer")
    site.token("auditor")

    for path in ("/v1/areas", "/v1/cameras", "/v1/nodes", "/v1/tokens"):
        listed = pages(administrator, path, site=site.id)
        newest, oldest = listed[0]["created_at"], listed[-1]["created_at"]
        of_then = pages(administrator, path, site=site.id, **{"from": newest})
        assert of_then == [item for item in listed if item["created_at"] >= newest]
        before = pages(administrator, path, site=site.id, to=newest)
        assert before == [item for item in listed if item["created_at"] < newest]
        assert pages(administrator, path, site=site.id, to=oldest) == []
    own = call(administrator, "GET", f"/v1/sites/{site.id}", 200)
    later = pages(administrator, "/v1/sites", limit=500, **{"from": own["created_at"]})
    assert own["id"] in [listed["id"] for listed in later]
    earlier = pages(administrator, "/v1/sites", limit=500, to=own["created_at"])
    assert own["id"] not in [listed["id"] for listed in earlier]

    by_watch = pages(administrator, "/v1/areas", site=site.id, monitored="false")
    assert by_watch == [areas[False]]
    there = pages(administrator, "/v1/cameras", site=site.id, removed="false")
    assert [camera["id"] for camera in there] == [site.camera]
    not_there = pages(administrator, "/v1/cameras", site=site.id, removed="true")
    assert [camera["id"] for camera in not_there] == [removed["id"]]
    auditors = pages(administrator, "/v1/tokens", site=site.id, role="auditor,statistician")
    assert [token["role"] for token in auditors] == ["auditor"]


def test_another_site_does_not_exist_for_a_token_of_one_site(site: Site, other_site: Site) -> None:
    observer = site.client("observer")
    alarm = raise_alarm(other_site)

    for kind, id in [
        ("site", other_site.id),
        ("area", other_site.area),
        ("camera", other_site.camera),
        ("node", other_site.node),
        ("alarm", alarm["id"]),
    ]:
        refused(observer, "GET", f"/v1/{kind}s/{id}", 404, f"{kind}.unknown")
    for kind in ("areas", "cameras", "nodes", "detections", "alarms"):
        path = f"/v1/{kind}"
        refused(observer, "GET", path, 404, "site.unknown", params={"site": other_site.id})
        assert {item["site"] for item in pages(observer, path)} <= {site.id}
    refused(observer, "POST", f"/v1/alarms/{alarm['id']}/confirm", 404, "alarm.unknown")


# Heartbeats and coverage


def test_a_heartbeat_tells_what_the_node_does_for_its_cameras(site: Site, other_site: Site) -> None:
    node, observer = site.client("node"), site.client("observer")
    path = f"/v1/nodes/{site.node}"
    before = call(observer, "GET", path, 200)
    assert (before["last_heartbeat_at"], before["lost"], before["queue_length"]) == (
        None,
        False,
        None,
    )

    entries = [
        {"camera": site.camera_key, "status": "analysing"},
        {"camera": site.camera, "pattern": "kicking", "status": "blind"},
        {"camera": other_site.camera, "status": "analysing"},
        {"camera": site.camera, "pattern": "dancing", "status": "off"},
        {"camera": site.camera, "status": "off"},
    ]
    heartbeat = {"sent_at": instant(), "queue_length": 7, "cameras": entries}
    receipt = call(node, "POST", f"{path}/heartbeat", 200, json=heartbeat)

    received = datetime.fromisoformat(receipt["received_at"])
    assert datetime.fromisoformat(receipt["next_due_at"]) - received == timedelta(seconds=10)
    assert [
        (entry["camera"], entry["problem"]["code"], entry["problem"]["errors"][0]["pointer"])
        for entry in receipt["refused"]
    ] == [
        (other_site.camera, "heartbeat.unknown-camera", "/cameras/2/camera"),
        (site.camera, "heartbeat.pattern-not-permitted", "/cameras/3/pattern"),
        (site.camera, "heartbeat.repeated-camera", "/cameras/4/camera"),
    ]
    after = call(observer, "GET", path, 200)
    assert after == before | {"last_heartbeat_at": receipt["received_at"], "queue_length": 7}
    assert pages(observer, "/v1/nodes", lost="false") == [after]
    assert pages(observer, "/v1/nodes", lost="true") == []

    period = {"from": instant(hours=1), "to": instant(hours=-1)}
    for role in ("observer", "statistician"):
        items = pages(site.client(role), "/v1/coverage", limit=4, camera=site.camera, **period)
        for pattern in ("hitting", "kicking"):
            seen = {
                item["state"]: (item["from"], item["to"])
                for item in items
                if item["pattern"] == pattern and item["from"] == receipt["received_at"]
            }
            state = {"hitting": "analysed", "kicking": "blind"}[pattern]
            assert seen == {state: (receipt["received_at"], receipt["next_due_at"])}
    hitting = pages(observer, "/v1/coverage", pattern="hitting", limit=1, **period)
    assert [item["state"] for item in hitting] == ["unknown", "analysed", "unknown"]
    assert hitting == [item for item in items if item["pattern"] == "hitting"]
    assert pages(observer, "/v1/coverage", camera=other_site.camera, **period) == []


def test_a_heartbeat_that_is_not_as_described_is_refused(site: Site, other_site: Site) -> None:
    node, path = site.client("node"), f"/v1/nodes/{site.node}/heartbeat"
    entry = {"camera": site.camera, "status": "analysing"}

    def pointers(**members: Any) -> list[str]:
        body = {"queue_length": 0, "cameras": [entry]} | members
        problem = refused(node, "POST", path, 422, "body.invalid", json=body)
        return [error["pointer"] for error in problem["errors"]]

    assert pointers(queue_length=-1) == ["/queue_length"]
    assert pointers(queue_length=None) == ["/queue_length"]
    assert pointers(sent_at="2026-11-24T12:00:00") == ["/sent_at"]
    assert pointers(cameras=[entry | {"status": "asleep"}]) == ["/cameras/0/status"]
    assert pointers(cameras=[entry, {"status": "off"}]) == ["/cameras/1/camera"]
    assert pointers(cameras=[entry | {"colour": "red"}]) == ["/cameras/0/colour"]
    assert pointers(cameras=[entry] * 2_001) == ["/cameras"]
    foreign = f"/v1/nodes/{other_site.node}/heartbeat"
    body = {"queue_length": 0, "cameras": []}
    refused(node, "POST", foreign, 404, "node.unknown", json=body)
    call(node, "POST", path, 200, json=body)


def test_coverage_needs_a_period_of_at_most_a_leap_year(site: Site) -> None:
    observer, path = site.client("observer"), "/v1/coverage"

    def parameters(**given: str) -> list[tuple[str, str]]:
        problem = refused(observer, "GET", path, 422, "parameter.invalid", params=given)
        return [(error["parameter"], error["code"]) for error in problem["errors"]]

    begin, midnight = {"from": "2024-01-01T00:00:00Z"}, "T00:00:00Z"
    assert parameters() == [("from", "missing"), ("to", "missing")]
    assert parameters(**begin) == [("to", "missing")]
    assert parameters(to="soon", **begin) == [("to", "invalid")]
    assert parameters(to=f"2024-01-01{midnight}", **begin) == [("to", "out-of-range")]
    assert parameters(to=f"2025-01-02{midnight}", **begin) == [("to", "out-of-range")]
    assert pages(observer, path, to=f"2025-01-01{midnight}", **begin) == []
    period = begin | {"to": f"2024-02-01{midnight}"}
    refused(observer, "GET", path, 422, "cursor.invalid", params=period | {"cursor": "bm8"})
    refused(observer, "GET", path, 404, "site.unknown", params=period | {"site": "elsewhere"})


# Detections


def test_a_detection_alone_has_a_status_of_its_own(site: Site, other_site: Site) -> None:
    node, path = site.client("node"), "/v1/detections"
    first = detection(site)

    created = call(node, "POST", path, 201, json=first)
    assert (created["id"], created["outcome"]) == (first["id"], "created")
    duplicate = call(node, "POST", path, 200, json=first)
    assert duplicate == created | {"outcome": "duplicate"}
    old = call(node, "POST", path, 200, json=detection(site, occurred_at=instant(days=30)))
    assert (old["outcome"], old["alarm"]) == ("counted_only", None)
    unsure = call(node, "POST", path, 201, json=detection(site, confidence=0.1, pattern="kicking"))
    assert unsure["alarm"] is None

    for code, refused_detection in {
        "detection.id-reused": first | {"pattern": "kicking"},
        "detection.unknown-camera": detection(site, camera=other_site.camera),
        "detection.pattern-not-permitted": detection(site, pattern="lying"),
        "detection.in-future": detection(site, occurred_at=instant(minutes=-10)),
    }.items():
        problem = refused(node, "POST", path, 422, code, json=refused_detection)
        assert problem["errors"], problem


def test_each_item_of_an_array_has_an_outcome(site: Site) -> None:
    node, path = site.client("node"), "/v1/detections"
    known = detection(site)
    call(node, "POST", path, 201, json=known)
    everything = detection(
        site,
        camera=site.camera,
        occurred_at=instant(seconds=1),
        ended_at=instant(),
        model="pose-2026.10",
        operating_mode="parallel",
        boxes=[{"x": 0.1, "y": 0.2, "width": 0.3, "height": 0.4, "confidence": 0.9}],
        keypoints=[[[0.1, 0.2], [0.3, 0.4, 0.9]]],
        track="t-17",
        recording="archive://paradeplatz-1/1",
        attributes={"persons": 2, "nested": [None, True, "ä"]},
    )

    items = [
        detection(site),
        known,
        detection(site, occurred_at=instant(days=30)),
        detection(site, camera="no-such-camera"),
        detection(site, confidence=1.5),
        detection(site, colour="red"),
        {"id": 7},
        None,
        everything,
    ]
    outcomes = call(node, "POST", path, 200, json=items)["items"]

    assert [
        (outcome["outcome"], (outcome["problem"] or {}).get("code")) for outcome in outcomes
    ] == [
        ("created", None),
        ("duplicate", None),
        ("counted_only", None),
        ("refused", "detection.unknown-camera"),
        ("refused", "body.invalid"),
        ("refused", "body.invalid"),
        ("refused", "body.invalid"),
        ("refused", "body.invalid"),
        ("created", None),
    ]
    assert outcomes[4]["problem"]["errors"][0]["pointer"] == "/4/confidence"
    assert outcomes[5]["problem"]["errors"][0]["pointer"] == "/5/colour"
    assert call(node, "POST", path, 200, json=[]) == {"items": []}

    stored = pages(site.client("observer"), path, limit=2)
    by_id = {item["id"]: item for item in stored}
    assert [item["occurred_at"] for item in stored] == sorted(
        (item["occurred_at"] for item in stored), reverse=True
    )
    given = by_id[everything["id"]]
    for name in (
        "model",
        "operating_mode",
        "boxes",
        "keypoints",
        "track",
        "recording",
        "attributes",
    ):
        assert given[name] == everything[name]
    assert (given["site"], given["camera"], given["node"]) == (site.id, site.camera, site.node)


def test_more_than_a_thousand_detections_are_refused_whole(site: Site) -> None:
    items = [detection(site) for _ in range(1001)]

    refused(site.client("node"), "POST", "/v1/detections", 413, "detections.too-many", json=items)

    assert pages(site.client("observer"), "/v1/detections") == []


def test_detections_are_filtered(site: Site) -> None:
    node, observer, path = site.client("node"), site.client("observer"), "/v1/detections"
    in_kathmandu = datetime.now(timezone(timedelta(hours=5, minutes=45))) - timedelta(minutes=3)
    hit = detection(site, occurred_at=in_kathmandu.isoformat())
    kick = detection(site, pattern="kicking", occurred_at=instant(minutes=2))
    call(node, "POST", path, 200, json=[hit, kick])

    def found(**parameters: str) -> list[str]:
        return [item["id"] for item in pages(observer, path, **parameters)]

    assert found() == [kick["id"], hit["id"]]
    assert found(pattern="hitting") == [hit["id"]]
    assert found(pattern="hitting,kicking") == [kick["id"], hit["id"]]
    assert found(camera=site.camera, site=site.id) == [kick["id"], hit["id"]]
    assert found(camera=NO_ID) == []
    assert found(**{"from": kick["occurred_at"]}) == [kick["id"]]
    assert found(to=kick["occurred_at"]) == [hit["id"]]
    refused(observer, "GET", path, 422, "parameter.invalid", params={"pattern": "dancing"})
    refused(observer, "GET", path, 422, "parameter.invalid", params={"from": "2026-11-24T12:00:00"})


# Rules and the alarm load


def test_a_rule_appends_versions_and_each_alarm_keeps_its_own(
    site: Site, other_site: Site, administrator: httpx.Client
) -> None:
    supervisor, observer, path = site.client("shift_supervisor"), site.client("observer"), "/v1/rules"
    first = call(administrator, "POST", path, 201, json={"site": site.id, "pattern": "hitting"})
    defaults = {
        "version": 1,
        "confidence_min": 0.5,
        "detections_min": 1,
        "detections_window_seconds": 10,
        "quiet_seconds": 30,
        "priority": "medium",
        "escalate_after_seconds": None,
    }
    assert first == first | defaults
    given = {
        "site": site.id,
        "pattern": "hitting",
        "detections_min": 2,
        "priority": "high",
        "escalate_after_seconds": 60,
    }
    second = call(supervisor, "POST", path, 201, json=given)
    assert second == second | given | {"version": 2}
    assert call(observer, "GET", f"{path}/{first['id']}", 200) == first

    assert pages(observer, path) == [second, first]
    assert pages(observer, path, current="true") == [second]
    assert pages(observer, path, current="false", pattern="hitting,kicking") == [first]
    assert pages(observer, path, to=first["created_at"]) == []

    refused(other_site.client("observer"), "GET", f"{path}/{first['id']}", 404, "rule.unknown")
    elsewhere = {"site": other_site.id, "pattern": "hitting"}
    problem = refused(supervisor, "POST", path, 422, "body.invalid", json=elsewhere)
    assert [error["pointer"] for error in problem["errors"]] == ["/site"]
    bad = given | {"detections_min": 101, "quiet_seconds": 0, "priority": None}
    problem = refused(supervisor, "POST", path, 422, "body.invalid", json=bad)
    assert {error["pointer"] for error in problem["errors"]} == {
        "/detections_min",
        "/quiet_seconds",
        "/priority",
    }

    node, early = site.client("node"), detection(site)
    assert call(node, "POST", "/v1/detections", 201, json=early)["alarm"] is None
    raised = call(node, "POST", "/v1/detections", 201, json=detection(site))["alarm"]
    alarm = call(observer, "GET", f"/v1/alarms/{raised}", 200)
    assert (alarm["rule_version"], alarm["detection_count"], alarm["group"]) == (2, 2, raised)
    assert alarm["annunciated_at"] == alarm["received_at"]
    found = pages(observer, "/v1/alarms", rule_version="2", group=raised, annunciated="true")
    assert [item["id"] for item in found] == [raised]
    for mark in ("overdue", "chattering", "stale", "flood"):
        assert pages(observer, "/v1/alarms", **{mark: "true"}) == []
        assert len(pages(observer, "/v1/alarms", **{mark: "false"})) == 1
    assert len(pages(observer, "/v1/detections", alarm=raised)) == 2

    load = call(observer, "GET", "/v1/alarm-load", 200)
    assert (load["site"], len(load["positions"])) == (site.id, 1)
    assert load["positions"][0]["annunciated"] == {"ten_minutes": 1, "hour": 1, "day": 1}
    assert load["positions"][0]["top_sources_share"] == 1
    refused(
        observer, "GET", "/v1/alarm-load", 404, "site.unknown", params={"site": other_site.id}
    )
# Evidence


def test_a_hold_is_made_found_reviewed_and_released(site: Site, other_site: Site) -> None:
    observer, supervisor = site.client("observer"), site.client("shift_supervisor")
    path = "/v1/evidence-holds"
    seen = detection(site, pattern="kicking")
    call(site.client("node"), "POST", "/v1/detections", 201, json=seen)
    range_ = {"camera": site.camera, "from": instant(hours=1), "to": instant(hours=-1)}
    input = range_ | {"ground": "offence", "case_number": "ST/1", "holder": "KHK Muster"}

    made = observer.post(path, json=input)
    assert made.status_code == 201, made.text
    check(made)
    hold, tag = made.json(), made.headers["etag"]
    target = f"{path}/{hold['id']}"
    assert made.headers["location"] == target
    assert (hold["complete"], hold["case_number"], hold["released_at"]) == (True, "ST/1", None)
    assert call(observer, "GET", target, 200) == hold
    assert [item["id"] for item in pages(observer, f"{target}/detections")] == [seen["id"]]

    def found(**parameters: str) -> list[str]:
        return [item["id"] for item in pages(observer, path, **parameters)]

    mine = [hold["id"]]
    assert found(site=site.id) == found(camera=site.camera) == found(case_number="ST/1") == mine
    assert found(ground="offence", released="false", due="false") == mine
    assert found(**{"from": instant(), "to": instant(hours=-2)}) == mine
    assert found(released="true") == found(due="true") == found(case_number="ST/2") == []
    assert found(to=instant(hours=2)) == []

    review = {"review_at": instant(days=-30)}
    refused(observer, "PATCH", target, 428, "precondition.missing", json=review)
    changed = call(observer, "PATCH", target, 200, json=review, headers={"If-Match": tag})
    assert changed["review_at"] is not None
    past = {"json": {"review_at": instant(seconds=1)}, "headers": {"If-Match": "*"}}
    problem = refused(observer, "PATCH", target, 422, "body.invalid", **past)
    assert [error["pointer"] for error in problem["errors"]] == ["/review_at"]
    assert problem["errors"][0]["detail"].startswith("must be in the future, after ")
    stale = {"json": {"review_at": None}, "headers": {"If-Match": tag}}
    refused(observer, "PATCH", target, 412, "precondition.failed", **stale)

    reason = {"json": {"reason": "The proceedings are over."}}
    refused(observer, "POST", f"{target}/release", 403, "role.forbidden", **reason)
    released = call(supervisor, "POST", f"{target}/release", 200, **reason)
    assert released["released_at"] is not None
    problem = refused(
        supervisor, "POST", f"{target}/release", 409, "hold.already-released", **reason
    )
    assert problem["current"] == released
    any_state = {"json": review, "headers": {"If-Match": "*"}}
    refused(observer, "PATCH", target, 409, "hold.already-released", **any_state)
    for id in (NO_ID, "no-such-id"):
        refused(observer, "GET", f"{path}/{id}", 404, "hold.unknown")
        refused(observer, "GET", f"{path}/{id}/detections", 404, "hold.unknown")
    refused(other_site.client("observer"), "GET", target, 404, "hold.unknown")


def test_a_hold_that_makes_no_sense_is_refused_by_member(site: Site, other_site: Site) -> None:
    right = {
        "camera": site.camera,
        "from": instant(hours=2),
        "to": instant(hours=1),
        "ground": "offence",
    }
    for wrong, pointer in [
        ({"to": right["from"]}, "/to"),
        ({"from": instant(days=40)}, "/to"),
        ({"camera": other_site.camera}, "/camera"),
        ({"camera": NO_ID}, "/camera"),
        ({"incident": NO_ID}, "/incident"),
        ({"ground": ""}, "/ground"),
        ({"holder": "two\nlines"}, "/holder"),
        ({"review_at": instant(seconds=1)}, "/review_at"),
        ({"from": "2026-11-24T12:00:00"}, "/from"),
        ({"colour": "red"}, "/colour"),
    ]:
        problem = refused(
            site.client("observer"),
            "POST",
            "/v1/evidence-holds",
            422,
            "body.invalid",
            json=right | wrong,
        )
        assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_labels_are_given_out_line_by_line(site: Site, administrator: httpx.Client) -> None:
    alarms = [raise_alarm(site), raise_alarm(site, pattern="kicking")]
    observer = site.client("observer")
    call(observer, "POST", f"/v1/alarms/{alarms[0]['id']}/confirm", 200, json={"note": "Muster"})
    call(observer, "POST", f"/v1/alarms/{alarms[1]['id']}/dismiss", 200, json={"reason": "play"})
    asked = {"site": site.id, "recipient": "Institute", "legal_basis": "Section 57", "limit": 1}

    first = administrator.get("/v1/labels", params=asked)
    assert first.status_code == 200, first.text
    check(first)
    second = administrator.get(first.links["next"]["url"])
    check(second)
    assert "link" not in second.headers
    labels = [json.loads(line) for page in (first, second) for line in page.text.splitlines()]

    assert [(label["subject"], label["verdict"], label["reason"]) for label in labels] == [
        (alarms[0]["id"], "confirmed", None),
        (alarms[1]["id"], "dismissed", "play"),
    ]
    assert all(len(label["detections"]) == 1 for label in labels)
    assert "Muster" not in first.text
    after = administrator.get("/v1/labels", params=asked | {"after": labels[1]["id"]})
    assert (after.status_code, after.text) == (200, "")
    pinned = pages(observer, "/v1/evidence-holds", ground="training")
    assert {hold["legal_basis"] for hold in pinned} == {"Section 57"}
    assert len(pinned) == 2
    for missing in ("recipient", "legal_basis"):
        parameters = {name: value for name, value in asked.items() if name != missing}
        for wrong in (parameters, parameters | {missing: " "}):
            refused(administrator, "GET", "/v1/labels", 422, "parameter.invalid", params=wrong)


# Alarms


def test_an_alarm_is_handled_from_the_first_detection_to_its_end(site: Site) -> None:
    one = site.client("shift_supervisor")
    other = site.client("observer")
    alarm = raise_alarm(site)
    path = f"/v1/alarms/{alarm['id']}"
    assert (alarm["condition"], alarm["handling"], alarm["verdict"]) == ("active", "new", "none")

    problem = refused(one, "POST", f"{path}/release", 409, "alarm.not-acknowledged")
    assert (problem["holder"], problem["current"]["id"]) == (None, alarm["id"])
    refused(one, "POST", f"{path}/reopen", 409, "alarm.not-closed", json={"note": "no"})

    held = call(one, "POST", f"{path}/acknowledge", 200)
    assert held["handling"] == "acknowledged"
    assert call(one, "POST", f"{path}/acknowledge", 200, json={}) == held
    for step in ("acknowledge", "release"):
        problem = refused(other, "POST", f"{path}/{step}", 409, "alarm.acknowledged-by-other")
        assert problem["holder"] == held["acknowledged_by"]
        assert problem["since"] == held["acknowledged_at"]
        assert problem["current"]["handling"] == "acknowledged"
    released = call(one, "POST", f"{path}/release", 200)
    assert (released["handling"], released["acknowledged_by"]) == ("new", None)
    call(other, "POST", f"{path}/acknowledge", 200)

    confirmed = call(one, "POST", f"{path}/confirm", 200, json={"note": "Two persons."})
    assert (confirmed["verdict"], confirmed["handling"]) == ("confirmed", "acknowledged")
    assert confirmed["judged_by"] == held["acknowledged_by"]
    dismissal = {"reason": "embrace", "note": "A farewell."}
    dismissed = call(other, "POST", f"{path}/dismiss", 200, json=dismissal)
    assert (dismissed["verdict"], dismissed["dismissal_reason"]) == ("dismissed", "embrace")
    assert call(one, "POST", f"{path}/confirm", 200)["dismissal_reason"] is None

    assert dismissed["judged_by"] != confirmed["judged_by"]
    assert dismissed["judged_at"] > confirmed["judged_at"]
    closed = call(other, "POST", f"{path}/close", 200, json={"note": "Done."})
    assert closed["closed_by"] == dismissed["judged_by"]
    assert closed["handling"] == "closed" and closed["closed_at"] is not None
    for step, body in [
        ("acknowledge", {}),
        ("release", {}),
        ("confirm", {}),
        ("dismiss", {"reason": "other"}),
        ("close", {}),
    ]:
        problem = refused(one, "POST", f"{path}/{step}", 409, "alarm.already-closed", json=body)
        assert problem["since"] == closed["closed_at"]
    call(one, "POST", f"{path}/comment", 200, json={"text": "The patrol\nis informed."})
    reopened = call(one, "POST", f"{path}/reopen", 200)
    assert (reopened["handling"], reopened["closed_at"]) == ("new", None)
    assert reopened["closed_by"] is None

    history = pages(one, f"{path}/history", limit=3)
    assert [(entry["event"], (entry["actor"] or {}).get("role")) for entry in history][1:] == [
        ("alarm.acknowledged", "shift_supervisor"),
        ("alarm.released", "shift_supervisor"),
        ("alarm.acknowledged", "observer"),
        ("alarm.confirmed", "shift_supervisor"),
        ("alarm.dismissed", "observer"),
        ("alarm.confirmed", "shift_supervisor"),
        ("alarm.closed", "observer"),
        ("alarm.commented", "shift_supervisor"),
        ("alarm.reopened", "shift_supervisor"),
    ]
    assert history[0]["event"] == "alarm.raised"
    assert [entry["note"] for entry in history if entry["note"]] == [
        "Two persons.",
        "A farewell.",
        "Done.",
        "The patrol\nis informed.",
    ]
    assert [entry["reason"] for entry in history if entry["reason"]] == ["embrace"]
    positions = [tuple(map(int, entry["id"].split("."))) for entry in history]
    assert positions == sorted(set(positions))
    assert history[-1]["alarm"] == reopened


def test_a_shift_supervisor_releases_in_the_place_of_the_holder(site: Site) -> None:
    path = f"/v1/alarms/{raise_alarm(site)['id']}"
    call(site.client("observer"), "POST", f"{path}/acknowledge", 200)

    released = call(site.client("shift_supervisor"), "POST", f"{path}/release", 200)

    assert (released["handling"], released["acknowledged_by"]) == ("new", None)


def set_positions(site: Site, *names: str) -> None:
    """Gives the site these observer positions."""
    path, positions = f"/v1/sites/{site.id}", [{"name": name} for name in names]
    headers = {"If-Match": site.administrator.get(path).headers["etag"]}
    call(site.administrator, "PATCH", path, 200, json={"positions": positions}, headers=headers)


def test_an_alarm_is_assigned_to_a_position_and_moved_by_whoever_names_it(site: Site) -> None:
    set_positions(site, "Platz 1", "Platz 2")
    one, other = site.client("observer"), site.client("shift_supervisor")
    alarm = raise_alarm(site)
    path = f"/v1/alarms/{alarm['id']}/assign"
    moved = {"position": "Platz 2", "from": "Platz 1"}

    refused(one, "POST", path, 409, "alarm.not-assigned", json=moved)
    problem = refused(one, "POST", path, 422, "position.unknown", json={"position": "Platz 3"})
    assert [error["pointer"] for error in problem["errors"]] == ["/position"]
    assigned = call(one, "POST", path, 200, json={"position": "Platz 1"})
    assert (assigned["position"], assigned["handling"]) == ("Platz 1", "new")
    assert call(other, "POST", path, 200, json={"position": "Platz 1"}) == assigned
    problem = refused(
        other, "POST", path, 409, "alarm.assigned-elsewhere", json={"position": "Platz 2"}
    )
    assert (problem["holder"], problem["since"]) == (
        assigned["assigned_by"],
        assigned["assigned_at"],
    )
    assert problem["current"] == assigned
    assert call(other, "POST", path, 200, json=moved)["position"] == "Platz 2"

    assert [item["id"] for item in pages(one, "/v1/alarms", position="Platz 2")] == [alarm["id"]]
    assert pages(one, "/v1/alarms", position="Platz 1") == []


def test_an_alarm_is_taken_over_once_unless_its_holder_is_named(site: Site) -> None:
    one, other = site.client("observer"), site.client("shift_supervisor")
    third = site.server.client(site.server.create_token("observer", site=site.id))
    path = f"/v1/alarms/{raise_alarm(site)['id']}"

    refused(other, "POST", f"{path}/take-over", 409, "alarm.not-acknowledged")
    held = call(one, "POST", f"{path}/acknowledge", 200)
    taken = call(other, "POST", f"{path}/take-over", 200)
    assert taken["taken_over_from"] == held["acknowledged_by"] != taken["acknowledged_by"]
    problem = refused(third, "POST", f"{path}/take-over", 409, "alarm.acknowledged-by-other")
    assert problem["holder"] == taken["acknowledged_by"]
    named = {"from": taken["acknowledged_by"]["token"]}
    again = call(third, "POST", f"{path}/take-over", 200, json=named)
    assert again["taken_over_from"] == taken["acknowledged_by"]
    third.close()


def test_an_alarm_is_shelved_with_reason_and_end(site: Site) -> None:
    observer = site.client("observer")
    alarm = raise_alarm(site)
    path = f"/v1/alarms/{alarm['id']}"
    shelving = {"reason": "Aufbau einer Bühne", "until": instant(hours=-2)}

    for bad, member in [
        ({"until": instant(hours=-25)}, "/until"),
        ({"until": instant(seconds=1)}, "/until"),
        ({"reason": ""}, "/reason"),
    ]:
        problem = refused(
            observer, "POST", f"{path}/shelve", 422, "body.invalid", json=shelving | bad
        )
        assert [error["pointer"] for error in problem["errors"]] == [member]
    shelved = call(observer, "POST", f"{path}/shelve", 200, json=shelving)
    assert (shelved["suppression"], shelved["handling"]) == ("shelved", "new")
    earlier = shelving | {"until": instant(hours=-1)}
    assert call(observer, "POST", f"{path}/shelve", 200, json=earlier) == shelved
    assert [item["id"] for item in pages(observer, "/v1/alarms", suppression="shelved")] == [
        alarm["id"]
    ]
    (listed,) = pages(observer, "/v1/shelvings", alarm=alarm["id"], running="true")
    assert (listed["id"], listed["until"]) == (shelved["shelving"], shelved["shelved_until"])
    assert (listed["reason"], listed["ended_at"]) == ("Aufbau einer Bühne", None)

    back = call(observer, "POST", f"{path}/unshelve", 200, json={"note": "Doch nicht."})
    assert (back["suppression"], back["shelved_until"]) == ("none", None)
    assert back["annunciated_at"] > alarm["annunciated_at"]
    assert call(observer, "POST", f"{path}/unshelve", 200) == back
    ended = call(observer, "GET", f"/v1/shelvings/{listed['id']}", 200)
    assert ended["ended_by"] == listed["shelved_by"]
    history = pages(observer, f"{path}/history")
    assert [(entry["event"], entry["note"]) for entry in history] == [
        ("alarm.raised", None),
        ("alarm.shelved", "Aufbau einer Bühne"),
        ("alarm.unshelved", "Doch nicht."),
        ("alarm.annunciated", None),
    ]


def test_a_camera_is_shelved_and_rings_when_that_is_ended(site: Site, other_site: Site) -> None:
    observer, path = site.client("observer"), "/v1/shelvings"
    active = raise_alarm(site)
    input = {
        "site": site.id,
        "camera": site.camera,
        "reason": "Aufbau einer Bühne",
        "until": instant(hours=-2),
    }

    made = observer.post(path, json=input)
    assert made.status_code == 201, made.text
    check(made)
    shelving = made.json()
    target = f"{path}/{shelving['id']}"
    assert made.headers["location"] == target
    assert call(observer, "GET", target, 200) == shelving
    assert pages(observer, path, camera=site.camera, running="true") == [shelving]
    assert pages(observer, path, pattern="kicking") == []
    assert pages(observer, path, to=shelving["shelved_at"]) == []

    born = raise_alarm(site, pattern="kicking")
    assert (born["shelving"], born["annunciated_at"]) == (shelving["id"], None)
    step = f"/v1/alarms/{active['id']}/unshelve"
    problem = refused(observer, "POST", step, 409, "alarm.shelved-with-others")
    assert problem["holder"] == shelving["shelved_by"]
    assert problem["current"]["shelving"] == shelving["id"]

    ended = call(observer, "POST", f"{target}/end", 200)
    assert ended["ended_by"] == shelving["shelved_by"] and ended["ended_at"] is not None
    assert call(observer, "POST", f"{target}/end", 200, json={}) == ended
    for alarm in pages(observer, "/v1/alarms"):
        assert (alarm["suppression"], alarm["annunciated_at"]) == ("none", ended["ended_at"])

    for bad, member in [
        ({"camera": other_site.camera}, "/camera"),
        ({"site": other_site.id}, "/site"),
        ({"until": instant(hours=-25)}, "/until"),
        ({"reason": None}, "/reason"),
    ]:
        problem = refused(observer, "POST", path, 422, "body.invalid", json=input | bad)
        assert [error["pointer"] for error in problem["errors"]] == [member]
    del input["camera"]
    refused(observer, "POST", path, 422, "body.invalid", json=input)
    elsewhere = other_site.client("observer")
    refused(elsewhere, "GET", target, 404, "shelving.unknown")
    refused(elsewhere, "POST", f"{target}/end", 404, "shelving.unknown")


def test_many_steps_are_taken_each_with_its_outcome(site: Site, other_site: Site) -> None:
    observer, path = site.client("observer"), "/v1/alarms/steps"
    one, two = (raise_alarm(site, pattern=pattern)["id"] for pattern in ("hitting", "kicking"))
    foreign = raise_alarm(other_site)["id"]

    answer = call(
        observer,
        "POST",
        path,
        200,
        json=[
            {"alarm": one, "step": "acknowledge"},
            {"alarm": one, "step": "acknowledge"},
            {"alarm": two, "step": "dismiss", "reason": "boredom"},
            {"alarm": two, "step": "dismiss", "reason": "play", "note": "Kinder"},
            {"alarm": two, "step": "reopen"},
            {"alarm": two, "step": "assign", "position": "Platz 9"},
            {"alarm": foreign, "step": "close"},
            {"alarm": one, "step": "close"},
            {"step": "dance"},
        ],
    )

    outcomes = [
        (item["alarm"], item["outcome"], (item["problem"] or {}).get("code"))
        for item in answer["items"]
    ]
    assert outcomes == [
        (one, "done", None),
        (one, "unchanged", None),
        (two, "refused", "body.invalid"),
        (two, "done", None),
        (two, "refused", "alarm.not-closed"),
        (two, "refused", "position.unknown"),
        (foreign, "unknown", "alarm.unknown"),
        (one, "done", None),
        (None, "refused", "body.invalid"),
    ]
    assert [(item["current"] or {}).get("handling") for item in answer["items"]] == [
        "acknowledged",
        "acknowledged",
        None,
        "new",
        None,
        None,
        None,
        "closed",
        None,
    ]
    assert answer["items"][4]["problem"]["current"] == answer["items"][3]["current"]
    assert answer["items"][2]["problem"]["errors"][0]["pointer"] == "/2/reason"
    assert answer["items"][5]["problem"]["errors"][0]["pointer"] == "/5/position"
    assert call(observer, "GET", f"/v1/alarms/{one}", 200)["handling"] == "closed"
    assert call(observer, "GET", f"/v1/alarms/{two}", 200)["verdict"] == "dismissed"

    assert call(observer, "POST", path, 200, json=[]) == {"items": []}
    most = [{"alarm": NO_ID, "step": "acknowledge"}] * 500
    unknown = call(observer, "POST", path, 200, json=most)["items"]
    assert [item["outcome"] for item in unknown] == ["unknown"] * 500
    refused(observer, "POST", path, 413, "steps.too-many", json=[{}] * 501)
    refused(observer, "POST", path, 422, "body.invalid", json={"steps": []})


def test_one_of_many_steps_records_a_matter_or_joins_it(site: Site) -> None:
    observer, path = site.client("observer"), "/v1/alarms/steps"
    one, two = (raise_alarm(site, pattern=pattern)["id"] for pattern in ("hitting", "kicking"))
    matter = {"category": "criminal_offence"}

    first, taken, bad, unknown = call(
        observer,
        "POST",
        path,
        200,
        json=[
            {"alarm": one, "step": "confirm", "incident": matter | {"alarms": [two]}},
            {"alarm": two, "step": "confirm", "incident": matter},
            {"alarm": two, "step": "confirm", "incident": {"category": "noise"}},
            {"alarm": two, "step": "confirm", "incident": {"id": NO_ID}},
        ],
    )["items"]

    incident = first["current"]["incident"]
    assert (first["outcome"], first["current"]["verdict"]) == ("done", "confirmed")
    assert taken["problem"]["code"] == "alarm.in-other-incident"
    assert taken["problem"]["incident"] == incident
    assert bad["problem"]["errors"][0]["pointer"] == "/2/incident/category"
    assert unknown["problem"]["errors"][0]["pointer"] == "/3/incident/id"
    assert unknown["problem"]["code"] == "incident.unknown"
    joining = [{"alarm": two, "step": "confirm", "incident": {"id": incident}}]
    (joined,) = call(observer, "POST", path, 200, json=joining)["items"]
    assert (joined["outcome"], joined["current"]["incident"]) == ("done", incident)
    found = pages(observer, "/v1/alarms", incident=incident)
    assert {(alarm["id"], alarm["verdict"]) for alarm in found} == {
        (one, "confirmed"),
        (two, "confirmed"),
    }


def test_an_alarm_says_what_it_asks_for(site: Site) -> None:
    observer = site.client("observer")
    loud = raise_alarm(site)
    silent = raise_alarm(site, pattern="kicking", operating_mode="parallel")

    def asking() -> dict[str, set[str]]:
        values = {name: pages(observer, "/v1/alarms", attention=name) for name in named}
        for name, alarms in values.items():
            assert {alarm["attention"] for alarm in alarms} <= {name}
        return {name: {alarm["id"] for alarm in alarms} for name, alarms in values.items()}

    named = DOCUMENT["components"]["schemas"]["Attention"]["enum"]
    assert asking() == {"ring": {loud["id"]}, "worklist": {silent["id"]}, "none": set()}
    every = pages(observer, "/v1/alarms", attention=",".join(named))
    assert len(every) == 2
    shelving = {"reason": "Aufbau", "until": instant(hours=-1)}
    for id in (loud["id"], silent["id"]):
        call(observer, "POST", f"/v1/alarms/{id}/shelve", 200, json=shelving)
    assert asking() == {"ring": set(), "worklist": set(), "none": {loud["id"], silent["id"]}}
    for id in (loud["id"], silent["id"]):
        call(observer, "POST", f"/v1/alarms/{id}/unshelve", 200)
    call(observer, "POST", f"/v1/alarms/{loud['id']}/acknowledge", 200)
    call(observer, "POST", f"/v1/alarms/{silent['id']}/acknowledge", 200)
    # Whoever has it hears no more, but it still waits for a verdict.
    assert asking() == {"ring": set(), "worklist": {silent["id"]}, "none": {loud["id"]}}
    call(observer, "POST", f"/v1/alarms/{silent['id']}/confirm", 200)
    assert asking() == {"ring": set(), "worklist": set(), "none": {loud["id"], silent["id"]}}


def test_all_verdicts_on_an_alarm_are_kept(site: Site, other_site: Site) -> None:
    one, other = site.client("observer"), site.client("shift_supervisor")
    path = f"/v1/alarms/{raise_alarm(site)['id']}"
    dismissal = {"reason": "embrace", "note": "Ein Abschied."}
    call(one, "POST", f"{path}/confirm", 200, json={"note": "Zwei Personen."})
    call(other, "POST", f"{path}/dismiss", 200, json=dismissal)
    call(other, "POST", f"{path}/dismiss", 200, json={"reason": "embrace"})
    call(one, "POST", f"{path}/confirm", 200)

    verdicts = pages(one, f"{path}/verdicts", limit=2)

    assert [(v["number"], v["verdict"], v["reason"], v["note"]) for v in verdicts] == [
        (3, "confirmed", None, None),
        (2, "dismissed", "embrace", "Ein Abschied."),
        (1, "confirmed", None, "Zwei Personen."),
    ]
    assert verdicts[0]["judged_by"] == verdicts[2]["judged_by"] != verdicts[1]["judged_by"]
    refused(other_site.client("observer"), "GET", f"{path}/verdicts", 404, "alarm.unknown")
    cursor = {"cursor": "no"}
    refused(one, "GET", f"{path}/verdicts", 422, "cursor.invalid", params=cursor)


def test_alarms_are_filtered_by_each_of_their_axes(site: Site) -> None:
    observer, path = site.client("observer"), "/v1/alarms"
    hit = raise_alarm(site)
    kick = raise_alarm(site, pattern="kicking", operating_mode="parallel", confidence=0.9)
    call(observer, "POST", f"/v1/alarms/{kick['id']}/acknowledge", 200)
    kick = call(observer, "POST", f"/v1/alarms/{kick['id']}/confirm", 200)

    def found(**parameters: Any) -> list[str]:
        return [item["id"] for item in pages(observer, path, **parameters)]

    both = [kick["id"], hit["id"]]
    assert found() == both
    for name in ("pattern", "operating_mode", "handling", "verdict", "raised_at", "max_confidence"):
        assert found(**{name: hit[name]}) == [hit["id"]], name
        assert found(**{name: kick[name]}) == [kick["id"]], name
    for name in ("site", "area", "camera", "condition", "suppression", "priority"):
        assert hit["id"] in found(**{name: hit[name]}), name
    assert found(handling="new,acknowledged") == both
    assert found(handling="closed") == []
    assert found(late="false") == both
    assert found(late="true") == []
    assert found(detection_count=1) == both
    assert found(detection_count=2) == []
    assert found(cleared_at=hit["raised_at"]) == []
    assert found(last_detection_at=kick["last_detection_at"]) == [kick["id"]]
    assert found(**{"from": kick["raised_at"]}) == [kick["id"]]
    assert found(to=kick["raised_at"]) == [hit["id"]]
    for name in ("condition", "handling", "suppression", "verdict", "priority", "late", "colour"):
        problem = refused(observer, "GET", path, 422, "parameter.invalid", params={name: "red"})
        assert [error["parameter"] for error in problem["errors"]] == [name]


def test_a_late_detection_opens_an_alarm_that_is_cleared(site: Site) -> None:
    alarm = raise_alarm(site, occurred_at=instant(minutes=20))

    assert (alarm["late"], alarm["condition"]) == (True, "cleared")
    history = pages(site.client("observer"), f"/v1/alarms/{alarm['id']}/history")
    assert [entry["event"] for entry in history] == ["alarm.late"]


# Imports


HISTORY = """\
key,category,occurred_at,area
E-1,criminal_offence,2022-06-04T01:20,Paradeplatz
E-2,hazard_prevention,2022-06-04T02:10,
"""
CSV = {"Content-Type": "text/csv"}


def test_a_history_is_imported_once_and_listed(site: Site) -> None:
    administrator = site.client("administrator")

    dry = call(
        administrator,
        "POST",
        "/v1/imports?dry_run=true",
        200,
        content=HISTORY,
        headers=CSV,
    )
    taken = call(administrator, "POST", "/v1/imports", 201, content=HISTORY, headers=CSV)
    again = call(
        administrator, "POST", f"/v1/imports?site={site.id}", 200, content=HISTORY, headers=CSV
    )
    lines = '{"key":"I-1","incident":"E-1","immediate":true,"dispatched_at":"2022-06-04T01:25"}\n'
    units = call(
        administrator,
        "POST",
        "/v1/imports",
        201,
        content=lines,
        headers={"Content-Type": "application/x-ndjson"},
    )

    assert (dry["import"], dry["incidents"]) == (None, 2)
    assert (taken["incidents"], taken["refused"]) == (2, 0)
    assert (again["import"], again["known"]) == (None, 2)
    assert units["interventions"] == 1
    one = call(administrator, "GET", f"/v1/imports/{taken['import']}", 200)
    assert one["imported_by"]["token"] is not None
    assert pages(administrator, "/v1/imports", limit=1) == [
        call(administrator, "GET", f"/v1/imports/{units['import']}", 200),
        one,
    ]
    assert pages(site.client("auditor"), "/v1/imports", format="csv") == [one]
    assert pages(administrator, "/v1/imports", to=one["created_at"]) == []
    assert len(call(site.client("observer"), "GET", "/v1/incidents", 200)["items"]) == 2


def test_a_history_with_bad_lines_is_refused_whole_unless_asked_otherwise(site: Site) -> None:
    administrator = site.client("administrator")
    bad = HISTORY + "E-3,theft,2022-10-30T02:30,\n"

    problem = refused(
        administrator, "POST", "/v1/imports", 422, "import.refused", content=bad, headers=CSV
    )
    partial = call(
        administrator, "POST", "/v1/imports?partial=true", 201, content=bad, headers=CSV
    )

    assert [
        (fault["line"], fault["column"], fault["code"]) for fault in problem["report"]["faults"]
    ] == [(4, "category", "invalid")]
    assert (partial["incidents"], partial["refused"]) == (2, 1)


def test_another_sites_import_does_not_exist(site: Site, other_site: Site) -> None:
    taken = call(
        site.client("administrator"), "POST", "/v1/imports", 201, content=HISTORY, headers=CSV
    )
    stranger = other_site.client("administrator")

    refused(stranger, "GET", f"/v1/imports/{taken['import']}", 404, "import.unknown")
    assert pages(stranger, "/v1/imports") == []
    refused(
        stranger,
        "POST",
        f"/v1/imports?site={site.id}",
        404,
        "site.unknown",
        content=HISTORY,
        headers=CSV,
    )


def test_an_import_says_what_would_be_right(site: Site, administrator: httpx.Client) -> None:
    bound = site.client("administrator")
    refused(
        administrator, "POST", "/v1/imports", 422, "parameter.invalid", content="", headers=CSV
    )
    refused(
        administrator,
        "POST",
        "/v1/imports?site=no-such-site",
        404,
        "site.unknown",
        content=HISTORY,
        headers=CSV,
    )
    refused(bound, "POST", "/v1/imports", 415, "media-type.unsupported", json=[])
    refused(
        bound,
        "POST",
        "/v1/imports?dry_run=yes&whole=true",
        422,
        "parameter.invalid",
        content=HISTORY,
        headers=CSV,
    )
    for body in (b"", b"key;category\n", b"\xff\xfe", b'"', b"key,key\n"):
        problem = refused(
            bound, "POST", "/v1/imports", 422, "import.refused", content=body, headers=CSV
        )
        assert problem["report"]["faults"][0]["line"] == 1
    many = "key,category,occurred_at\n" + "\n" * 10 + "x,fire,never\n" * 60
    report = call(bound, "POST", "/v1/imports?dry_run=true", 200, content=many, headers=CSV)
    assert report["faults"][0]["line"] == 12
    assert (report["refused"], len(report["faults"]), report["faults_omitted"]) == (60, 100, 20)


# The live stream


def events(response: httpx.Response) -> Iterator[dict[str, str]]:
    """The events of a stream, without comments and heartbeats."""
    event: dict[str, str] = {}
    for line in response.iter_lines():
        if line == "":
            if "data" in event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            event[name] = value.removeprefix(" ")


def test_the_stream_gives_each_change_as_its_list_does(
    site: Site, administrator: httpx.Client
) -> None:
    observer = site.client("observer")
    alarm = raise_alarm(site)
    call(observer, "POST", f"/v1/alarms/{alarm['id']}/acknowledge", 200)
    new_name = {"name": "Paradeplatz Süd"}
    area = f"/v1/areas/{site.area}"
    call(administrator, "PATCH", area, 200, json=new_name, headers={"If-Match": "*"})

    received = []
    with observer.stream("GET", "/v1/stream", headers={"Last-Event-ID": "0.0"}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].split(";")[0] == "text/event-stream"
        for event in events(response):
            received.append(event)
            if event["event"] == "area.changed":
                break

    for event in received:
        data = EVENTS[event["event"]]["data"]["$ref"]
        assert problems_of(json.loads(event["data"]), data) == []
        assert problems_of(event["id"], "#/components/schemas/EventID") == []
    assert [event["event"] for event in received] == [
        "site.created",
        "area.created",
        "camera.created",
        "node.created",
        "alarm.raised",
        "alarm.acknowledged",
        "area.changed",
    ]
    acknowledged = json.loads(received[5]["data"])
    assert acknowledged == call(observer, "GET", f"/v1/alarms/{alarm['id']}", 200)

    resumed = {"Last-Event-ID": received[3]["id"]}
    parameters = {"types": "alarm,area.changed", "site": site.id}
    with observer.stream("GET", "/v1/stream", headers=resumed, params=parameters) as response:
        again = []
        for event in events(response):
            again.append(event)
            if event["event"] == "area.changed":
                break
    assert again == received[4:]


def test_the_stream_refuses_what_it_does_not_know(site: Site) -> None:
    observer = site.client("observer")

    for id in ("yesterday", "-1.0", "1", "999999999999.0"):
        headers = {"Last-Event-ID": id}
        refused(observer, "GET", "/v1/stream", 422, "stream.cursor-invalid", headers=headers)
    for parameters in ({"types": "incidents"}, {"types": ""}, {"colour": "red"}):
        refused(observer, "GET", "/v1/stream", 422, "parameter.invalid", params=parameters)
    refused(observer, "GET", "/v1/stream", 404, "site.unknown", params={"site": "no-such-site"})


# Tokens


def test_a_token_is_made_shown_once_and_revoked(
    server: Server, site: Site, administrator: httpx.Client
) -> None:
    far = "2199-12-31T00:00:00+01:00"
    input = {"name": "Platz 3", "role": "observer", "site": site.id, "expires_at": far}

    created = call(administrator, "POST", "/v1/tokens", 201, json=input)
    secret = created.pop("token")
    assert secret.startswith(created["prefix"])
    assert created["expires_at"].startswith("2199-12-30T23:00:00")

    listed = pages(administrator, "/v1/tokens", site=site.id)
    assert created in listed
    assert secret not in json.dumps(listed)
    auditor = site.client("auditor")
    assert {token["site"] for token in pages(auditor, "/v1/tokens")} == {site.id}

    with server.client(secret) as observer:
        assert pages(observer, "/v1/sites")[0]["id"] == site.id
        path = f"/v1/tokens/{created['id']}/revoke"
        revoked = call(administrator, "POST", path, 200)
        assert revoked == created | {"revoked_at": revoked["revoked_at"]}
        assert revoked["revoked_at"] is not None
        assert call(administrator, "POST", path, 200, json={}) == revoked
        refused(observer, "GET", "/v1/sites", 401, "token.invalid")
    refused(administrator, "POST", f"/v1/tokens/{NO_ID}/revoke", 404, "token.unknown")


@pytest.mark.parametrize("role", ROLES)
def test_a_token_is_told_who_it_is(role: str, everyone: dict[str, httpx.Client]) -> None:
    own = call(everyone[role], "GET", "/v1/tokens/self", 200)

    listed = pages(everyone["administrator"], "/v1/tokens")
    assert own in listed
    assert own["role"] == role
    assert (own["node"] is not None) == (role == "node")
    refused(
        everyone[role], "GET", "/v1/tokens/self", 422, "parameter.invalid", params={"site": "m"}
    )


def test_a_token_is_bound_as_its_role_demands(
    site: Site, other_site: Site, administrator: httpx.Client
) -> None:
    path = "/v1/tokens"
    node = {"name": "Analyse", "role": "node", "node": site.node}
    made = call(administrator, "POST", path, 201, json=node)
    assert (made["site"], made["node"]) == (site.id, site.node)
    everywhere = call(administrator, "POST", path, 201, json={"name": "P", "role": "monitor"})
    assert everywhere["site"] is None

    for pointer, wrong in {
        "/site": {"name": "x", "role": "observer", "site": "no-such-site"},
        "/node": {"name": "x", "role": "node", "node": NO_ID},
        "/expires_at": {"name": "x", "role": "monitor", "expires_at": instant(days=1)},
    }.items():
        problem = refused(administrator, "POST", path, 422, "body.invalid", json=wrong)
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
    for wrong in (
        {"name": "x", "role": "observer"},
        {"name": "x", "role": "observer", "site": None},
        {"name": "x", "role": "node", "site": site.id},
        {"name": "x", "role": "observer", "site": site.id, "node": site.node},
        {"name": "x", "role": "king"},
    ):
        refused(administrator, "POST", path, 422, "body.invalid", json=wrong)

    local = site.client("administrator")
    ours = {"name": "x", "role": "observer", "site": site.id}
    call(local, "POST", path, 201, json=ours)
    refused(local, "POST", path, 422, "body.invalid", json=ours | {"site": other_site.id})
    refused(local, "POST", path, 403, "role.forbidden", json={"name": "x", "role": "monitor"})
    new_site = {"id": "no-such-site", "name": "x", "time_zone": "Europe/Berlin"}
    refused(local, "POST", "/v1/sites", 403, "role.forbidden", json=new_site)


# Bad input


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "body.not-json"),
        (b'{"site":', 400, "body.not-json"),
        (b"[" * 10_000, 400, "body.not-json"),
        (b'{"site": "\xff"}', 400, "body.not-json"),
        (b'{"site": "\\ud800"}', 400, "body.not-json"),
        (b"NaN", 400, "body.not-json"),
        (b"7", 422, "body.invalid"),
        (b"[]", 422, "body.invalid"),
        (b"null", 422, "body.invalid"),
        (b'{"site": "a", "site": "a", "name": "x"}', 422, "body.invalid"),
        (b'{"site": "a", "name": "x\\u0000"}', 400, "body.not-json"),
        (b'{"site": "A b", "name": "x"}', 422, "body.invalid"),
        (b'{"site": "a", "name": ""}', 422, "body.invalid"),
        (b'{"site": "a", "name": 7}', 422, "body.invalid"),
        (b'{"site": "a"}', 422, "body.invalid"),
        (b'{"site": "a", "name": "x", "colour": "red"}', 422, "body.invalid"),
    ],
)
def test_a_bad_body_is_refused(
    content: bytes, status: int, code: str, administrator: httpx.Client
) -> None:
    json_type = {"Content-Type": "application/json"}

    refused(administrator, "POST", "/v1/areas", status, code, content=content, headers=json_type)


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        (b"", ""),
        (b'{"site": "a", "name": "x\\u0000"}', "/name"),
        (b'{"site": "a", "name": "\\udc00"}', "/name"),
        (b'{"site": "a", "name": "\xff"}', "/name"),
        (b'{"site": "a", "name": 1e400}', "/name"),
        (b'{"site": "a", "more": [{}, {"in/side": nul}]}', "/more/1/in~1side"),
        (b'{"site": "a", "name": "x", "site": "b"}', "/site"),
    ],
)
def test_a_body_that_is_no_json_is_refused_at_its_place(
    content: bytes, pointer: str, administrator: httpx.Client
) -> None:
    json_type = {"Content-Type": "application/json"}

    answer = administrator.post("/v1/areas", content=content, headers=json_type)

    check(answer)
    assert answer.status_code in (400, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_each_bad_member_is_named(administrator: httpx.Client) -> None:
    body = {"site": 7, "monitored": "yes", "colour": "red"}

    problem = refused(administrator, "POST", "/v1/areas", 422, "body.invalid", json=body)

    named = {error["pointer"] for error in problem["errors"]}
    assert named == {"/site", "/monitored", "/colour", "/name"}


@pytest.mark.parametrize("blank", [" ", "\n\t", "\u00a0", "\u2003 "])
@pytest.mark.parametrize(
    ("role", "path", "body", "member"),
    [
        ("observer", "/v1/shifts", {"until": instant(minutes=-60)}, "reason"),
        ("administrator", "/v1/erasures", {"kind": "remark", "id": NO_ID}, "reason"),
        ("observer", f"/v1/alarms/{NO_ID}/comment", {}, "text"),
        ("observer", f"/v1/alarms/{NO_ID}/shelve", {"until": instant(minutes=-60)}, "reason"),
        ("shift_supervisor", f"/v1/incidents/{NO_ID}/retract", {}, "reason"),
        ("observer", f"/v1/interventions/{NO_ID}/arrive", {}, "reason"),
        ("shift_supervisor", f"/v1/evidence-holds/{NO_ID}/release", {}, "reason"),
    ],
)
def test_a_reason_that_says_nothing_is_refused(
    site: Site, role: str, path: str, body: dict[str, Any], member: str, blank: str
) -> None:
    problem = refused(
        site.client(role), "POST", path, 422, "body.invalid", json=body | {member: blank}
    )

    assert [error["pointer"] for error in problem["errors"]] == [f"/{member}"]


def test_a_reason_for_a_reading_that_says_nothing_is_refused(site: Site) -> None:
    refused(
        site.client("observer"),
        "GET",
        f"/v1/alarms/{NO_ID}",
        422,
        "access.reason-invalid",
        headers={"access-reason": "%20%C2%A0"},
    )


def test_another_media_type_is_refused(administrator: httpx.Client) -> None:
    body = b'{"site": "a", "name": "x"}'

    for media_type in ("text/plain", "application/xml", "application/merge-patch+json"):
        headers = {"Content-Type": media_type}
        refused(
            administrator,
            "POST",
            "/v1/areas",
            415,
            "media-type.unsupported",
            content=body,
            headers=headers,
        )


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "parameter.invalid"),
        ("limit=501", "parameter.invalid"),
        ("limit=ten", "parameter.invalid"),
        ("limit=", "parameter.invalid"),
        ("limit=1&limit=2", "parameter.invalid"),
        ("site=A%20b", "parameter.invalid"),
        ("area=paradeplatz", "parameter.invalid"),
        ("colour=red", "parameter.invalid"),
        ("cursor=made-up", "cursor.invalid"),
    ],
)
def test_a_bad_parameter_is_named(query: str, code: str, administrator: httpx.Client) -> None:
    problem = refused(administrator, "GET", f"/v1/cameras?{query}", 422, code)

    assert problem["errors"][0]["parameter"] == query.split("=")[0]


# Privacy


def test_a_shift_is_started_listed_and_ended(site: Site) -> None:
    set_positions(site, "Platz 3")
    observer, supervisor = site.client("observer"), site.client("shift_supervisor")
    input = {"reason": "Nachtdienst", "position": "Platz 3", "until": instant(hours=-8)}

    started = call(observer, "POST", "/v1/shifts", 201, json=input)

    assert started["ended_at"] is None and started["reason"] == "Nachtdienst"
    conflict = refused(observer, "POST", "/v1/shifts", 409, "shift.running", json=input)
    assert conflict["current"] == started
    assert pages(observer, "/v1/shifts", running="true") == [started]
    path = f"/v1/shifts/{started['id']}/end"
    ended = call(observer, "POST", path, 200)
    assert ended["ended_at"] is not None
    assert call(supervisor, "POST", path, 200) == ended
    assert pages(observer, "/v1/shifts", running="true") == []
    assert pages(observer, "/v1/shifts", running="false", actor=started["token"]) == [ended]
    refused(observer, "POST", f"/v1/shifts/{NO_ID}/end", 404, "shift.unknown")

    running = call(supervisor, "POST", "/v1/shifts", 201, json=input)
    refused(observer, "POST", f"/v1/shifts/{running['id']}/end", 403, "role.forbidden")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("until", instant(minutes=1)),
        ("until", instant(hours=-17)),
        ("until", "2026-11-24T22:00:00"),
        ("reason", ""),
        ("reason", None),
        ("position", "Platz\n3"),
        ("site", "elsewhere"),
        ("extra", 1),
    ],
)
def test_a_shift_that_is_not_as_described_is_refused(site: Site, member: str, value: Any) -> None:
    input = {"reason": "Nachtdienst", "until": instant(hours=-8)} | {member: value}

    problem = refused(
        site.client("observer"), "POST", "/v1/shifts", 422, "body.invalid", json=input
    )

    assert [error["pointer"] for error in problem["errors"]] == [f"/{member}"]


def test_what_was_done_is_in_the_audit_until_it_is_erased(
    site: Site, administrator: httpx.Client
) -> None:
    alarm = raise_alarm(site)
    call(
        site.client("observer"),
        "POST",
        f"/v1/alarms/{alarm['id']}/comment",
        200,
        json={"text": "Herr M. war dabei."},
    )
    auditor = site.client("auditor")

    entries = pages(auditor, "/v1/audit", subject=alarm["id"], limit=1)

    assert [entry["event"] for entry in entries] == ["alarm.commented", "alarm.raised"]
    comment = entries[0]
    assert comment["note"] == "Herr M. war dabei." and comment["actor"]["role"] == "observer"
    assert pages(auditor, "/v1/audit", event="alarm.commented", role="observer") == [comment]
    assert pages(auditor, "/v1/audit", actor=comment["actor"]["token"]) == [comment]

    order = {"kind": "remark", "id": comment["remark"], "reason": "Antrag"}
    assert call(administrator, "POST", "/v1/erasures", 200, json=order)["erased"] == 1
    assert call(administrator, "POST", "/v1/erasures", 200, json=order)["erased"] == 0
    assert pages(auditor, "/v1/audit", event="alarm.commented") == [comment | {"note": None}]
    missing = order | {"id": NO_ID}
    refused(administrator, "POST", "/v1/erasures", 404, "erasure.unknown", json=missing)


def test_a_name_is_erased_everywhere(site: Site, administrator: httpx.Client) -> None:
    alarm = raise_alarm(site)
    path = f"/v1/alarms/{alarm['id']}"
    held = call(site.client("observer"), "POST", f"{path}/acknowledge", 200)
    holder = held["acknowledged_by"]

    order = {"kind": "staff", "id": holder["token"], "reason": "Versetzung"}
    erased = call(administrator, "POST", "/v1/erasures", 200, json=order)
    assert erased["erased"] == 1

    left = call(site.client("observer"), "GET", path, 200)["acknowledged_by"]
    assert left == holder | {"name": None}
    (token,) = (t for t in pages(administrator, "/v1/tokens") if t["id"] == holder["token"])
    assert token["name"] is None
    area = f"/v1/areas/{site.area}"
    new_name = {"name": "Paradeplatz Süd"}
    call(administrator, "PATCH", area, 200, json=new_name, headers={"If-Match": "*"})
    everything = {"Last-Event-ID": "0.0"}
    with site.client("observer").stream("GET", "/v1/stream", headers=everything) as response:
        told = list(takewhile(lambda event: event["event"] != "area.changed", events(response)))
    assert told[-1]["event"] == "erasure.completed"
    assert json.loads(told[-1]["data"]) == erased
    (acknowledged,) = (e for e in told if e["event"] == "alarm.acknowledged")
    assert json.loads(acknowledged["data"])["acknowledged_by"] == left
    assert problems_of(erased, EVENTS["erasure.completed"]["data"]["$ref"]) == []
    refused(
        site.client("shift_supervisor"),
        "POST",
        f"{path}/acknowledge",
        409,
        "alarm.acknowledged-by-other",
    )


@pytest.mark.parametrize("is_replayed", [True, False])
def test_the_erased_name_of_somebody_of_all_sites_is_told_at_each(
    site: Site, administrator: httpx.Client, server: Server, is_replayed: bool
) -> None:
    with server.client(server.create_token("administrator")) as everywhere:
        token = call(everywhere, "GET", "/v1/tokens/self", 200)["id"]
    observer = site.client("observer")
    raise_alarm(site)
    everything = {"Last-Event-ID": "0.0"}
    with observer.stream("GET", "/v1/stream", headers=everything) as response:
        last = next(e["id"] for e in events(response) if e["event"] == "alarm.raised")

    order = {"kind": "staff", "id": token, "reason": "Versetzung"}
    erased = call(administrator, "POST", "/v1/erasures", 200, json=order)

    since = everything if is_replayed else {"Last-Event-ID": last}
    with observer.stream("GET", "/v1/stream", headers=since) as response:
        of_erasures = (e for e in events(response) if e["event"] == "erasure.completed")
        documents = (json.loads(event["data"]) for event in of_erasures)
        told = next(document for document in documents if document["id"] == token)
    assert told == erased


def test_a_site_that_has_changed_names_who_changed_it(
    site: Site, administrator: httpx.Client, server: Server
) -> None:
    path = f"/v1/sites/{site.id}"
    before = administrator.get(path).headers["etag"]
    own = call(administrator, "GET", "/v1/tokens/self", 200)
    call(administrator, "PATCH", path, 200, json={"name": "New"}, headers={"If-Match": before})
    # What is given away at a site is no change of it.
    judged = raise_alarm(site)["id"]
    call(site.client("observer"), "POST", f"/v1/alarms/{judged}/confirm", 200, json={})
    parameters = {"recipient": "Institute", "legal_basis": "Law", "site": site.id}
    with server.client(server.create_token("administrator")) as another:
        assert another.get("/v1/labels", params=parameters).text

    stale = {"If-Match": before}
    problem = refused(
        administrator, "PATCH", path, 412, "precondition.failed", json={"name": "X"}, headers=stale
    )

    assert problem["changed_by"]["token"] == own["id"]


def test_who_reads_a_single_alarm_is_logged_with_the_reason(
    site: Site, administrator: httpx.Client
) -> None:
    alarm = raise_alarm(site)
    observer, auditor = site.client("observer"), site.client("auditor")
    path = f"/v1/alarms/{alarm['id']}"
    etag = administrator.get(f"/v1/sites/{site.id}").headers["etag"]
    call(
        administrator,
        "PATCH",
        f"/v1/sites/{site.id}",
        200,
        json={"access_reason": "shift"},
        headers={"If-Match": etag},
    )

    refused(observer, "GET", path, 403, "access.reason-missing")
    refused(observer, "GET", f"{path}/history", 403, "access.reason-missing")
    refused(observer, "GET", f"{path}/verdicts", 403, "access.reason-missing")
    reason = {"Access-Reason": "R%C3%BCckfrage"}
    call(observer, "GET", path, 200, headers=reason)
    call(
        observer,
        "POST",
        "/v1/shifts",
        201,
        json={"reason": "Nachtdienst", "until": instant(hours=-8)},
    )
    call(observer, "GET", f"{path}/history", 200)
    refused(
        observer,
        "GET",
        path,
        422,
        "access.reason-invalid",
        headers={"Access-Reason": "%ZZ"},
    )

    accesses = pages(auditor, "/v1/access-log", subject=alarm["id"], action="alarm.read")
    assert [access["reason"] for access in accesses] == ["Nachtdienst", "Rückfrage", None]
    assert pages(auditor, "/v1/access-log", actor=accesses[0]["actor"]["token"], limit=1) == accesses
    assert pages(auditor, "/v1/access-log", to=accesses[-1]["accessed_at"]) == []


def test_a_shift_is_told_what_it_takes_over(site: Site, other_site: Site) -> None:
    open_alarm, closed = raise_alarm(site), raise_alarm(site, pattern="kicking")
    observer = site.client("observer")
    call(observer, "POST", f"/v1/alarms/{closed['id']}/close", 200)

    handover = call(observer, "GET", "/v1/handover", 200)

    assert handover["open"] == {"count": 1, "items": [open_alarm]}
    assert call(observer, "GET", f"/v1/handover?site={site.id}", 200)["site"] == site.id
    refused(observer, "GET", f"/v1/handover?site={other_site.id}", 404, "site.unknown")
