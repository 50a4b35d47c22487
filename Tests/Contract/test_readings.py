"""Whoever is shown a single thing stands in the access log, or in the journal by changing it."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from contract import call
from server_under_test import Server, Site, create_site
from test_contract import detection, instant, pages, set_positions

ANY = {"If-Match": "*"}
REASON = {"Access-Reason": "R%C3%BCckfrage"}


class Scene:
    """Things of a site, and who deals with them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.auditor = site.client("auditor")
        set_positions(site, "Platz 1", "Platz 2")

    def alarm(self, *steps: str, pattern: str = "hitting", **body: Any) -> str:
        """The path of an alarm on which these steps were taken."""
        node = self.site.client("node")
        posted = call(node, "POST", "/v1/detections", 201, json=detection(self.site, pattern=pattern))
        path = f"/v1/alarms/{posted['alarm']}"
        for step in steps:
            call(self.site.client("observer"), "POST", f"{path}/{step}", 200, json=body)
        return path

    def incident(self) -> str:
        body = {
            "site": self.site.id,
            "category": "criminal_offence",
            "occurred_at": instant(hours=1),
        }
        made = call(self.site.client("observer"), "POST", "/v1/incidents", 201, json=body)
        return f"/v1/incidents/{made['id']}"

    def retracted(self) -> str:
        path = self.incident()
        call(self.site.client("shift_supervisor"), "POST", f"{path}/retract", 200, json=WHY)
        return path

    def intervention(self, *steps: str) -> str:
        observer = self.site.client("observer")
        body = {"incident": self.incident().rsplit("/", 1)[1], "immediate": True}
        made = call(observer, "POST", "/v1/interventions", 201, json=body)
        path = f"/v1/interventions/{made['id']}"
        for step in steps:
            call(observer, "POST", f"{path}/{step}", 200)
        return path

    def hold(self) -> str:
        body = {"camera": self.site.camera, "ground": "offence", "holder": "KHK Muster"}
        body |= {"from": instant(hours=1), "to": instant(hours=-1), "review_at": REVIEW}
        made = call(self.site.client("observer"), "POST", "/v1/evidence-holds", 201, json=body)
        return f"/v1/evidence-holds/{made['id']}"

    def released(self) -> str:
        path = self.hold()
        call(self.site.client("shift_supervisor"), "POST", f"{path}/release", 200, json=WHY)
        return path

    def camera(self) -> str:
        return f"/v1/cameras/{self.site.camera}"

    def logged(self, path: str) -> list[dict[str, Any]]:
        """The readings of what is at the path, newest first, without those that `journaled` makes."""
        readings = pages(self.auditor, "/v1/access-log", subject=path.split("/")[3])
        return [reading for reading in readings if reading["action"] != "journal.read"]

    def journaled(self, path: str) -> int:
        entries = call(
            self.auditor,
            "GET",
            "/v1/audit",
            200,
            params={"subject": path.split("/")[3], "limit": 500},
            headers=REASON,
        )
        return len(entries["items"])

    def demand_reason(self) -> None:
        path = f"/v1/sites/{self.site.id}"
        rule = {"access_reason": "request"}
        call(self.site.administrator, "PATCH", path, 200, json=rule, headers=ANY)


WHY = {"reason": "Doppelt erfasst."}
REVIEW = instant(hours=-20)

#: What shows a thing and changes nothing: how it comes to that, who wants what, and the answer.
SHOWN = [
    ("alarm", lambda s: s.alarm(), "observer", "GET", "", None, 200, "alarm.read"),
    ("alarm's history", lambda s: s.alarm(), "observer", "GET", "/history", None, 200, "alarm.read"),
    ("alarm's verdicts", lambda s: s.alarm(), "observer", "GET", "/verdicts", None, 200, "alarm.read"),
    ("acknowledged by the same", lambda s: s.alarm("acknowledge"), "observer", "POST", "/acknowledge", {}, 200, "alarm.read"),
    ("acknowledged by another", lambda s: s.alarm("acknowledge"), "shift_supervisor", "POST", "/acknowledge", {}, 409, "alarm.read"),
    ("not acknowledged", lambda s: s.alarm(), "observer", "POST", "/release", {}, 409, "alarm.read"),
    ("closed and confirmed", lambda s: s.alarm("close"), "observer", "POST", "/confirm", {}, 409, "alarm.read"),
    ("closed and dismissed", lambda s: s.alarm("close"), "observer", "POST", "/dismiss", {"reason": "crowd"}, 409, "alarm.read"),
    ("closed and shelved", lambda s: s.alarm("close"), "observer", "POST", "/shelve", {"reason": "Bühne", "until": instant(hours=-1)}, 409, "alarm.read"),
    ("closed twice", lambda s: s.alarm("close"), "observer", "POST", "/close", {}, 409, "alarm.read"),
    ("open and reopened", lambda s: s.alarm(), "observer", "POST", "/reopen", {}, 409, "alarm.read"),
    ("closed, confirmed with incident", lambda s: s.alarm("close"), "observer", "POST", "/confirm", {"incident": {"category": "criminal_offence"}}, 409, "alarm.read"),
    ("assigned elsewhere", lambda s: s.alarm("assign", position="Platz 1"), "shift_supervisor", "POST", "/assign", {"position": "Platz 2"}, 409, "alarm.read"),
    ("incident", lambda s: s.incident(), "observer", "GET", "", None, 200, "incident.read"),
    ("incident's history", lambda s: s.incident(), "observer", "GET", "/history", None, 200, "incident.read"),
    ("incident as it is", lambda s: s.incident(), "observer", "PATCH", "", {"category": "criminal_offence"} | WHY, 200, "incident.read"),
    ("retracted and corrected", lambda s: s.retracted(), "observer", "PATCH", "", {"category": "criminal_offence"} | WHY, 409, "incident.read"),
    ("retracted and assessed", lambda s: s.retracted(), "observer", "POST", "/assess", {"assessment": "missed"} | WHY, 409, "incident.read"),
    ("retracted twice", lambda s: s.retracted(), "shift_supervisor", "POST", "/retract", WHY, 409, "incident.read"),
    ("intervention", lambda s: s.intervention(), "observer", "GET", "", None, 200, "intervention.read"),
    ("intervention's history", lambda s: s.intervention(), "observer", "GET", "/history", None, 200, "intervention.read"),
    ("intervention as it is", lambda s: s.intervention(), "observer", "PATCH", "", {"immediate": True} | WHY, 200, "intervention.read"),
    ("arrived twice", lambda s: s.intervention("arrive"), "observer", "POST", "/arrive", {}, 409, "intervention.read"),
    ("completed twice", lambda s: s.intervention("complete"), "observer", "POST", "/complete", {}, 409, "intervention.read"),
    ("completed and cancelled", lambda s: s.intervention("complete"), "observer", "POST", "/cancel", WHY, 409, "intervention.read"),
    ("hold", lambda s: s.hold(), "observer", "GET", "", None, 200, "hold.read"),
    ("hold's detections", lambda s: s.hold(), "observer", "GET", "/detections", None, 200, "hold.read"),
    ("hold as it is", lambda s: s.hold(), "observer", "PATCH", "", {"review_at": REVIEW}, 200, "hold.read"),
    ("released and reviewed", lambda s: s.released(), "observer", "PATCH", "", {"review_at": REVIEW}, 409, "hold.read"),
    ("released twice", lambda s: s.released(), "shift_supervisor", "POST", "/release", WHY, 409, "hold.read"),
    ("camera", lambda s: s.camera(), "observer", "GET", "", None, 200, "live-address.read"),
    ("camera as it is", lambda s: s.camera(), "administrator", "PATCH", "", {}, 200, "live-address.read"),
]


@pytest.mark.parametrize(
    ("make", "role", "method", "suffix", "body", "status", "action"),
    [row[1:] for row in SHOWN],
    ids=[row[0] for row in SHOWN],
)
def test_what_shows_a_thing_and_changes_nothing_is_a_reading(
    site: Site,
    make: Any,
    role: str,
    method: str,
    suffix: str,
    body: Any,
    status: int,
    action: str,
) -> None:
    scene = Scene(site)
    path = make(scene)
    wanted = {} if body is None else {"json": body}
    before, changes = scene.logged(path), scene.journaled(path)

    def ask(expected: int, **headers: str) -> Any:
        fields = (ANY if method == "PATCH" else {}) | headers
        return call(site.client(role), method, path + suffix, expected, headers=fields, **wanted)

    shown = ask(status)

    logged = scene.logged(path)
    assert len(logged) == len(before) + 1
    assert (logged[0]["action"], logged[0]["actor"]["role"]) == (action, role)
    assert scene.journaled(path) == changes
    if status == 409:
        assert shown["current"] is not None

    scene.demand_reason()
    withheld = ask(403 if status == 200 else 409)
    assert withheld["code"] == ("access.reason-missing" if status == 200 else shown["code"])
    if status == 409:
        assert withheld["current"] is None
    assert len(scene.logged(path)) == len(before) + 1
    assert ask(status, **REASON).get("current") == shown.get("current")
    assert scene.logged(path)[0]["reason"] == "Rückfrage"


def test_what_changes_something_is_in_the_journal_and_in_no_access_log(site: Site) -> None:
    scene = Scene(site)
    scene.demand_reason()

    paths = [
        scene.alarm("acknowledge", "release", "close", "reopen"),
        scene.retracted(),
        scene.intervention("arrive", "complete"),
        scene.released(),
    ]

    assert [scene.logged(path) for path in paths] == [[], [], [], []]
    assert [scene.journaled(path) for path in paths] == [5, 2, 3, 2]


def test_refusals_among_many_steps_show_their_alarms_as_readings(site: Site) -> None:
    scene, observer = Scene(site), site.client("observer")
    closed, other = scene.alarm("close"), scene.alarm(pattern="kicking")
    steps = [
        {"alarm": closed.rsplit("/", 1)[1], "step": "close"},
        {"alarm": other.rsplit("/", 1)[1], "step": "close"},
    ]

    first = call(observer, "POST", "/v1/alarms/steps", 200, json=steps[:2])["items"]

    assert [item["outcome"] for item in first] == ["refused", "done"]
    assert first[0]["problem"]["current"]["handling"] == "closed"
    assert [len(scene.logged(path)) for path in (closed, other)] == [1, 0]
    scene.demand_reason()
    again = call(observer, "POST", "/v1/alarms/steps", 200, json=steps)["items"]
    assert [item["problem"]["current"] for item in again] == [None, None]
    assert [len(scene.logged(path)) for path in (closed, other)] == [1, 0]
    call(observer, "POST", "/v1/alarms/steps", 200, json=steps, headers=REASON)
    assert [len(scene.logged(path)) for path in (closed, other)] == [2, 1]


def test_a_handover_is_a_reading_of_the_holds_that_it_shows(site: Site) -> None:
    scene, observer = Scene(site), site.client("observer")
    due = scene.hold().rsplit("/", 1)[1]

    handover = call(observer, "GET", "/v1/handover", 200)

    assert [hold["id"] for hold in handover["holds_due"]["items"]] == [due]
    (logged,) = pages(scene.auditor, "/v1/access-log", action="handover.read")
    assert (logged["subject"], logged["shown"]) == (site.id, [due])
    assert pages(scene.auditor, "/v1/access-log", subject=due) == [logged]
    assert pages(scene.auditor, "/v1/access-log", subject=site.id) == [logged]
    scene.demand_reason()
    refused = call(observer, "GET", "/v1/handover", 403)
    assert refused["code"] == "access.reason-missing"
    call(observer, "GET", "/v1/handover", 200, headers=REASON)
    assert len(pages(scene.auditor, "/v1/access-log", subject=due)) == 2


def test_each_text_of_a_history_is_erased_by_the_id_that_stands_with_it(
    site: Site, administrator: httpx.Client
) -> None:
    scene, observer = Scene(site), site.client("observer")
    path = scene.incident()
    correction = {"note": "Herr M. war dabei."} | WHY
    call(observer, "PATCH", path, 200, json=correction, headers=ANY)
    changed = call(observer, "GET", f"{path}/history", 200)["items"][1]
    assert (changed["note"], changed["incident"]["note"]) == (WHY["reason"], correction["note"])

    for id, left in (
        (changed["remarks"]["note"], (WHY["reason"], None)),
        (changed["remark"], (None, None)),
    ):
        order = {"kind": "remark", "id": id, "reason": "Antrag"}
        assert call(administrator, "POST", "/v1/erasures", 200, json=order)["erased"] == 1
        changed = call(observer, "GET", f"{path}/history", 200)["items"][1]
        assert (changed["note"], changed["incident"]["note"]) == left


def audit(scene: Scene, status: int = 200, **parameters: str) -> Any:
    """A page of the journal as the site's auditor gets it, with a reason unless it is refused."""
    headers = {} if status == 403 else REASON
    return call(scene.auditor, "GET", "/v1/audit", status, params=parameters, headers=headers)


def test_a_page_of_the_journal_is_a_reading_of_what_it_shows(site: Site) -> None:
    scene = Scene(site)
    alarm, other = (scene.alarm(pattern=p).split("/")[3] for p in ("hitting", "kicking"))
    incident = scene.incident().split("/")[3]
    [entry] = audit(scene, subject=incident)["items"]
    scene.demand_reason()

    asked = [
        {"subject": alarm},
        {"request_id": entry["request_id"]},
        {"actor": entry["actor"]["token"]},
        {"event": "alarm.raised"},
        {"role": "observer"},
        {"limit": "1", "event": "alarm.raised"},
        {},
    ]
    shown = [
        (alarm, set()),
        (site.id, {incident}),
        (site.id, {incident}),
        (site.id, {alarm, other}),
        (site.id, {incident}),
        (site.id, {other}),
    ]
    for parameters in asked:
        refused = audit(scene, 403, **parameters)
        assert refused["code"] == "access.reason-missing"
        audit(scene, **parameters)

    logged = pages(scene.auditor, "/v1/access-log", action="journal.read")[::-1]
    assert len(logged) == 1 + len(asked)
    assert (logged[0]["subject"], logged[0]["reason"]) == (incident, "Rückfrage")
    assert [(row["subject"], set(row["shown"])) for row in logged[1:-1]] == shown
    assert logged[-1]["subject"] == site.id
    assert {alarm, other, incident} <= set(logged[-1]["shown"])
    assert {row["actor"]["role"] for row in logged} == {"auditor"}
    of_the_alarm = [row for row in logged if alarm in [row["subject"], *row["shown"]]]
    assert pages(scene.auditor, "/v1/access-log", subject=alarm)[::-1] == of_the_alarm


def test_a_page_of_the_journal_that_shows_nothing_is_no_reading(site: Site) -> None:
    scene = Scene(site)
    scene.demand_reason()

    page = call(scene.auditor, "GET", "/v1/audit", 200, params={"subject": str(uuid.uuid4())})

    assert page["items"] == []
    assert pages(scene.auditor, "/v1/access-log") == []


def test_the_journal_of_several_sites_is_read_at_each_or_at_none(
    server: Server, administrator: httpx.Client, site: Site
) -> None:
    other = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
    with server.client(server.create_token("auditor")) as auditor:
        scenes = [Scene(site), Scene(other)]
        matters = [scene.incident().split("/")[3] for scene in scenes]
        scenes[1].demand_reason()
        made = {"event": "incident.created", "limit": "2"}

        refused = call(auditor, "GET", "/v1/audit", 403, params=made)
        assert refused["code"] == "access.reason-missing"
        logs = [pages(scene.auditor, "/v1/access-log") for scene in scenes]
        assert logs == [[], []]

        call(auditor, "GET", "/v1/audit", 200, params=made, headers=REASON)
        for scene, matter in zip(scenes, matters, strict=True):
            [row] = pages(scene.auditor, "/v1/access-log")
            assert (row["action"], row["subject"]) == ("journal.read", scene.site.id)
            assert row["shown"] == [matter]

        # Of no site, so it concerns all.
        token = {"event": "token.created", "limit": "500"}
        entries = call(auditor, "GET", "/v1/audit", 200, params=token, headers=REASON)["items"]
        common = {entry["subject"] for entry in entries if entry["site"] is None}
        assert common
        for scene in scenes:
            assert common <= set(pages(scene.auditor, "/v1/access-log")[0]["shown"])
    other.close()


def test_a_shift_has_a_position_of_its_site_or_none(site: Site) -> None:
    set_positions(site, "Platz 1")
    shift = {"reason": "Nachtdienst", "until": instant(hours=-8)}
    observer = site.client("observer")

    refusal = call(observer, "POST", "/v1/shifts", 422, json=shift | {"position": "Herr M."})

    assert [(e["pointer"], e["code"]) for e in refusal["errors"]] == [
        ("/position", "position.unknown")
    ]
    call(observer, "POST", "/v1/shifts", 201, json=shift | {"position": "Platz 1"})
