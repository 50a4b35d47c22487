"""Figures from outside: what they mean, what they are, how they are written, and what is refused."""

from __future__ import annotations

import csv
import hashlib
import io
import subprocess
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo
from typing import Any

import httpx
import pytest
from contract import call, refused
from server_under_test import Server, Site, create_site, environment, place_of_data

PERIOD = {"from": "2026-03-01", "to": "2026-05-01"}
#: Of the alarm load, what only whole positions have.
POSITION_MEASURES = (
    "windows",
    "mean_per_ten_minutes",
    "windows_above_ten",
    "share_above_ten",
    "peak_ten_minutes",
    "floods",
    "flood_minutes",
)


def incident(site: Site, occurred_at: str, **members: Any) -> dict[str, Any]:
    """A new incident at an instant."""
    plain = {"site": site.id, "category": "criminal_offence", "occurred_at": occurred_at}
    return call(site.client("observer"), "POST", "/v1/incidents", 201, json=plain | members)


def intervention(site: Site, matter: dict[str, Any], dispatched_at: str) -> dict[str, Any]:
    """A unit sent at once."""
    body = {"incident": matter["id"], "immediate": True, "dispatched_at": dispatched_at}
    return call(site.client("observer"), "POST", "/v1/interventions", 201, json=body)


def ask(site: Site, metric: str, **parameters: str) -> dict[str, Any]:
    """The answer that a statistician gets."""
    return call(
        site.client("statistician"),
        "GET",
        f"/v1/statistics/{metric}",
        200,
        params=PERIOD | parameters,
    )


def test_the_definitions_say_since_when_each_metric_is_recorded(site: Site) -> None:
    incident(site, "2026-03-10T11:30:00Z")

    for role in ("statistician", "auditor"):
        listed = call(site.client(role), "GET", "/v1/statistics", 200)
        metrics = {item["metric"]: item for item in listed["items"]}
        since = metrics["incidents"]["recorded_since"]
        assert (since[0]["site"], since[0]["at"]) == (site.id, "2026-03-09T23:00:00.000000Z")
    refused(site.client("auditor"), "GET", "/v1/statistics/incidents", 403, "role.forbidden")


def test_matters_and_arrivals_are_counted_on_their_local_day(site: Site) -> None:
    first = incident(site, "2026-03-29T00:30:00Z")
    incident(site, "2026-03-31T21:59:59Z", category="hazard_prevention", subcategory="drunk")
    incident(site, "2026-03-31T22:00:00Z")
    incident(site, "2026-04-02T12:00:00Z", operating_mode="training")
    sent = intervention(site, first, "2026-03-29T00:31:00Z")
    call(
        site.client("observer"),
        "POST",
        f"/v1/interventions/{sent['id']}/arrive",
        200,
        json={"at": "2026-03-29T00:33:00Z"},
    )

    by_month = ask(site, "incidents", group_by="month", compare="previous_full_year")
    assert [(c["group"]["month"], c["known_part"]) for c in by_month["cells"][:1]] == [
        ("2026-03", {"count": 2})
    ]
    assert by_month["cells"][0]["values"] == {"count": "partial"}
    assert by_month["cells"][1] == {"group": {"month": "2026-04"}, "values": {"count": 1}}
    assert by_month["left_out"]["operating_modes"]["training"] == 1
    year = by_month["comparisons"][0]
    assert year["unequal_lengths"] and year["total"] == {"values": {"count": "not_recorded"}}
    assert year["periods"][0]["from"] == "2024-12-31T23:00:00.000000Z"

    april = {"from": "2026-03-29", "to": "2026-05-01"}
    immediate = ask(site, "incidents-with-immediate-intervention", **april)
    assert immediate["total"] == {"values": {"count": 1}}
    assert ask(site, "interventions", **april)["total"] == {"values": {"count": 1}}
    times = ask(site, "arrival-times", **april)["total"]["values"]
    assert (times["known"], times["missing"], times["median_seconds"]) == (1, 0, 180)
    times = ask(site, "arrival-times", clock="dispatch", **april)["total"]["values"]
    assert times["mean_seconds"] == 120
    categories = ask(site, "incidents", group_by="category,monitored", **april)
    assert {
        (c["group"]["category"], c["group"]["monitored"]): c["values"]["count"]
        for c in categories["cells"]
        if c["values"]["count"] > 0
    } == {("criminal_offence", None): 2, ("hazard_prevention", None): 1}


def alarm(site: Site, **members: Any) -> str:
    """The id of the alarm that a detection raises now."""
    sent = {
        "id": str(uuid.uuid4()),
        "camera": site.camera,
        "pattern": "hitting",
        "confidence": 0.95,
        "occurred_at": datetime.now(timezone.utc).isoformat(),
    }
    answer = call(site.client("node"), "POST", "/v1/detections", 201, json=sent | members)
    return str(answer["alarm"])


def test_what_became_of_an_alarm_counts_on_the_day_of_its_raise(site: Site) -> None:
    observer = site.client("observer")
    first = alarm(site)
    call(observer, "POST", f"/v1/alarms/{first}/dismiss", 200, json={"reason": "play"})
    second = alarm(site, pattern="kicking")
    body = {"incident": {"category": "criminal_offence"}}
    call(observer, "POST", f"/v1/alarms/{second}/confirm", 200, json=body)

    day = datetime.now(timezone.utc)
    period = {
        "from": (day - timedelta(days=2)).date().isoformat(),
        "to": (day + timedelta(days=2)).date().isoformat(),
    }
    funnel = ask(site, "alarm-funnel", group_by="dismissal_reason,pattern", **period)
    stages = {
        tuple(cell["group"].values()): cell["known_part"]
        for cell in funnel["cells"]
        if cell["known_part"]["alarms"]
    }
    assert {key: (cell["confirmed"], cell["dismissed"]) for key, cell in stages.items()} == {
        ("play", "hitting"): (0, 1),
        (None, "kicking"): (1, 0),
    }
    assert stages[None, "kicking"]["with_incident"] == 1
    assert stages["play", "hitting"]["detections"] is None
    assert funnel["total"]["values"]["alarms"] == "partial"
    assert funnel["left_out"]["unjudged"] is None

    quality = ask(site, "detection-quality", rule="1", **period)
    assert quality["filters"]["rule"] == ["1"]
    quality = ask(site, "detection-quality", group_by="pattern", **period)
    known = quality["total"]["known_part"]
    assert (known["precision"], known["detected"], known["missed"]) == (0.5, 1, 0)
    assert known["recall_estimate"] == 1 and quality["left_out"]["unjudged"] == 0


def test_the_alarm_load_counts_what_rang_and_names_what_did_not(site: Site) -> None:
    for pattern in ("hitting", "hitting", "kicking"):
        alarm(site, pattern=pattern)
    alarm(site, pattern="pushing", operating_mode="parallel")
    day = datetime.now(timezone.utc)
    period = {
        "from": (day - timedelta(days=2)).date().isoformat(),
        "to": (day + timedelta(days=2)).date().isoformat(),
    }

    load = ask(site, "alarm-load", group_by="pattern", **period)
    # The second hitting belongs to the first's alarm. Of no hour there is a figure before it is over.
    assert [(cell["group"]["pattern"], cell["values"]) for cell in load["cells"]] == [
        (
            pattern,
            {
                measure: "not_recorded"
                for measure in ("annunciated", "chattering", "stale", "top_ten_share")
            }
            | dict.fromkeys(POSITION_MEASURES),
        )
        for pattern in ("hitting", "kicking")
    ]
    assert load["filters"]["operating_mode"] == ["production"]
    assert load["left_out"]["operating_modes"]["parallel"] == 1
    assert load["left_out"]["late"] == 0


def test_late_alarms_are_counted_and_told_apart(site: Site) -> None:
    alarm(site)
    alarm(site, occurred_at=(datetime.now(timezone.utc) - timedelta(hours=5)).isoformat())
    day = datetime.now(timezone.utc)
    period = {
        "from": (day - timedelta(days=2)).date().isoformat(),
        "to": (day + timedelta(days=2)).date().isoformat(),
    }

    for metric in ("alarm-funnel", "detection-quality"):
        answer = ask(site, metric, compare="previous_full_year", **period)
        assert answer["total"]["known_part"]["unjudged"] == 2
        assert answer["included"] == {"late": 1}
        # Of the year before nothing is recorded.
        assert answer["comparisons"][0]["included"] == {"late": None}
        assert answer["left_out"]["late"] is None
    for late, included in (("true", 1), ("false", 0)):
        answer = ask(site, "alarm-funnel", late=late, **period)
        assert answer["total"]["known_part"]["alarms"] == 1
        assert answer["included"] == {"late": included}
    assert ask(site, "incidents", **period)["included"] == {"late": None}
    # One that was late is a small number.
    hidden = ask(site, "alarm-funnel", suppress_below="3", **period)
    assert hidden["included"] == {"late": "suppressed"}
    table = site.client("statistician").get(
        "/v1/statistics/alarm-funnel", params=period | {"format": "csv"}
    )
    rows = {r["row"]: r for r in csv.DictReader(io.StringIO(table.text, newline=""))}
    assert (rows["included:late"]["included"], rows["included:late"]["left_out"]) == ("1", "")
    assert rows["total"]["included"] == ""


def fingerprint(zone: str) -> str:
    """The contract's fingerprint of a zone, by the system's time zone database."""

    def offset(instant: datetime) -> int:
        local = instant.astimezone(ZoneInfo(zone)).utcoffset()
        assert local is not None
        return int(local.total_seconds())

    day = datetime(1970, 1, 1, tzinfo=timezone.utc)
    changes = [(day, offset(day))]
    while day.year < 2100:
        following = day + timedelta(days=1)
        quarter = day
        while offset(following) != changes[-1][1]:
            quarter += timedelta(minutes=15)
            if offset(quarter) == offset(following):
                changes.append((quarter, offset(quarter)))
        day = following
    lines = [f"{at:%Y-%m-%dT%H:%M:%SZ} {seconds}\n" for at, seconds in changes]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_an_answer_names_the_time_zones_that_it_was_counted_by(
    site: Site, administrator: httpx.Client
) -> None:
    answer = ask(site, "incidents", compare="previous_full_year")

    system = Path("/usr/share/zoneinfo/tzdata.zi").read_text().split("\n", 1)[0]
    assert answer["tzdata_version"] == system.removeprefix("# version ")
    periods = answer["periods"] + answer["comparisons"][0]["periods"]
    assert {p["time_zone_sha256"] for p in periods} == {fingerprint("Europe/Berlin")}
    # Half hours, and offsets that are changed by half an hour.
    for zone in ("Asia/Kathmandu", "Australia/Lord_Howe"):
        name = f"{site.id}-{zone[-4:].lower().strip('_')}"
        call(
            administrator,
            "POST",
            "/v1/sites",
            201,
            json={"id": name, "name": zone, "time_zone": zone},
        )
        with site.server.client(site.server.create_token("statistician", site=name)) as client:
            there = call(client, "GET", "/v1/statistics/incidents", 200, params=PERIOD)
        assert there["periods"][0]["time_zone_sha256"] == fingerprint(zone)


def test_small_numbers_are_hidden_with_what_would_tell_them(site: Site) -> None:
    days = [f"2026-04-{day:02}T12:00:00Z" for day in range(1, 15)]
    for at in days[:7]:
        incident(site, at)
    for at in days[7:11]:
        incident(site, at, category="hazard_prevention")
    for at in days[11:13]:
        incident(site, at, category="administrative_offence")
    incident(site, days[13], operating_mode="training")
    april = {"from": "2026-04-01", "to": "2026-05-01", "group_by": "category"}

    answer = ask(site, "incidents", suppress_below="3", **april)

    assert answer["suppress_below"] == 3
    counts = {c["group"]["category"]: c["values"]["count"] for c in answer["cells"]}
    assert counts == {
        "criminal_offence": 7,
        "administrative_offence": "suppressed",
        "hazard_prevention": "suppressed",
    }
    assert answer["total"] == {"values": {"count": 13}}
    assert answer["left_out"]["operating_modes"]["training"] == "suppressed"
    table = site.client("statistician").get(
        "/v1/statistics/incidents",
        params=april | {"suppress_below": "3", "format": "csv"},
    )
    rows = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert [r["count"] for r in rows[:4]] == ["7", "suppressed", "suppressed", "13"]
    assert {r["row"]: r["left_out"] for r in rows}["left_out:operating_mode=training"] == "suppressed"
    assert ask(site, "incidents", **april)["suppress_below"] is None


def test_small_numbers_by_outcome_are_no_parts_of_the_total(site: Site) -> None:
    for day in range(1, 8):
        incident(site, f"2026-04-{day:02}T12:00:00Z", outcomes=["proceedings"])
    for day in range(8, 10):
        incident(site, f"2026-04-{day:02}T12:00:00Z", outcomes=["proceedings", "arrest"])
    april = {"from": "2026-04-01", "to": "2026-05-01", "group_by": "outcome"}

    answer = ask(site, "incidents", suppress_below="4", **april)

    # That each matter led to proceedings says nothing of how many of them led to arrests.
    counts = {c["group"]["outcome"]: c["values"]["count"] for c in answer["cells"]}
    assert counts == {"arrest": "suppressed", "proceedings": 9}
    assert answer["total"] == {"values": {"count": 9}}
    both = {"compare": "previous_same_period,previous_full_year"}
    problem = refused(
        site.client("statistician"),
        "GET",
        "/v1/statistics/incidents",
        422,
        "parameter.invalid",
        params=april | both | {"suppress_below": "4"},
    )
    assert [error["parameter"] for error in problem["errors"]] == ["compare"]


def test_as_of_an_earlier_instant_a_correction_is_not_known(site: Site) -> None:
    # Of before its first matter the site would have recorded nothing.
    incident(site, "2026-03-09T12:00:00Z")
    one = incident(site, "2026-03-10T12:00:00Z")
    april = {"from": "2026-03-10", "to": "2026-05-01"}
    before = ask(site, "incidents", **april)

    path = f"/v1/incidents/{one['id']}/retract"
    call(site.client("shift_supervisor"), "POST", path, 200, json={"reason": "Entered twice."})

    assert ask(site, "incidents", **april)["total"] == {"values": {"count": 0}}
    assert ask(site, "incidents", **april)["left_out"]["retracted"] == 1
    known = before["as_of"]["recorded_at"]
    again = ask(site, "incidents", as_of=known, **april)
    assert again["total"] == before["total"] == {"values": {"count": 1}}
    assert again["as_of"]["position"] == before["as_of"]["position"]


def test_a_table_is_written_for_the_program_that_reads_it(site: Site) -> None:
    matter = incident(site, "2026-03-10T12:00:00Z")
    sent = intervention(site, matter, "2026-03-10T12:00:10Z")
    path = f"/v1/interventions/{sent['id']}"
    observer = site.client("observer")
    read = observer.get(path)
    body = {"precinct": '=2+"3";4', "reason": "Nachgetragen."}
    fields = {"If-Match": read.headers["etag"]}
    call(observer, "PATCH", path, 200, json=body, headers=fields)
    april = {"from": "2026-03-10", "to": "2026-05-01", "group_by": "precinct"}
    client = site.client("statistician")

    plain = client.get("/v1/statistics/interventions", params=april, headers={"Accept": "text/csv"})
    german = client.get(
        "/v1/statistics/interventions", params=april | {"dialect": "excel-de"}
    )

    assert plain.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(plain.text, newline="")))
    assert [(r["row"], r["precinct"], r["count"]) for r in rows[:2]] == [
        ("cell", "'=2+\"3\";4", "1"),
        ("total", "", "1"),
    ]
    assert plain.text.count("\r\n") == len(rows) + 1
    told = client.get("/v1/statistics/interventions", params=april).json()
    assert {(r["filters"], r["as_of_position"], r["clock"]) for r in rows} == {
        (f"operating_mode=production; site={site.id}", str(told["as_of"]["position"]), "")
    }
    assert [datetime.fromisoformat(r["as_of"]) for r in rows] == [
        datetime.fromisoformat(rows[0]["as_of"])
    ] * len(rows)
    assert german.content.startswith(b"\xef\xbb\xbfmetric;version;")
    table = csv.DictReader(io.StringIO(german.content.decode("utf-8-sig"), newline=""), delimiter=";")
    assert next(table)["precinct"] == "'=2+\"3\";4"


@pytest.mark.parametrize(
    ("metric", "parameters", "parameter", "says"),
    [
        ("incidents", {"from": "2026-05-02"}, "to", "after from"),
        ("incidents", {"from": "2026-05-01"}, "to", "after from"),
        ("incidents", {"from": "2026-02-29"}, "from", "a date"),
        ("incidents", {"from": "2026-03-01T00:00:00Z"}, "to", "a date if from is one"),
        ("incidents", {"from": "2026-03-01T00:07:00Z"}, "from", "a quarter of an hour"),
        ("incidents", {"group_by": "moon"}, "group_by", "one to 3 of month"),
        ("incidents", {"group_by": "precinct"}, "group_by", "no precinct"),
        ("incidents", {"group_by": "month,day"}, "group_by", "at most one of"),
        ("incidents", {"group_by": "site,site"}, "group_by", "each once"),
        ("incidents", {"precinct": "Mitte"}, "precinct", "known are"),
        ("incidents", {"clock": "dispatch"}, "clock", "known are"),
        ("alarm-funnel", {"group_by": "precinct"}, "group_by", "no precinct"),
        ("cameras", {"group_by": "hour_of_day"}, "group_by", "no hour_of_day"),
        ("cameras", {"camera": str(uuid.UUID(int=1))}, "camera", "known are"),
        (
            "cameras",
            {"from": "2026-03-01T00:00:00+01:00", "to": "2026-04-01T00:00:00+02:00"},
            "from",
            "counts by the day",
        ),
        ("coverage", {"from": "2026-03-01T00:15:00Z"}, "from", "on an hour"),
        ("alarm-funnel", {"rule": "0"}, "rule", "values of it"),
        ("incidents", {"category": "crime"}, "category", "criminal_offence"),
        ("incidents", {"as_of": "2199-01-01T00:00:00Z"}, "as_of", "in the future"),
        ("incidents", {"dialect": "excel-de", "format": "json"}, "dialect", "csv"),
        ("incidents", {"suppress_below": "2"}, "suppress_below", "from 3 to 100: below 2"),
        ("incidents", {"suppress_below": "101"}, "suppress_below", "from 3 to 100"),
        ("incidents", {"suppress_below": "few"}, "suppress_below", "a whole number"),
        (
            "incidents",
            {"from": "2024-01-01", "suppress_below": "5", "compare": "previous_same_period"},
            "compare",
            "a period of at most a year",
        ),
        ("incidents", {"from": "2023-02-30"}, "from", "a date of the years 1970 to 2199"),
        ("incidents", {"from": "23-02-03"}, "from", "a date"),
        ("incidents", {"from": "2026-03-01T12:00:00"}, "from", "with offset"),
        ("incidents", {"from": "1969-12-31"}, "from", "the years 1970 to 2199"),
        ("incidents", {"compare": "last_week"}, "compare", "previous_same_period"),
        ("incidents", {"category": ",".join(["criminal_offence"] * 51)}, "category", "50"),
        ("incidents", {"area": "Paradeplatz"}, "area", "values of it"),
        ("incidents", {"site": "Not a slug"}, "site", "a site's id"),
        ("incidents", {"group_by": "month,,site"}, "group_by", "one to 3 of month"),
        ("incidents", {"group_by": "month,site,category,source"}, "group_by", "one to 3"),
        ("arrival-times", {"group_by": "outcome"}, "group_by", "no outcome"),
        ("interventions", {"outcome": "arrest"}, "outcome", "known are"),
        ("arrival-times", {"clock": "wrist"}, "clock", "recognition or dispatch"),
        ("incidents", {"format": "xml"}, "format", "json or csv"),
        (
            "incidents",
            {"from": "2000-01-01", "to": "2100-01-01", "group_by": "day,category"},
            "group_by",
            "100000 cells",
        ),
    ],
)
def test_a_bad_question_is_told_what_would_be_right(
    site: Site, metric: str, parameters: dict[str, str], parameter: str, says: str
) -> None:
    problem = refused(
        site.client("statistician"),
        "GET",
        f"/v1/statistics/{metric}",
        422,
        "parameter.invalid",
        params=PERIOD | parameters,
    )

    assert [e for e in problem["errors"] if e["parameter"] == parameter and says in e["detail"]]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/v1/statistics", {}),
        ("/v1/statistics/arrival-times", PERIOD),
        ("/v1/statistics/arrival-times", PERIOD | {"format": "csv"}),
    ],
)
def test_each_reading_is_in_the_access_log(
    site: Site, path: str, parameters: dict[str, str]
) -> None:
    response = site.client("statistician").get(path, params=parameters)
    assert response.status_code == 200, response.text

    subject = "arrival-times" if parameters else site.id
    auditor = site.client("auditor")
    for filters in ({"action": "statistics.read"}, {"subject": subject}):
        log = call(auditor, "GET", "/v1/access-log", 200, params={"site": site.id} | filters)
        assert [(a["subject"], a["actor"]["role"]) for a in log["items"]] == [
            (subject, "statistician")
        ]
        assert (log["items"][0]["reason"], log["items"][0]["shift"]) == (None, None)


def test_a_reading_of_all_sites_is_in_the_log_of_each(
    server: Server, administrator: httpx.Client, site: Site
) -> None:
    other = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
    with server.client(server.create_token("statistician")) as ministry:
        call(ministry, "GET", "/v1/statistics", 200)

    for watched in (site, other):
        log = call(watched.client("auditor"), "GET", "/v1/access-log", 200)
        assert [a["subject"] for a in log["items"]] == [watched.id]
    other.close()


def test_the_ledger_agrees_with_the_journal(server: Server, site: Site) -> None:
    matter = incident(site, "2026-03-10T12:00:00Z")
    intervention(site, matter, "2026-03-10T12:00:10Z")

    command = [str(server.binary), "verify", "statistics"]
    command += place_of_data(server.data_dir, server.database)
    finished = subprocess.run(command, env=environment(), capture_output=True, text=True)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout == "the ledger agrees with the journal\n"


def test_what_is_not_there_or_of_another_site_is_unknown(site: Site) -> None:
    client: httpx.Client = site.client("statistician")

    refused(client, "GET", "/v1/statistics/moons", 404, "metric.unknown", params=PERIOD)
    refused(
        client,
        "GET",
        "/v1/statistics/incidents",
        404,
        "site.unknown",
        params=PERIOD | {"site": "elsewhere"},
    )
