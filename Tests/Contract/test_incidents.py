"""Incidents and interventions from outside: recorded, corrected, retracted, and refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from contract import call, check, refused
from server_under_test import Server, Site, create_site
from test_contract import NO_ID, pages, raise_alarm


def instant(seconds_ago: float) -> str:
    """An instant so long ago, as the server writes it."""
    time = datetime.now(timezone.utc) - timedelta(seconds=seconds_ago)
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def incident(site: Site, **members: Any) -> dict[str, Any]:
    """A new incident with the members given."""
    plain = {"site": site.id, "category": "criminal_offence", "occurred_at": instant(3600)}
    return call(site.client("observer"), "POST", "/v1/incidents", 201, json=plain | members)


def test_an_incident_is_recorded_corrected_assessed_and_retracted(site: Site) -> None:
    observer, supervisor = site.client("observer"), site.client("shift_supervisor")
    occurred = instant(7200)
    one = incident(site, occurred_at=occurred, subcategory="brawl", note="Two persons.")
    path = f"/v1/incidents/{one['id']}"
    assert (one["source"], one["recognised_at"], one["note"]) == (
        "observer",
        occurred,
        "Two persons.",
    )
    assert (one["assessment"], one["assessment_reason"]) == ("not_assessable", "no_pattern")

    read = observer.get(path)
    assert read.json() == one
    fields = {"If-Match": read.headers["etag"]}
    patch = {"reason": "He was drunk.", "category": "hazard_prevention", "subcategory": "drunk"}
    changed = call(observer, "PATCH", path, 200, json=patch, headers=fields)
    assert (changed["category"], changed["subcategory"]) == ("hazard_prevention", "drunk")
    stale = refused(observer, "PATCH", path, 412, "precondition.failed", json=patch, headers=fields)
    entry = pages(observer, f"{path}/history", limit=3)[-1]
    assert stale["changed_by"] == {name: entry["actor"][name] for name in ("token", "name")}
    assert stale["changed_at"] == entry["recorded_at"]
    refused(observer, "PATCH", path, 428, "precondition.missing", json=patch)

    body = {"assessment": "missed", "reason": "Plain to see."}
    assessed = call(observer, "POST", f"{path}/assess", 200, json=body)
    assert (assessed["assessment"], assessed["assessment_reason"]) == ("missed", "overruled")
    assert assessed["computed"]["assessment"] == "not_assessable"

    reason = {"reason": "Entered twice."}
    refused(observer, "POST", f"{path}/retract", 403, "role.forbidden", json=reason)
    retracted = call(supervisor, "POST", f"{path}/retract", 200, json=reason)
    problem = refused(
        supervisor, "POST", f"{path}/retract", 409, "incident.retracted", json=reason
    )
    assert problem["current"] == retracted
    body = {"incident": one["id"], "immediate": True}
    refused(observer, "POST", "/v1/interventions", 409, "incident.retracted", json=body)

    history = pages(observer, f"{path}/history", limit=3)
    assert [(entry["event"], entry["note"]) for entry in history] == [
        ("incident.created", None),
        ("incident.changed", "He was drunk."),
        ("incident.assessed", "Plain to see."),
        ("incident.retracted", "Entered twice."),
    ]
    assert history[-1]["incident"] == retracted


def test_what_interventions_change_of_an_incident_stands_in_its_history(site: Site) -> None:
    observer = site.client("observer")
    one = incident(site, occurred_at=instant(7200))
    path = f"/v1/incidents/{one['id']}"
    body = {"incident": one["id"], "immediate": True, "dispatched_at": instant(3000)}
    sent = call(observer, "POST", "/v1/interventions", 201, json=body)
    target = f"/v1/interventions/{sent['id']}"
    arrival = {"at": instant(2880), "source": "radio_status"}

    def last() -> dict[str, Any]:
        entry = pages(observer, f"{path}/history", limit=3)[-1]
        assert entry["incident"] == call(observer, "GET", path, 200)
        return entry["incident"]

    assert (last()["interventions"], last()["immediate_intervention"]) == ([sent["id"]], True)
    call(observer, "POST", f"{target}/arrive", 200, json=arrival)
    assert last()["first_arrival_at"] == arrival["at"]
    tag = observer.get(path).headers["etag"]
    unit = {"reason": "Funk", "unit": "I 4/2"}
    call(observer, "PATCH", target, 200, json=unit, headers={"If-Match": "*"})
    assert observer.get(path).headers["etag"] == tag
    later = {"reason": "Funk", "immediate": False}
    call(observer, "PATCH", target, 200, json=later, headers={"If-Match": "*"})
    assert last()["immediate_intervention"] is False
    call(observer, "POST", f"{target}/cancel", 200, json={"reason": "Irrtum."})
    assert last()["first_arrival_at"] is None
    events = [entry["event"] for entry in pages(observer, f"{path}/history", limit=3)]
    assert events == ["incident.created"] + ["incident.changed"] * 4


@pytest.mark.parametrize("kind", ["incidents", "interventions", "evidence-holds"])
def test_what_is_sent_again_under_its_key_is_created_once(
    site: Site, kind: str
) -> None:
    observer, other = site.client("observer"), site.client("shift_supervisor")
    alarm = raise_alarm(site, pattern="kicking")
    body: dict[str, Any] = {
        "incidents": {
            "site": site.id,
            "category": "hazard_prevention",
            "occurred_at": instant(60),
            "alarms": [alarm["id"]],
            "note": "Zwei Personen.",
        },
        "interventions": {"incident": incident(site)["id"], "immediate": True},
        "evidence-holds": {
            "camera": site.camera,
            "from": instant(600),
            "to": instant(0),
            "ground": "offence",
            "case_number": "ST/1",
        },
    }[kind]
    key = {"Idempotency-Key": f"0199a2b4-9000-7000-8000-{alarm['id'][-12:]}"}
    path = f"/v1/{kind}"

    first = observer.post(path, json=body, headers=key)
    again = observer.post(path, json=body, headers=key)

    check(first)
    check(again)
    assert (again.status_code, again.json()) == (201, first.json())
    for field in ("location", "etag"):
        assert again.headers[field] == first.headers[field]
    changed = body | ({"immediate": False} if kind == "interventions" else {})
    changed |= {"ground": "other"} if kind == "evidence-holds" else {}
    changed |= {"note": "Drei."} if kind == "incidents" else {}
    refused(observer, "POST", path, 422, "request.key-reused", json=changed, headers=key)
    short = {"Idempotency-Key": "7"}
    refused(observer, "POST", path, 422, "request.key-invalid", json=body, headers=short)
    if kind == "interventions":
        # Another person's key is another key.
        theirs = call(other, "POST", path, 201, json=body, headers=key)
        assert theirs["id"] != first.json()["id"]


def test_what_is_sent_twice_at_once_under_its_key_is_created_once(site: Site) -> None:
    observer = site.client("observer")
    alarm = raise_alarm(site, pattern="pushing")
    body = {"site": site.id, "category": "criminal_offence", "occurred_at": instant(60)}
    key = {"Idempotency-Key": f"0199a2b4-9000-7000-8000-{alarm['id'][-12:]}"}
    linked = body | {"alarms": [alarm["id"]]}

    def send(_: int) -> httpx.Response:
        return observer.post("/v1/incidents", json=linked, headers=key)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_an_intervention_is_dispatched_arrives_and_is_completed(site: Site) -> None:
    observer = site.client("observer")
    one = incident(site, occurred_at=instant(7200))
    body = {
        "incident": one["id"],
        "immediate": True,
        "precinct": "Innenstadt",
        "unit": "I 4/2",
        "dispatched_at": instant(7000),
    }
    sent = call(observer, "POST", "/v1/interventions", 201, json=body)
    path = f"/v1/interventions/{sent['id']}"
    assert (sent["status"], sent["arrived_at"]) == ("dispatched", None)

    arrival = {"at": instant(6900), "source": "radio_status"}
    arrived = call(observer, "POST", f"{path}/arrive", 200, json=arrival)
    assert (arrived["status"], arrived["arrived_at"]) == ("arrived", arrival["at"])
    problem = refused(observer, "POST", f"{path}/arrive", 409, "intervention.already-arrived")
    assert (problem["since"], problem["current"]) == (arrival["at"], arrived)
    shown = call(observer, "GET", f"/v1/incidents/{one['id']}", 200)
    assert (shown["interventions"], shown["immediate_intervention"]) == ([sent["id"]], True)
    assert shown["first_arrival_at"] == arrival["at"] and 299 <= shown["arrival_seconds"] <= 301

    fields = {"If-Match": observer.get(path).headers["etag"]}
    patch = {"reason": "From the report.", "arrived_at": instant(6800)}
    corrected = call(observer, "PATCH", path, 200, json=patch, headers=fields)
    assert (corrected["arrived_at"], corrected["arrival_source"]) == (patch["arrived_at"], "later")
    refused(observer, "PATCH", path, 412, "precondition.failed", json=patch, headers=fields)

    assert call(observer, "POST", f"{path}/complete", 200)["status"] == "completed"
    reason = {"reason": "Wrong place."}
    refused(
        observer, "POST", f"{path}/cancel", 409, "intervention.already-completed", json=reason
    )

    second = call(
        observer, "POST", "/v1/interventions", 201, json=body | {"dispatched_at": None}
    )
    path = f"/v1/interventions/{second['id']}"
    call(observer, "POST", f"{path}/cancel", 200, json=reason)
    refused(observer, "POST", f"{path}/arrive", 409, "intervention.already-cancelled")
    history = pages(observer, f"{path}/history", limit=1)
    assert [(entry["event"], entry["note"]) for entry in history] == [
        ("intervention.created", None),
        ("intervention.cancelled", "Wrong place."),
    ]

    def found(**parameters: Any) -> list[str]:
        items = pages(observer, "/v1/interventions", incident=one["id"], **parameters)
        return [item["id"] for item in items]

    assert found() == [second["id"], sent["id"]]
    assert found(limit=1) == found()
    assert found(status="completed", precinct="Innenstadt", immediate="true") == [sent["id"]]
    assert found(unit="I 4/3") == []
    assert found(**{"from": sent["dispatched_at"], "to": second["dispatched_at"]}) == [sent["id"]]


def test_incidents_are_filtered_by_each_of_their_members(site: Site) -> None:
    observer = site.client("observer")
    alarm = raise_alarm(site)
    seen = incident(
        site, occurred_at=alarm["raised_at"], alarms=[alarm["id"]], pattern="hitting"
    )
    other = incident(site, category="hazard_prevention", subcategory="drunk", outcomes=["warning"])
    assert (seen["source"], seen["recognised_at"]) == ("automatic", alarm["received_at"])
    assert (seen["area"], seen["cameras"]) == (alarm["area"], [alarm["camera"]])
    assert (seen["assessment"], seen["assessment_reason"]) == ("detected", None)

    def found(**parameters: Any) -> list[str]:
        items = pages(observer, "/v1/incidents", **parameters)
        return [item["id"] for item in items if item["id"] in (seen["id"], other["id"])]

    for name in ("area", "source", "pattern", "occurred_at", "recognised_at", "assessment"):
        assert found(**{name: seen[name]}) == [seen["id"]], name
    assert found(alarm=alarm["id"]) == found(camera=alarm["camera"]) == [seen["id"]]
    for name in ("category", "subcategory", "assessment_reason", "created_at"):
        assert found(**{name: other[name]}) == [other["id"]], name
    assert found(outcome="warning") == [other["id"]]
    assert found(outcome="arrest") == found(retracted="true") == []
    assert found(immediate_intervention="true") == found(operating_mode="training") == []
    assert found(**{"from": seen["occurred_at"]}) == [seen["id"]]
    assert found(to=seen["occurred_at"]) == [other["id"]]

    again = {"site": site.id, "category": "criminal_offence", "alarms": [alarm["id"]]}
    problem = refused(
        observer,
        "POST",
        "/v1/incidents",
        409,
        "alarm.in-other-incident",
        json=again | {"occurred_at": alarm["raised_at"]},
    )
    assert problem["incident"] == seen["id"]


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"source": "automatic"}, "/source"),
        ({"occurred_at": instant(-3600)}, "/occurred_at"),
        ({"occurred_at": "1969-12-31T23:59:59Z"}, "/occurred_at"),
        ({"recognised_at": instant(7200)}, "/recognised_at"),
        ({"subcategory": "drunk"}, "/subcategory"),
        ({"outcomes": ["none", "arrest"]}, "/outcomes"),
        ({"outcomes": ["arrest", "arrest"]}, "/outcomes"),
        ({"recognitions": [{"kind": "alarm"}]}, "/recognitions/0/alarm"),
        ({"recognitions": [{"kind": "call"}]}, "/recognitions/0/at"),
        ({"alarms": ["0199a2b0-ffff-7000-8000-ffffffffffff"]}, "/alarms"),
        ({"cameras": ["0199a2b0-ffff-7000-8000-ffffffffffff"]}, "/cameras"),
        ({"area": "0199a2b0-ffff-7000-8000-ffffffffffff"}, "/area"),
        ({"site": "no-such-site"}, "/site"),
    ],
)
def test_an_incident_that_cannot_be_is_refused(
    site: Site, members: dict[str, Any], pointer: str
) -> None:
    body = {"site": site.id, "category": "criminal_offence", "occurred_at": instant(3600)}

    problem = refused(
        site.client("observer"), "POST", "/v1/incidents", 422, "body.invalid", json=body | members
    )

    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_an_intervention_at_a_time_that_cannot_be_is_refused(site: Site) -> None:
    observer = site.client("observer")
    one = incident(site, occurred_at=instant(90_000))
    body = {"incident": one["id"], "immediate": False}

    def pointers(path: str, body: dict[str, Any]) -> list[str]:
        problem = refused(observer, "POST", path, 422, "body.invalid", json=body)
        return [error["pointer"] for error in problem["errors"]]

    for wrong in (instant(90_001), instant(-3600)):
        assert pointers("/v1/interventions", body | {"dispatched_at": wrong}) == ["/dispatched_at"]
    unknown = body | {"incident": "0199a2b0-ffff-7000-8000-ffffffffffff"}
    assert pointers("/v1/interventions", unknown) == ["/incident"]
    sent = call(
        observer, "POST", "/v1/interventions", 201, json=body | {"dispatched_at": instant(80_000)}
    )
    path = f"/v1/interventions/{sent['id']}/arrive"
    assert pointers(path, {"at": instant(80_001)}) == ["/at"]
    assert pointers(path, {"at": instant(-3600)}) == ["/at"]
    assert pointers(path, {"at": instant(40_000)}) == ["/reason"]
    call(observer, "POST", path, 200, json={"at": instant(40_000), "reason": "Siege."})


def test_another_sites_incident_does_not_exist(
    site: Site, server: Server, administrator: httpx.Client
) -> None:
    other = create_site(server, administrator, "incidents-elsewhere")
    one = incident(other)
    observer = site.client("observer")
    path = f"/v1/incidents/{one['id']}"
    reason = {"reason": "None."}

    refused(observer, "GET", path, 404, "incident.unknown")
    refused(observer, "GET", f"{path}/history", 404, "incident.unknown")
    refused(
        observer, "PATCH", path, 404, "incident.unknown", json=reason, headers={"If-Match": "*"}
    )
    body = {"incident": one["id"], "immediate": True}
    problem = refused(observer, "POST", "/v1/interventions", 422, "body.invalid", json=body)
    assert problem["errors"][0]["code"] == "incident.unknown"
    other.close()


def test_an_alarm_is_confirmed_with_its_incident_in_one_change(site: Site) -> None:
    observer, auditor = site.client("observer"), site.client("auditor")
    alarm, other = raise_alarm(site), raise_alarm(site, pattern="kicking")
    matter = {"category": "criminal_offence", "outcomes": ["arrest"]}

    confirmed = call(
        observer, "POST", f"/v1/alarms/{alarm['id']}/confirm", 200, json={"incident": matter}
    )

    assert confirmed["verdict"] == "confirmed"
    incident = call(observer, "GET", f"/v1/incidents/{confirmed['incident']}", 200)
    assert incident["alarms"] == [alarm["id"]]
    assert (incident["source"], incident["assessment"]) == ("automatic", "detected")
    assert (incident["pattern"], incident["area"]) == (alarm["pattern"], alarm["area"])
    assert incident["occurred_at"] == alarm["raised_at"]
    entries = call(auditor, "GET", "/v1/audit", 200)["items"][:3]
    assert [entry["event"] for entry in entries] == [
        "alarm.linked",
        "incident.created",
        "alarm.confirmed",
    ]
    assert len({entry["id"].split(".")[0] for entry in entries}) == 1

    joined = call(
        observer,
        "POST",
        f"/v1/alarms/{other['id']}/confirm",
        200,
        json={"note": "Dieselben.", "incident": {"id": incident["id"]}},
    )
    assert joined["incident"] == incident["id"]
    both = call(observer, "GET", f"/v1/incidents/{incident['id']}", 200)
    assert set(both["alarms"]) == {alarm["id"], other["id"]}


def test_a_confirmation_whose_incident_is_refused_confirms_nothing(site: Site) -> None:
    observer = site.client("observer")
    alarm, taken = raise_alarm(site), raise_alarm(site, pattern="kicking")
    path = f"/v1/alarms/{alarm['id']}/confirm"
    matter = {"category": "criminal_offence"}
    call(observer, "POST", f"/v1/alarms/{taken['id']}/confirm", 200, json={"incident": matter})

    missing = {"incident": {"id": NO_ID}}
    unknown = refused(observer, "POST", path, 422, "incident.unknown", json=missing)
    assert unknown["errors"][0]["pointer"] == "/incident/id"
    other = {"incident": matter | {"alarms": [taken["id"]]}}
    refused(observer, "POST", path, 409, "alarm.in-other-incident", json=other)
    wrong = {"incident": {"category": "noise", "id_": 1}}
    faults = refused(observer, "POST", path, 422, "body.invalid", json=wrong)["errors"]
    assert {fault["pointer"] for fault in faults} == {"/incident/category", "/incident/id_"}
    later = {"incident": matter | {"occurred_at": instant(-7200)}}
    faults = refused(observer, "POST", path, 422, "body.invalid", json=later)["errors"]
    assert [fault["pointer"] for fault in faults] == ["/incident/occurred_at"]

    assert call(observer, "GET", f"/v1/alarms/{alarm['id']}", 200)["verdict"] == "none"
    call(observer, "POST", f"/v1/alarms/{alarm['id']}/close", 200)
    refused(observer, "POST", path, 409, "alarm.already-closed", json={"incident": matter})


def test_a_note_that_was_replaced_is_erased_too(site: Site, administrator: httpx.Client) -> None:
    observer = site.client("observer")
    one = incident(site, note="Herr M. war dabei.")
    path = f"/v1/incidents/{one['id']}"
    correction = {"reason": "Name entfernt", "note": None}
    call(observer, "PATCH", path, 200, json=correction, headers={"If-Match": "*"})
    before = observer.get(f"{path}/history").text
    assert "Herr M." in before

    order = {"kind": "remarks", "id": one["id"], "reason": "Antrag"}
    erased = call(administrator, "POST", "/v1/erasures", 200, json=order)["erased"]

    # The note, and the reason of its correction.
    assert erased == 2
    history = call(observer, "GET", f"{path}/history", 200)["items"]
    assert [entry["event"] for entry in history] == ["incident.created", "incident.changed"]
    assert "Herr M." not in observer.get(f"{path}/history").text


def test_who_reads_a_hold_is_logged(site: Site) -> None:
    observer = site.client("observer")
    period = {"from": instant(3600), "to": instant(0)}
    hold = {"camera": site.camera, "ground": "Strafverfahren", "case_number": "1 Js 1/26"} | period
    path = f"/v1/evidence-holds/{call(observer, 'POST', '/v1/evidence-holds', 201, json=hold)['id']}"

    call(observer, "GET", path, 200)
    call(observer, "GET", f"{path}/detections", 200)

    logged = pages(site.client("auditor"), "/v1/access-log", action="hold.read")
    assert {access["subject"] for access in logged} == {path.rsplit("/", 1)[1]}
    assert len(logged) == 2
