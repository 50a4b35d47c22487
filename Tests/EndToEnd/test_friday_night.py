"""A Friday night in a control centre, played in seconds: in the end every count is the script's own.

The script does everything through the API, keeps its own tally of what it did, and never looks
at the server's figures for it.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from night import (
    AREAS,
    CAMERAS_PER_AREA,
    NODES,
    POSITIONS,
    SITE,
    STEPS,
    WEAK,
    Night,
    Tally,
    ago,
    now,
    walked,
)
from server_under_test import data_directory

#: How often these are journaled depends on how fast the script runs, and on whether an hour ends
#: meanwhile; the stream must tell of each that it tells of.
UNCOUNTED = {
    "alarm.extended",
    "alarm.cleared",
    "alarm-load.recorded",
    "coverage.recorded",
    "detections.counted",
}
#: What the live stream tells of, by the first part of an event's name.
STREAMED = {
    "alarm",
    "area",
    "camera",
    "flood",
    "hold",
    "import",
    "incident",
    "interruption",
    "intervention",
    "mode-window",
    "node",
    "rule",
    "shelving",
    "site",
}
OWNER_ROLE, RUNTIME_ROLE = "leitstand_owner", "leitstand"
FLOOD_ABOVE = 10
STAGE = 5
DEMONSTRATION = 6


def test_every_count_of_a_friday_night_agrees_with_the_script(binary: Path) -> None:
    with data_directory() as directory, ExitStack() as stack:
        night = Night(binary, directory / "data", stack)
        night.open()
        enter_rules(night)
        quiet_evening(night)
        staged_scene(night)
        demonstration(night)
        flood(night)
        chattering_camera(night)
        nobody_acknowledges(night)
        shelved(night)
        lost_node(night)
        observers_at_once(night)
        verdicts(night)
        crash(night)
        many_steps(night)
        incidents(night)
        interventions(night)
        years_before(night)
        evidence(night)
        four_eyes(night)
        shift_change(night)
        quiet_morning(night)
        labels(night)
        erasures(night)
        readings(night)

        check_lists(night)
        check_journal_and_stream(night)
        check_what_was_told(night)


# What happens.


def enter_rules(night: Night) -> None:
    for pattern, members in {
        "vandalism": {"escalate_after_seconds": 1, "priority": "high"},
        "jostling": {"quiet_seconds": 2, "priority": "low"},
        "defensive_posture": {"detections_min": 3, "detections_window_seconds": 10},
    }.items():
        night.do("Erika", "POST", "/v1/rules", {"site": SITE, "pattern": pattern} | members, 201)
        night.tally.count("rule.created")
    for number in range(NODES):
        night.heartbeat(number)


def quiet_evening(night: Night) -> None:
    # Not in area 1, where the flood comes, and too few for one anywhere.
    for area in (0, 0, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6):
        night.see(night.random.randint(1, 5), f"node {area % 2}", area=area)
    for _ in range(20):
        night.see(1, "node 1", confidence=WEAK)
    for area in (0, 2, 3):
        late = {"late": True, "condition": "cleared"}
        night.see(2, area=area, seconds_ago=600, expected=late)

    # Three within the rule's window make one alarm, which counts them all.
    camera, _ = night.claim(area=4)
    scene = night.scene(3, camera=camera, pattern="defensive_posture")
    outcomes = night.post(scene)
    for item, outcome in zip(scene[:2], outcomes[:2], strict=True):
        night.tally.detections[item["id"]] = {
            "camera": item["camera"],
            "pattern": item["pattern"],
            "operating_mode": "production",
            "alarm": outcome["alarm"],
        }
        night.sent.append(item)
    night.take(scene[2:], outcomes[2:], detection_count=3, rule_version=1)

    refused = [
        night.scene(1, camera=0, pattern="lying")[0],
        night.scene(1, camera=0, pattern="hitting")[0] | {"camera": "k70"},
        night.scene(1, camera=0, pattern="hitting", seconds_ago=-3_600)[0],
    ]
    for outcome, code in zip(
        night.post(refused),
        ["detection.pattern-not-permitted", "detection.unknown-camera", "detection.in-future"],
        strict=True,
    ):
        assert (outcome["outcome"], outcome["problem"]["code"]) == ("refused", code)


def staged_scene(night: Night) -> None:
    """Training, whatever the node says: it makes alarms for a worklist and rings nowhere."""
    window = {
        "site": SITE,
        "camera": night.cameras[STAGE],
        "operating_mode": "training",
        "from": ago(60),
        "to": ago(-3_600),
    }
    night.do("Erika", "POST", "/v1/mode-windows", window, 201)
    night.tally.count("mode-window.created")
    for _ in range(3):
        night.see(4, camera=STAGE, expected={"operating_mode": "training"})
    night.free = [pair for pair in night.free if pair[0] != STAGE]


def demonstration(night: Night) -> None:
    """Analysis is off by order in one area; what nodes send from there all the same counts."""
    started = now() - timedelta(seconds=30)
    order = {
        "site": SITE,
        "area": night.areas[DEMONSTRATION],
        "ground": "assembly",
        "from": started.isoformat(),
    }
    interruption = night.do("Erika", "POST", "/v1/interruptions", order, 201)
    night.tally.count("interruption.created")
    night.see(2, area=DEMONSTRATION)

    until = now()
    period = {"from": started.isoformat(), "to": until.isoformat(), "pattern": "hitting"}
    for number, order_holds in ((DEMONSTRATION * CAMERAS_PER_AREA, True), (0, False)):
        parts = list(
            walked(night.client("Anna"), "/v1/coverage", camera=night.cameras[number], **period)
        )
        assert {part["state"] == "off_by_order" for part in parts} == {order_holds}, parts

    night.do("Erika", "POST", f"/v1/interruptions/{interruption['id']}/end")
    night.tally.count("interruption.ended")


def flood(night: Night) -> None:
    rung = Counter(
        position_of(night, alarm) for alarm in night.tally.alarms.values() if alarm["annunciated"]
    )
    assert max(rung.values()) < FLOOD_ABOVE
    # The one that is one too many.
    burst = [night.scene(2, area=1) for _ in range(FLOOD_ABOVE + 1 - rung["Mitte"])]
    alarms = night.see_at_once(burst, "node 0")
    night.wire.wait("flood.started", 1)
    night.tally.count("flood.started")
    groups = {
        item["group"] for item in walked(night.client("Anna"), "/v1/alarms") if item["id"] in alarms
    }
    assert len(groups) == 1

    for number in range(NODES):
        more = [night.scene(3, area=night.random.choice(POSITIONS["Mitte"])) for _ in range(10)]
        night.see_at_once(more, f"node {number}", flood=True)


def position_of(night: Night, alarm: dict[str, Any]) -> str:
    area = night.areas.index(alarm["area"])
    return next(name for name, areas in POSITIONS.items() if area in areas)


def chattering_camera(night: Night) -> None:
    camera, _ = night.claim(area=2)
    for number, seconds_ago in enumerate((6, 3, 0)):
        scene = night.scene(1, camera=camera, pattern="jostling", seconds_ago=seconds_ago)
        night.take(
            scene,
            night.post(scene),
            priority="low",
            rule_version=1,
            flood=True,
            chattering=number == 2,
        )


def nobody_acknowledges(night: Night) -> None:
    for area in (5, 5):
        camera, _ = night.claim(area=area)
        scene = night.scene(1, camera=camera, pattern="vandalism")
        night.take(scene, night.post(scene), priority="high", rule_version=1, overdue=True)
        night.tally.count("alarm.overdue")
    night.wire.wait("alarm.overdue", 2)


def shelved(night: Night) -> None:
    # Of a camera: what is active, and what comes meanwhile. Somebody ends it.
    camera, pattern = night.claim(area=3)
    scene = night.scene(2, camera=camera, pattern=pattern)
    first = night.take(scene, night.post(scene))
    shelving = night.do(
        "Anna",
        "POST",
        "/v1/shelvings",
        {
            "site": SITE,
            "camera": night.cameras[camera],
            "reason": "The fountain is repaired.",
            "until": ago(-3_600),
        },
        201,
    )
    night.tally.count("shelving.created")
    assert first is not None
    night.tally.count("alarm.shelved")
    night.tally.alarms[first]["suppression"] = "shelved"
    second = night.see(2, camera=camera, expected={"suppression": "shelved", "annunciated": False})
    shown = {
        item["id"] for item in walked(night.client("Anna"), "/v1/alarms", suppression="shelved")
    }
    assert shown == {first, second}
    night.do("Bernd", "POST", f"/v1/shelvings/{shelving['id']}/end")
    night.tally.count("shelving.ended")
    rung = [first, second]

    # Of a pattern, and its time runs out.
    night.do(
        "Anna",
        "POST",
        "/v1/shelvings",
        {
            "site": SITE,
            "pattern": "fighting",
            "reason": "Boxers train.",
            "until": ago(-2),
        },
        201,
    )
    night.tally.count("shelving.created")
    scene = night.scene(2, camera=camera, pattern="fighting")
    third = night.take(scene, night.post(scene), suppression="shelved", annunciated=False)
    rung.append(third)
    night.wire.wait("alarm.annunciated", len(rung))
    night.tally.count("shelving.ended")

    for alarm in rung:
        night.tally.count("alarm.unshelved")
        night.tally.count("alarm.annunciated")
        assert alarm is not None
        night.tally.alarms[alarm].update(suppression="none", annunciated=True)


def lost_node(night: Night) -> None:
    """One node is cut off, is told of once, and delivers late what it saw meanwhile."""
    lost = NODES - 1
    night.wire.wait("node.lost", 1)
    night.tally.count("node.lost")
    shown = [node["id"] for node in walked(night.client("Anna"), "/v1/nodes", lost="true")]
    assert shown == [night.nodes[lost]]
    night.do(
        "administrator", "PATCH", f"/v1/nodes/{night.nodes[lost]}", {"heartbeat_seconds": 3_600}
    )
    night.tally.count("node.changed")
    night.heartbeat(lost, blind={lost})
    night.wire.wait("node.returned", 1)
    night.tally.count("node.returned")
    scenes = [night.scene(3, area=area, seconds_ago=120 + area) for area in (0, 3, 5)]
    night.see_at_once(scenes, f"node {lost}", late=True, annunciated=False, condition="cleared")


def observers_at_once(night: Night) -> None:
    for alarm in night.ringing(6):
        answers = night.race(
            *[(who, f"/v1/alarms/{alarm}/acknowledge", None) for who in ("Anna", "Bernd")]
        )
        winner, loser = settled(answers, ("Anna", "Bernd"), "alarm.acknowledged-by-other", night)
        night.stepped(alarm, "acknowledge")
        night.step(loser, alarm, "take-over", {"from": night.tokens[winner][0]})
    for alarm in night.ringing(4):
        positions = {"Clara": "Nord", "Deniz": "Ost"}
        answers = night.race(
            *[
                (who, f"/v1/alarms/{alarm}/assign", {"position": position})
                for who, position in positions.items()
            ]
        )
        winner, loser = settled(answers, ("Clara", "Deniz"), "alarm.assigned-elsewhere", night)
        # The refusal shows the alarm.
        night.tally.accesses[alarm] += loser == "Clara"
        night.stepped(alarm, "assign", position=positions[winner])
    for alarm in night.ringing(2):
        night.step("Anna", alarm, "acknowledge")
        night.step("Anna", alarm, "comment", {"text": "I look at it."})
        night.step("Anna", alarm, "release")


def settled(
    answers: list[httpx.Response], who: tuple[str, str], code: str, night: Night
) -> tuple[str, str]:
    """Who won, and who was told so."""
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    won = [answer.status_code for answer in answers].index(200)
    refused = answers[1 - won].json()
    assert refused["code"] == code
    assert refused["holder"] == {"token": night.tokens[who[won]][0], "name": who[won]}
    assert refused["since"] is not None
    return who[won], who[1 - won]


def verdicts(night: Night) -> None:
    for alarm in night.ringing(4):
        answers = night.race(
            ("Anna", f"/v1/alarms/{alarm}/confirm", None),
            ("Bernd", f"/v1/alarms/{alarm}/dismiss", {"reason": "embrace"}),
        )
        assert [answer.status_code for answer in answers] == [200, 200]
        # Which came last only the server knows.
        given = night.client("Anna").get(f"/v1/alarms/{alarm}/verdicts").json()["items"]
        assert {verdict["verdict"] for verdict in given} == {"confirmed", "dismissed"}
        for verdict in reversed(given):
            night.stepped(
                alarm, {"confirmed": "confirm", "dismissed": "dismiss"}[verdict["verdict"]]
            )
    for alarm in night.ringing(5):
        night.step("Anna", alarm, "dismiss", {"reason": "play", "note": "They know each other."})
    for alarm in night.ringing(4):
        night.step("Clara", alarm, "dismiss", {"reason": "crowd"})
        night.step("Deniz", alarm, "confirm", {"note": "No: somebody fell."})
    staged = [
        id for id, alarm in night.tally.alarms.items() if alarm["operating_mode"] == "training"
    ]
    for alarm in staged[:2]:
        night.step("Bernd", alarm, "confirm")


def crash(night: Night) -> None:
    """The server dies while nodes send, and comes back; they send again what was not answered."""
    scenes = [[night.scene(2, area=night.random.choice(POSITIONS["Mitte"]))] for _ in range(20)]
    answered: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]] = []
    enough = threading.Event()
    client = night.server.client(night.tokens["node 0"][1])

    def send() -> None:
        for [scene] in scenes:
            try:
                answer = client.post("/v1/detections", json=scene)
            except httpx.TransportError:
                return
            if answer.status_code != 200:
                return
            answered.append((scene, answer.json()["items"]))
            if len(answered) == 5:
                enough.set()

    sender = threading.Thread(target=send)
    sender.start()
    assert enough.wait(30)
    night.server.kill()
    sender.join()
    client.close()
    night.crash_and_restart()

    for scene, outcomes in answered:
        night.take(scene, outcomes, flood=True)
    for [scene] in scenes[len(answered) :]:
        night.take(scene, night.post(scene), flood=True)
    # Everything once more.
    for start in range(0, len(night.sent), 1_000):
        again = night.post(night.sent[start : start + 1_000], "node 1")
        assert {outcome["outcome"] for outcome in again} == {"duplicate"}
        for outcome in again:
            assert outcome["alarm"] == night.tally.detections[outcome["id"]]["alarm"]


def many_steps(night: Night) -> None:
    """Many at once: each with an outcome of its own, whatever becomes of its neighbours."""
    closed = night.ringing(12)
    steps: list[dict[str, Any]] = [{"alarm": alarm, "step": "close"} for alarm in closed]
    steps.append({"alarm": closed[0], "step": "acknowledge"})
    steps.append({"alarm": str(uuid.UUID(int=7)), "step": "close"})
    steps.append({"alarm": closed[1], "step": "close"})
    answer = night.do("Erika", "POST", "/v1/alarms/steps", steps)
    assert [item["outcome"] for item in answer["items"]] == (
        ["done"] * len(closed) + ["refused", "unknown", "refused"]
    )
    for alarm in closed:
        night.stepped(alarm, "close")
    night.step("Erika", closed[2], "reopen", {"note": "It goes on."})


def incidents(night: Night) -> None:
    """Forty: of alarms, seen by observers, and called in."""
    tally = night.tally
    confirmed = [
        id
        for id, alarm in tally.alarms.items()
        if alarm["verdict"] == "confirmed" and alarm["operating_mode"] == "production"
    ]
    others = [
        id
        for id, alarm in tally.alarms.items()
        if alarm["operating_mode"] == "production"
        and alarm["verdict"] != "confirmed"
        and not alarm["late"]
    ]
    linked = confirmed + others
    categories = ["criminal_offence", "administrative_offence", "hazard_prevention"]
    for number in range(40):
        category = categories[number % 3]
        new: dict[str, Any] = {"site": SITE, "category": category}
        expected: dict[str, Any] = {"category": category, "subcategory": None}
        if category == "hazard_prevention" and number % 2:
            new["subcategory"] = expected["subcategory"] = "helpless_person"
        if number < 20:
            # Two cameras may have seen the same.
            alarms = [linked.pop(0) for _ in range(2 if number % 5 == 0 else 1)]
            first = tally.alarms[alarms[0]]
            new |= {"alarms": alarms, "occurred_at": ago(600), "area": first["area"]}
            expected |= {"source": "automatic", "alarms": sorted(alarms), "area": first["area"]}
        else:
            camera = night.random.randrange(AREAS * CAMERAS_PER_AREA)
            area = night.areas[camera // CAMERAS_PER_AREA]
            new |= {"occurred_at": ago(300), "cameras": [night.cameras[camera]], "area": area}
            expected |= {"alarms": [], "area": area}
            if number < 32:
                new["recognised_at"] = ago(240)
                expected["source"] = "observer"
            else:
                new["recognitions"] = [
                    {"kind": "observer", "at": ago(100)},
                    {"kind": "call", "at": ago(200)},
                ]
                expected["source"] = "reported"
        made = night.do(("Anna", "Bernd")[number % 2], "POST", "/v1/incidents", new, 201)
        tally.count("incident.created")
        for alarm in expected["alarms"]:
            tally.count("alarm.linked")
            tally.alarms[alarm]["incident"] = made["id"]
        tally.incidents[made["id"]] = expected | {
            "retracted": False,
            "immediate_intervention": False,
            "operating_mode": "production",
        }
    ids = list(tally.incidents)
    for id in ids[3:8]:
        night.do(
            "Clara",
            "PATCH",
            f"/v1/incidents/{id}",
            {"category": "criminal_offence", "subcategory": None, "reason": "A knife was found."},
        )
        if tally.incidents[id]["category"] != "criminal_offence":
            tally.count("incident.changed")
        else:
            # What changes nothing is a reading.
            tally.accesses[id] += 1
        tally.incidents[id] |= {"category": "criminal_offence", "subcategory": None}


def interventions(night: Night) -> None:
    tally = night.tally
    for number, (id, incident) in enumerate(tally.incidents.items()):
        for order in range(number % 3):
            immediate = (number + order) % 2 == 0
            precinct = ("Mitte", "Ost")[number % 2]
            made = night.do(
                "Deniz",
                "POST",
                "/v1/interventions",
                {
                    "incident": id,
                    "immediate": immediate,
                    "precinct": precinct,
                    "unit": f"Streife {order}",
                },
                201,
            )
            tally.count("intervention.created")
            tally.count("incident.changed")
            path = f"/v1/interventions/{made['id']}"
            status = "dispatched"
            if number % 4 == 3:
                night.do("Deniz", "POST", f"{path}/cancel", {"reason": "Nobody was there."})
                tally.count("intervention.cancelled")
                tally.count("incident.changed")
                status = "cancelled"
            elif number % 4:
                night.do("Deniz", "POST", f"{path}/arrive", {"source": "radio_status"})
                tally.count("intervention.arrived")
                tally.count("incident.changed")
                status = "arrived"
                if number % 4 == 2:
                    night.do("Deniz", "POST", f"{path}/complete")
                    tally.count("intervention.completed")
                    status = "completed"
            if status != "cancelled" and immediate:
                incident["immediate_intervention"] = True
            tally.interventions[made["id"]] = {
                "incident": id,
                "immediate": immediate,
                "precinct": precinct,
                "unit": f"Streife {order}",
                "status": status,
            }
    for id in list(tally.interventions)[:3]:
        night.do(
            "Deniz",
            "PATCH",
            f"/v1/interventions/{id}",
            {"precinct": "Nord", "reason": "Another precinct went."},
        )
        tally.interventions[id]["precinct"] = "Nord"
        tally.count("intervention.changed")
    for id in list(tally.incidents)[-3:]:
        night.do("Erika", "POST", f"/v1/incidents/{id}/retract", {"reason": "Entered twice."})
        tally.incidents[id]["retracted"] = True
        tally.count("incident.retracted")
        for alarm in tally.incidents[id]["alarms"]:
            tally.count("alarm.unlinked")
            tally.alarms[alarm]["incident"] = None


def years_before(night: Night) -> None:
    """A history of other years is taken over while nodes send: whole, and once."""
    tally = night.tally
    columns = ["kind", "key", "category", "occurred_at", "recognised_at", "area"]
    columns += ["incident", "immediate", "precinct", "unit", "dispatched_at", "arrived_at"]
    first = datetime(2021, 3, 1, 20, tzinfo=timezone.utc)
    #: By when they happened, since their ids are the server's.
    incidents: dict[datetime, dict[str, Any]] = {}
    interventions: dict[datetime, dict[str, Any]] = {}
    lines = [",".join(columns)]
    for number in range(60):
        at = first + timedelta(days=number)
        recognised = at + timedelta(seconds=30)
        category = ("criminal_offence", "hazard_prevention")[number % 2]
        area = number % AREAS
        times = f"{at.isoformat()},{recognised.isoformat()}"
        lines.append(f"incident,E-{number},{category},{times},Platz {area},,,,,,")
        incidents[at] = {
            "category": category,
            "subcategory": None,
            "source": "observer",
            "alarms": [],
            "area": night.areas[area],
            "retracted": False,
            "immediate_intervention": number % 3 == 0,
            "operating_mode": "production",
        }
        if number % 3 == 0:
            sent, arrived = at + timedelta(minutes=1), at + timedelta(minutes=4)
            when = f"{sent.isoformat()},{arrived.isoformat()}"
            lines.append(f"intervention,I-{number},,,,,E-{number},true,Ost,Streife 9,{when}")
            interventions[sent] = {
                "incident": at,
                "immediate": True,
                "precinct": "Ost",
                "unit": "Streife 9",
                "status": "arrived",
            }
    table = "\n".join(lines)
    client = night.client("Ingrid")

    def take_over(content: str) -> httpx.Response:
        headers = {"Content-Type": "text/csv"}
        return client.post(
            "/v1/imports", params={"site": SITE}, content=content, headers=headers
        )

    wrong = take_over(f"{table}\nincident,E-60,criminal_offence,yesterday,,,,,,,,")
    assert wrong.status_code == 422, wrong.text
    with ThreadPoolExecutor(1) as pool:
        taking = pool.submit(take_over, table)
        for _ in range(10):
            night.see(1, "node 1", confidence=WEAK)
        taken = taking.result()
    assert taken.status_code == 201, taken.text
    report = taken.json()
    assert (report["incidents"], report["interventions"]) == (len(incidents), len(interventions))
    again = take_over(table)
    assert (again.status_code, again.json()["known"]) == (200, len(lines) - 1)
    tally.count("incident.imported", len(incidents))
    tally.count("intervention.imported", len(interventions))
    tally.count("import.completed")

    year = {"from": "2021-01-01T00:00:00Z", "to": "2022-01-01T00:00:00Z"}
    ids: dict[datetime, str] = {}
    for item in walked(night.client("Anna"), "/v1/incidents", **year):
        at = datetime.fromisoformat(item["occurred_at"])
        ids[at] = item["id"]
        tally.incidents[item["id"]] = incidents.pop(at)
    for item in walked(night.client("Anna"), "/v1/interventions", **year):
        expected = interventions.pop(datetime.fromisoformat(item["dispatched_at"]))
        tally.interventions[item["id"]] = expected | {"incident": ids[expected["incident"]]}
    assert (incidents, interventions) == ({}, {})


def shift_change(night: Night) -> None:
    """Those who go say what they leave, and those who come take it over."""
    tally = night.tally
    for who in ("Anna", "Bernd"):
        shift = night.do(
            who,
            "POST",
            "/v1/shifts",
            {
                "site": SITE,
                "position": "Nord",
                "reason": "Night shift.",
                "until": ago(-3_600),
            },
            201,
        )
        tally.count("shift.started")
        night.do(who, "POST", f"/v1/shifts/{shift['id']}/end")
        tally.count("shift.ended")
    left = night.do("Clara", "GET", f"/v1/handover?site={SITE}")
    tally.accesses[SITE] += 1
    rings = [
        alarm
        for alarm in tally.alarms.values()
        if alarm["operating_mode"] == "production" and not alarm["late"]
    ]
    assert {part: left[part]["count"] for part in left if part not in ("site", "at")} == {
        "open": sum(alarm["handling"] != "closed" for alarm in rings),
        "overdue": sum(alarm["overdue"] and alarm["handling"] == "new" for alarm in rings),
        "shelved": 0,
        "floods": 1,
        "blind": 1,
        "lost_nodes": 0,
        "interruptions": 0,
        "holds_due": 1,
    }
    assert left["blind"]["items"][0]["camera"] == night.cameras[NODES - 1]

    held = [id for id, alarm in tally.alarms.items() if alarm["handling"] == "acknowledged"]
    former = {
        item["id"]: item["acknowledged_by"]["token"]
        for item in walked(night.client("Clara"), "/v1/alarms", handling="acknowledged")
    }
    assert set(former) == set(held)
    steps = [{"alarm": id, "step": "take-over", "from": former[id]} for id in held]
    answer = night.do("Clara", "POST", "/v1/alarms/steps", steps)
    assert {item["outcome"] for item in answer["items"]} == {"done"}
    for id in held:
        night.stepped(id, "take-over")


def evidence(night: Night) -> None:
    """Of what two cameras saw two hours ago one is held; then the site keeps one hour only."""
    tally = night.tally
    scenes = [night.scene(5, area=area, seconds_ago=7_200) for area in (0, 3)]
    alarms = night.see_at_once(scenes, "node 0", late=True, annunciated=False, condition="cleared")
    about = {"from": ago(7_260), "to": ago(7_140), "ground": "criminal proceedings"}
    holds = []
    for camera, case_number in (
        (scenes[0][0]["camera"], "ST/0815/26"),
        (night.cameras[0], "ST/0816/26"),
    ):
        new = {"camera": camera, "case_number": case_number, "review_at": ago(-3_600)} | about
        holds.append(night.do("Anna", "POST", "/v1/evidence-holds", new, 201)["id"])
        tally.count("hold.created")
        tally.holds[holds[-1]] = {
            "camera": camera,
            "ground": about["ground"],
            "case_number": case_number,
            "released": False,
        }
    night.do("Erika", "POST", f"/v1/evidence-holds/{holds[1]}/release", {"reason": "Not needed."})
    tally.count("hold.released")
    tally.holds[holds[1]]["released"] = True

    night.do("administrator", "PATCH", f"/v1/sites/{SITE}", {"retention_hours": 1})
    tally.count("site.changed")
    # The server does this every ten minutes.
    with night.database(RUNTIME_ROLE) as runtime:
        while runtime.execute("SELECT run_retention()").fetchone() != (0,):
            pass
    # One row a day (UTC) that had something due.
    due = scenes[0] + scenes[1]
    tally.count("retention.completed", len({item["occurred_at"][:10] for item in due}))
    with night.database(OWNER_ROLE) as owner, pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute("DELETE FROM held_detections")

    for item in due:
        del tally.detections[item["id"]]
    held = walked(night.client("Anna"), f"/v1/evidence-holds/{holds[0]}/detections")
    assert {item["id"] for item in held} == {item["id"] for item in scenes[0]}
    for scene, alarm in zip(scenes, alarms, strict=True):
        assert {(again["outcome"], again["alarm"]) for again in night.post(scene)} == {
            ("duplicate", alarm)
        }


def four_eyes(night: Night) -> None:
    """From now on it takes two to give evidence up, and neither of them is who held it."""
    tally = night.tally
    night.do("administrator", "PATCH", f"/v1/sites/{SITE}", {"four_eyes_release": True})
    tally.count("site.changed")
    new = {
        "camera": night.cameras[1],
        "case_number": "ST/0817/26",
        "from": ago(7_260),
        "to": ago(7_140),
        "ground": "criminal proceedings",
    }
    hold = night.do("Erika", "POST", "/v1/evidence-holds", new, 201)["id"]
    tally.count("hold.created")
    path, reason = f"/v1/evidence-holds/{hold}/release", {"reason": "Not needed."}

    asked = night.do("Frida", "POST", path, reason)
    tally.count("hold.release-requested")
    assert (asked["released_at"], asked["release_requested_by"]["name"]) == (None, "Frida")
    for who in ("Frida", "Erika"):
        refused = night.do(who, "POST", path, reason, 409)
        assert refused["code"] == "hold.needs-another"
    night.hire("Gerda", "shift_supervisor")
    released = night.do("Gerda", "POST", path, reason)
    tally.count("hold.released")
    assert released["released_by"]["name"] == "Gerda"
    tally.holds[hold] = {
        "camera": new["camera"],
        "ground": new["ground"],
        "case_number": new["case_number"],
        "released": True,
    }


def quiet_morning(night: Night) -> None:
    """Nobody sits at the position any more that had the flood, so it ends."""
    in_three_days = f"{now() + timedelta(days=3):%a}".lower()
    positions = [
        {
            "name": name,
            "areas": [night.areas[area] for area in areas],
            "staffed": [{"days": [in_three_days], "from": "00:00", "to": "24:00"}]
            if name == "Mitte"
            else None,
        }
        for name, areas in POSITIONS.items()
    ]
    night.do("administrator", "PATCH", f"/v1/sites/{SITE}", {"positions": positions})
    night.tally.count("site.changed")
    night.wire.wait("flood.ended", 1)
    night.tally.count("flood.ended")
    left = night.do("Clara", "GET", f"/v1/handover?site={SITE}")
    night.tally.accesses[SITE] += 1
    assert left["floods"] == {"count": 0, "items": []}


def labels(night: Night) -> None:
    """Each verdict is a label for training, and a changed one says which it replaces."""
    parameters = {"recipient": "University", "legal_basis": "§ 44 (11)", "limit": 500}
    answer = night.client("administrator").get("/v1/labels", params=parameters)
    assert answer.status_code == 200 and "next" not in answer.links, answer.text
    lines = [json.loads(line) for line in answer.text.splitlines()]
    given: dict[str, list[str]] = {}
    last: dict[str, str] = {}
    for label in lines:
        given.setdefault(label["subject"], []).append(label["verdict"])
        assert label["supersedes"] == last.get(label["subject"])
        last[label["subject"]] = label["id"]
        alarm = night.tally.alarms[label["subject"]]
        assert len(label["detections"]) == alarm["detection_count"]
        assert label["cameras"] == [alarm["camera"]]
    assert given == night.tally.verdicts
    night.tally.count("labels.disclosed")
    # What is given away is pinned, alarm by alarm.
    night.tally.count("hold.created", len(given))
    pinned = list(walked(night.client("Anna"), "/v1/evidence-holds", ground="training"))
    assert Counter(hold["camera"] for hold in pinned) == Counter(
        night.tally.alarms[alarm]["camera"] for alarm in given
    )


def erasures(night: Night) -> None:
    """What was written about an alarm is erased, and the name of somebody who has left."""
    tally = night.tally
    alarm = next(id for id, told in tally.told.items() if ("alarm.commented", "I look at it.") in told)
    written = [text for _, text in tally.told[alarm] if text is not None]
    deniz = night.tokens["Deniz"][0]
    for kind, id, count in (("remarks", alarm, len(written)), ("staff", deniz, 1)):
        order = {"kind": kind, "id": id, "reason": "Asked for."}
        assert night.do("Ingrid", "POST", "/v1/erasures", order)["erased"] == count
        tally.count("erasure.completed")
    tally.told[alarm] = [(event, None) for event, _ in tally.told[alarm]]
    night.names[deniz] = None


def readings(night: Night) -> None:
    """Who reads a single matter leaves a trace."""
    for resource, ids in (
        ("alarms", night.tally.alarms),
        ("incidents", night.tally.incidents),
        ("interventions", night.tally.interventions),
    ):
        for id in list(ids)[:3]:
            night.do("Clara", "GET", f"/v1/{resource}/{id}")
            night.tally.accesses[id] += 1


# What must be true in the end.


def check_list(
    client: httpx.Client, path: str, expected: dict[str, dict[str, Any]], *filters: str
) -> None:
    """The list has exactly what the script counted: whole, and by each value of each filter."""
    shown = {item["id"]: item for item in walked(client, path)}
    assert set(shown) == set(expected), path
    for name in filters:
        values = {member[name] for member in expected.values()} - {None}
        assert values, name
        for value in values:
            text = str(value).lower() if isinstance(value, bool) else value
            found = {item["id"] for item in walked(client, path, **{name: text})}
            assert found == {id for id, member in expected.items() if member[name] == value}, (
                f"{path}?{name}={value}"
            )


def check_lists(night: Night) -> None:
    tally: Tally = night.tally
    anna = night.client("Anna")
    check_list(anna, "/v1/detections", tally.detections, "camera", "pattern")
    check_list(
        anna,
        "/v1/alarms",
        tally.alarms,
        "area",
        "camera",
        "pattern",
        "operating_mode",
        "handling",
        "verdict",
        "suppression",
        "position",
        "priority",
        "late",
        "annunciated",
        "overdue",
        "chattering",
        "stale",
        "flood",
        "detection_count",
        "max_confidence",
    )
    for item in walked(anna, "/v1/alarms"):
        expected = tally.alarms[item["id"]]
        for name in set(expected) & set(item):
            assert item[name] == expected[name], f"{name} of {item}"
    for alarm, given in tally.verdicts.items():
        shown = [item["verdict"] for item in walked(anna, f"/v1/alarms/{alarm}/verdicts")]
        assert shown == given[::-1]
    check_list(
        anna,
        "/v1/incidents",
        tally.incidents,
        "area",
        "category",
        "subcategory",
        "source",
        "operating_mode",
        "retracted",
        "immediate_intervention",
    )
    for item in walked(anna, "/v1/incidents"):
        assert sorted(item["alarms"]) == tally.incidents[item["id"]]["alarms"]
    own = walked(anna, "/v1/evidence-holds", ground="criminal proceedings")
    assert {hold["id"] for hold in own} == set(tally.holds)
    for name in ("camera", "case_number", "released"):
        for value in {hold[name] for hold in tally.holds.values()}:
            text = str(value).lower() if isinstance(value, bool) else value
            found = walked(
                anna, "/v1/evidence-holds", ground="criminal proceedings", **{name: text}
            )
            assert {hold["id"] for hold in found} == {
                id for id, hold in tally.holds.items() if hold[name] == value
            }
    check_list(
        anna,
        "/v1/interventions",
        tally.interventions,
        "incident",
        "immediate",
        "precinct",
        "unit",
        "status",
    )


def check_journal_and_stream(night: Night) -> None:
    """The journal has one row for each thing that was done, and the stream told of each once."""
    with night.database(OWNER_ROLE) as owner:
        journal = owner.execute(
            """
            SELECT p.position || '.' || j.ordinal, j.event FROM journal j JOIN positions p
            USING (change) WHERE j.site = %s ORDER BY p.position, j.ordinal
            """,
            (SITE,),
        ).fetchall()
    counted = Counter(event for _, event in journal)
    assert {e: n for e, n in counted.items() if e not in UNCOUNTED} == dict(night.tally.events)

    felix = night.client("Felix")
    for event, count in night.tally.events.items():
        entries = list(walked(felix, "/v1/audit", event=event))
        assert len(entries) == count, event
        for actor in (entry["actor"] for entry in entries if entry["actor"] is not None):
            assert night.names.get(actor["token"], actor["name"]) == actor["name"]
    clara = night.tokens["Clara"][0]
    read = Counter(access["subject"] for access in walked(felix, "/v1/access-log", actor=clara))
    assert read == night.tally.accesses

    streamed = [
        entry
        for entry in journal
        # Of an import the stream tells as a whole.
        if entry[1].split(".")[0] in STREAMED and not entry[1].endswith(".imported")
    ]
    night.wire.wait_for_id(streamed[-1][0])
    told = [(event.id, event.name) for event in night.wire.events]
    assert told[: len(streamed)] == streamed


def check_what_was_told(night: Night) -> None:
    """The journal has what was done to each alarm in its order, with what is not erased of the texts."""
    felix = night.client("Felix")
    events = {f"alarm.{event}" for event in STEPS.values()}
    for alarm, told in night.tally.told.items():
        entries = [
            (entry["event"], entry["note"])
            for entry in walked(felix, "/v1/audit", subject=alarm)
            if entry["event"] in events
        ]
        assert entries[::-1] == told, alarm
