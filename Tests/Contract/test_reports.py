"""Frozen reports from outside: who may do what, what is refused, and that nothing of them changes."""

from __future__ import annotations

import base64
import copy
import csv
import hashlib
import io
import json
import re
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from contract import call, check, refused
from server_under_test import Server, Site, create_site

PERIOD = {"from": "2026-03-10", "to": "2026-05-01"}
FIGURES = {
    "kind": "figures",
    "text": "Wie folgt.",
    "figures": [
        {"metric": "incidents", "group_by": ["category"], "compare": ["previous_full_year"]} | PERIOD,
        {"caption": "Eintreffzeit", "metric": "arrival-times"} | PERIOD,
    ],
}
DRAFT: dict[str, Any] = {
    "title": "Videoschutz Mannheim",
    "reference": "Drucksache 17/5816",
    "stand": "31. Oktober 2023",
    "questions": [
        {"number": 1, "wording": "welche Erfahrungen gemacht wurden;", "answer": {"kind": "text", "text": "Gute."}},
        {"number": 3, "wording": "wie viele Sachverhalte erkannt wurden;", "answer": FIGURES},
        {"number": 6, "wording": "welche Rückmeldungen bekannt sind;", "answer": {"kind": "not_collected"}},
    ],
}


def incident(site: Site, occurred_at: str, **members: Any) -> dict[str, Any]:
    """A new incident at an instant."""
    plain = {"site": site.id, "category": "criminal_offence", "occurred_at": occurred_at}
    return call(site.client("observer"), "POST", "/v1/incidents", 201, json=plain | members)


def freeze(site: Site, **members: Any) -> dict[str, Any]:
    """A new report."""
    return call(site.client("statistician"), "POST", "/v1/reports", 201, json=DRAFT | members)


def get(client: httpx.Client, report: dict[str, Any], **parameters: str) -> httpx.Response:
    """The report in a format."""
    response = client.get(f"/v1/reports/{report['id']}", params=parameters)
    assert response.status_code == 200, response.text
    check(response)
    return response


@pytest.fixture
def colleague(server: Server, site: Site) -> Any:
    """Another statistician of the site."""
    with server.client(server.create_token("statistician", site=site.id)) as client:
        yield client


def test_a_report_is_the_same_in_every_format_and_for_ever(site: Site) -> None:
    incident(site, "2026-03-10T12:00:00Z")
    statistician = site.client("statistician")

    report = freeze(site)

    assert (report["site"], report["released_at"]) == (site.id, None)
    canonical = get(statistician, report, format="canonical").content
    assert hashlib.sha256(canonical).hexdigest() == report["sha256"]
    whole = get(statistician, report)
    assert canonical in whole.content
    assert whole.json()["content"] == json.loads(canonical)
    signature = get(statistician, report, format="signature").content
    assert base64.b64decode(whole.json()["signature"]) == signature
    # Sorted members, no white space, and texts as they are: RFC 8785.
    again = json.dumps(json.loads(canonical), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert again.encode() == canonical
    figure = whole.json()["content"]["questions"][1]["answer"]["figures"][0]
    assert figure["answer"]["sentence"] == "1 (gesamtes Vorjahr: nicht erfasst)"

    incident(site, "2026-03-11T12:00:00Z")
    assert get(statistician, report, format="canonical").content == canonical


def test_a_report_is_listed_and_read_by_its_readers_alone(site: Site, server: Server) -> None:
    first, second = freeze(site), freeze(site, reference="Drucksache 17/1")

    for role in ("statistician", "shift_supervisor", "auditor"):
        client = site.client(role)
        page = call(client, "GET", "/v1/reports", 200, params={"limit": 1})
        assert [item["id"] for item in page["items"]] == [second["id"]]
        rest = call(client, "GET", "/v1/reports", 200, params={"cursor": page["next"]})
        assert ([item["id"] for item in rest["items"]], rest["next"]) == ([first["id"]], None)
        get(client, first)
        key = client.get("/v1/reports/key", params={"id": first["key"]})
        assert (key.status_code, key.text[:26]) == (200, "-----BEGIN PUBLIC KEY-----")
        check(key)
    auditor = site.client("auditor")
    for filters, found in (
        ({"reference": "Drucksache 17/1"}, [second["id"]]),
        ({"released": "true"}, []),
        ({"from": second["frozen_at"]}, [second["id"]]),
        ({"to": second["frozen_at"]}, [first["id"]]),
    ):
        listed = call(auditor, "GET", "/v1/reports", 200, params=filters)
        assert [item["id"] for item in listed["items"]] == found, filters
    for role in ("administrator", "observer"):
        refused(site.client(role), "GET", "/v1/reports", 403, "role.forbidden")
        refused(site.client(role), "GET", f"/v1/reports/{first['id']}", 403, "role.forbidden")
    for role in ("shift_supervisor", "auditor"):
        refused(site.client(role), "POST", "/v1/reports", 403, "role.forbidden", json=DRAFT)
        path = f"/v1/reports/{first['id']}/release"
        refused(site.client(role), "POST", path, 403, "role.forbidden")
    refused(auditor, "GET", "/v1/reports/key", 404, "key.unknown", params={"id": "0" * 64})
    refused(auditor, "GET", "/v1/reports/key", 422, "parameter.invalid", params={"id": "0"})


@pytest.mark.parametrize(
    ("method", "path", "parameters", "status"),
    [
        ("GET", "/v1/reports", {}, 200),
        ("GET", "/v1/reports/key", {}, 200),
        *(
            ("GET", "/v1/reports/{id}", {"format": format}, 200)
            for format in ("json", "canonical", "signature", "csv", "html")
        ),
        ("POST", "/v1/reports/{id}/recheck", {}, 200),
        # The refusal shows the report's summary.
        ("POST", "/v1/reports/{id}/release", {}, 409),
    ],
)
def test_each_reading_of_reports_is_in_the_access_log(
    site: Site, method: str, path: str, parameters: dict[str, str], status: int
) -> None:
    report = freeze(site)

    response = site.client("statistician").request(
        method, path.replace("{id}", report["id"]), params=parameters
    )

    assert response.status_code == status, response.text
    subject = report["id"] if "{id}" in path else site.id
    log = call(site.client("auditor"), "GET", "/v1/access-log", 200)
    assert [(a["action"], a["subject"], a["actor"]["role"]) for a in log["items"]] == [
        ("report.read", subject, "statistician")
    ]


def test_nothing_of_reports_is_told_to_nobody(nobody: httpx.Client, site: Site) -> None:
    report = freeze(site)
    for method, path in (
        ("GET", "/v1/reports"),
        ("POST", "/v1/reports"),
        ("GET", "/v1/reports/key"),
        ("GET", f"/v1/reports/{report['id']}"),
        ("POST", f"/v1/reports/{report['id']}/release"),
        ("POST", f"/v1/reports/{report['id']}/recheck"),
    ):
        refused(nobody, method, path, 401, "token.missing")


def test_a_second_person_releases_a_report_once(site: Site, colleague: httpx.Client) -> None:
    report = freeze(site)
    path = f"/v1/reports/{report['id']}/release"
    draft = get(colleague, report, format="html").text
    assert "Entwurf" in draft

    problem = refused(site.client("statistician"), "POST", path, 409, "report.needs-another")
    assert problem["current"]["released_at"] is None
    released = call(colleague, "POST", path, 200)
    assert released["released_by"]["token"] != released["frozen_by"]["token"]
    problem = refused(colleague, "POST", path, 409, "report.already-released")
    assert problem["current"]["released_at"] == released["released_at"]

    page = get(colleague, report, format="html").text
    assert "Entwurf" not in page and "Freigegeben" in page
    assert get(colleague, report, format="canonical").content == get(
        site.client("auditor"), report, format="canonical"
    ).content
    events = call(site.client("auditor"), "GET", "/v1/audit", 200, params={"subject": report["id"]})
    assert [(e["event"], e["document"]["sha256"]) for e in events["items"]] == [
        ("report.released", report["sha256"]),
        ("report.frozen", report["sha256"]),
    ]
    assert all("title" not in event["document"] for event in events["items"])


def test_another_sites_report_does_not_exist(
    server: Server, administrator: httpx.Client, site: Site
) -> None:
    report = freeze(site)
    other = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
    stranger = other.client("statistician")

    assert call(stranger, "GET", "/v1/reports", 200)["items"] == []
    for method, suffix in (("GET", ""), ("POST", "/release"), ("POST", "/recheck")):
        path = f"/v1/reports/{report['id']}{suffix}"
        refused(stranger, method, path, 404, "report.unknown")
    refused(stranger, "GET", "/v1/reports", 404, "site.unknown", params={"site": site.id})
    refused(stranger, "POST", "/v1/reports", 404, "site.unknown", json=DRAFT | {"site": site.id})
    problem = refused(
        stranger,
        "POST",
        "/v1/reports",
        422,
        "body.invalid",
        json=DRAFT | {"continues": {"report": report["id"]}},
    )
    assert [(e["pointer"], e["code"]) for e in problem["errors"]] == [
        ("/continues/report", "report.unknown")
    ]
    refused(stranger, "GET", f"/v1/reports/{uuid.uuid4()}", 404, "report.unknown")
    other.close()


def test_a_recheck_names_what_is_another_figure_now(site: Site) -> None:
    # Of before its first matter the site would have recorded nothing.
    incident(site, "2024-03-10T12:00:00Z")
    one = incident(site, "2026-03-10T12:00:00Z")
    report = freeze(site)
    path = f"/v1/reports/{report['id']}/recheck"
    supervisor = site.client("shift_supervisor")
    same = call(supervisor, "POST", path, 200)
    assert (same["intact"], same["same_position"]["identical"]) == (True, True)
    assert (same["now"]["identical"], same["now"]["differences"]) == (True, [])

    retract = f"/v1/incidents/{one['id']}/retract"
    call(supervisor, "POST", retract, 200, json={"reason": "Entered twice."})

    rechecked = call(supervisor, "POST", path, 200)
    assert rechecked["same_position"]["identical"]
    assert rechecked["same_position"]["position"] == report["position"]
    differences = {
        (d["question"], d["figure"], d["row"], d["group"].get("category"), d["measure"]): d
        for d in rechecked["now"]["differences"]
    }
    # No unit was sent, so that arrival times leave nothing out.
    assert {key: (d["before"], d["after"]) for key, d in differences.items()} == {
        (3, 1, "cell", "criminal_offence", "count"): (1, 0),
        (3, 1, "total", None, "count"): (1, 0),
        (3, 1, "left_out", None, "retracted"): (0, 1),
    }
    for difference in differences.values():
        [entry] = difference["entries"]
        assert entry["position"] > report["position"]
        assert (entry["event"], entry["subject"]) == ("incident.retracted", one["id"])
    plain = call(site.client("statistician"), "POST", path, 200)
    for difference in plain["now"]["differences"]:
        assert [list(entry) for entry in difference["entries"]] == [["position"]]


def test_a_recheck_explains_figures_of_the_analysis(site: Site) -> None:
    detection = {
        "id": str(uuid.uuid4()),
        "camera": site.camera,
        "pattern": "hitting",
        "confidence": 0.9,
        "occurred_at": datetime.now(timezone.utc).isoformat(),
    }
    raised = call(site.client("node"), "POST", "/v1/detections", 201, json=detection)
    today = datetime.now(timezone.utc).date()
    period = {"from": str(today - timedelta(days=1)), "to": str(today + timedelta(days=2))}
    figures = [
        {"metric": metric, "group_by": ["pattern"]} | period
        for metric in ("alarm-funnel", "detection-quality")
    ]
    question = {
        "number": 1,
        "wording": "wie gut erkannt wird;",
        "answer": {"kind": "figures", "figures": figures},
    }
    report = freeze(site, questions=[question])

    path = f"/v1/alarms/{raised['alarm']}/confirm"
    call(site.client("observer"), "POST", path, 200)

    path = f"/v1/reports/{report['id']}/recheck"
    rechecked = call(site.client("shift_supervisor"), "POST", path, 200)
    assert rechecked["same_position"]["identical"]
    confirmed = [
        difference
        for difference in rechecked["now"]["differences"]
        if difference["group"] == {"pattern": "hitting"}
        and difference["measure"].removeprefix("known_part.") == "confirmed"
    ]
    assert [(d["figure"], d["before"], d["after"]) for d in confirmed] == [(1, 0, 1), (2, 0, 1)]
    for difference in confirmed:
        entries = {(entry["event"], entry["subject"]) for entry in difference["entries"]}
        assert ("alarm.confirmed", raised["alarm"]) in entries
    page = get(site.client("auditor"), report, format="html").text
    assert "bestätigte Alarme" in page and "Konfidenz ab 0,9" in page


def test_a_report_knows_what_was_known_at_its_as_of(site: Site) -> None:
    one = incident(site, "2026-03-10T12:00:00Z")
    before = freeze(site)
    path = f"/v1/incidents/{one['id']}/retract"
    call(site.client("shift_supervisor"), "POST", path, 200, json={"reason": "Entered twice."})

    later = freeze(site, as_of=before["frozen_at"])

    def figures(report: dict[str, Any]) -> list[Any]:
        content = get(site.client("auditor"), report).json()["content"]
        return [figure["answer"]["total"] for figure in content["questions"][1]["answer"]["figures"]]

    assert later["position"] == before["position"]
    assert figures(later) == figures(before)


def test_a_report_that_continues_another_has_both_figures(site: Site) -> None:
    incident(site, "2026-03-10T12:00:00Z")
    first = freeze(site)
    incident(site, "2026-03-11T12:00:00Z")

    second = freeze(site, continues={"report": first["id"]})
    third = freeze(
        site,
        continues={
            "reference": "Drucksache 16/1",
            "figures": [
                {"question": 3, "value": 7},
                {"question": 3, "group": {"category": "criminal_offence"}, "value": "not_recorded"},
            ],
        },
    )

    def pairs(report: dict[str, Any]) -> list[tuple[Any, ...]]:
        continued = get(site.client("auditor"), report).json()["content"]["continues"]
        return [
            (p["group"].get("category"), p["earlier"]["value"], p["value"])
            for p in continued["figures"]
            if p["figure"] == 1 and p["value"] != 0
        ]

    assert pairs(second) == [("criminal_offence", 1, 2), (None, 1, 2)]
    assert pairs(third) == [(None, 7, 2), ("criminal_offence", "not_recorded", 2)]
    page = get(site.client("auditor"), third, format="html").text
    assert "Fortschreibung von Drucksache 16/1" in page


HIDING = {"metric": "incidents", "group_by": ["category"], "suppress_below": 3} | PERIOD


def hiding(**members: Any) -> list[dict[str, Any]]:
    """The questions of a report with a figure that hides small numbers."""
    answer = {"kind": "figures", "figures": [HIDING | members]}
    return [{"number": 1, "wording": "wie viele;", "answer": answer}]


def test_a_report_hides_small_numbers_for_ever(site: Site) -> None:
    for day in range(11, 18):
        incident(site, f"2026-03-{day}T12:00:00Z")
    for day in range(18, 20):
        incident(site, f"2026-03-{day}T12:00:00Z", category="hazard_prevention")
    report = freeze(site, questions=hiding(group_by=["month", "category"]))
    statistician = site.client("statistician")

    [figure] = get(statistician, report).json()["content"]["questions"][0]["answer"]["figures"]

    assert figure["question"]["parameters"]["suppress_below"] == "3"
    assert figure["answer"]["suppress_below"] == 3
    march = {
        cell["group"]["category"]: cell["values"]["count"]
        for cell in figure["answer"]["cells"]
        if cell["group"]["month"] == "2026-03"
    }
    assert march == {
        "criminal_offence": "suppressed",
        "administrative_offence": "partial",
        "hazard_prevention": "suppressed",
    }
    page = get(statistician, report, format="html").text
    assert '<td class="s">unterdrückt</td>' in page
    assert "„Unterdrückt“ sind Zahlen unter 3, Null ausgenommen" in page
    path = f"/v1/reports/{report['id']}/recheck"
    again = call(statistician, "POST", path, 200)
    assert again["same_position"]["identical"] and again["now"]["identical"]
    incident(site, "2026-03-20T12:00:00Z", category="hazard_prevention")
    now = call(statistician, "POST", path, 200)
    assert now["same_position"]["identical"]
    told = [d for d in now["now"]["differences"] if (d["row"], d["measure"]) == ("cell", "count")]
    assert {d["before"] for d in told} == {"suppressed"}


@pytest.mark.parametrize(
    ("questions", "pointer", "says"),
    [
        (hiding(suppress_below=2), "suppress_below", "from 3 to 100"),
        (
            hiding(**{"from": "2024-01-01", "compare": ["previous_same_period"]}),
            "compare",
            "must not overlap the period",
        ),
        (
            hiding(
                group_by=["outcome"], compare=["previous_same_period", "previous_full_year"]
            ),
            "compare",
            "by outcome each other",
        ),
    ],
)
def test_a_report_hides_no_small_numbers_that_would_be_told(
    site: Site, questions: list[dict[str, Any]], pointer: str, says: str
) -> None:
    problem = refused(
        site.client("statistician"),
        "POST",
        "/v1/reports",
        422,
        "body.invalid",
        json=DRAFT | {"questions": questions},
    )

    [error] = problem["errors"]
    assert error["pointer"] == f"/questions/0/answer/figures/0/{pointer}"
    assert says in error["detail"]


def test_small_numbers_stand_beside_those_of_no_period_that_tells_of_them(site: Site) -> None:
    earlier = {"from": "2025-03-10", "to": "2025-05-01"}
    open, hidden, before = (
        freeze(site, questions=hiding(suppress_below=None)),
        freeze(site, questions=hiding()),
        freeze(site, questions=hiding(**earlier)),
    )

    def pairs(report: dict[str, Any]) -> int:
        content = get(site.client("auditor"), report).json()["content"]
        return len(content["continues"]["figures"])

    # Three categories and the total; what hides nothing asks something else.
    assert pairs(freeze(site, questions=hiding(), continues={"report": before["id"]})) == 4
    assert pairs(freeze(site, questions=hiding(), continues={"report": open["id"]})) == 0
    problem = refused(
        site.client("statistician"),
        "POST",
        "/v1/reports",
        422,
        "body.invalid",
        json=DRAFT | {"questions": hiding(), "continues": {"report": hidden["id"]}},
    )
    assert [error["pointer"] for error in problem["errors"]] == ["/continues/report"]


def test_late_alarms_are_told_beside_what_is_left_out(site: Site) -> None:
    now = datetime.now(timezone.utc)
    detection = {
        "id": str(uuid.uuid4()),
        "camera": site.camera,
        "pattern": "hitting",
        "confidence": 0.95,
        "occurred_at": (now - timedelta(hours=5)).isoformat(),
    }
    call(site.client("node"), "POST", "/v1/detections", 201, json=detection)
    days = {
        "from": (now - timedelta(days=2)).date().isoformat(),
        "to": (now + timedelta(days=1)).date().isoformat(),
    }
    figure = {"metric": "alarm-funnel"} | days
    questions = [
        {"number": 1, "wording": "wie viele;", "answer": {"kind": "figures", "figures": [figure]}}
    ]

    report = freeze(site, questions=questions)

    page = get(site.client("auditor"), report, format="html").text
    assert re.search(r"<li>Mitgezählt, [^<]*: verspätet eingegangen 1\.</li>", page)
    rows = list(csv.DictReader(io.StringIO(get(site.client("auditor"), report, format="csv").text)))
    assert [(r["group"], r["value"]) for r in rows if r["row"] == "included"] == [("late", "1")]


def test_automatic_recognition_is_not_recorded_before_the_first_and_counted_after(
    site: Site, administrator: httpx.Client
) -> None:
    call(
        administrator,
        "PATCH",
        f"/v1/sites/{site.id}",
        200,
        json={"retention_hours": 8_760},
        headers={"If-Match": "*"},
    )
    today = datetime.now(ZoneInfo("Europe/Berlin"))

    def month(back: int) -> datetime:
        """The tenth of a month, at noon."""
        months = today.year * 12 + today.month - 1 - back
        return today.replace(year=months // 12, month=months % 12 + 1, day=10, hour=12)

    for occurred_at in (month(4), month(2)):
        detection = {
            "id": str(uuid.uuid4()),
            "camera": site.camera,
            "pattern": "hitting",
            "confidence": 0.95,
            "occurred_at": occurred_at.isoformat(),
        }
        alarm = call(site.client("node"), "POST", "/v1/detections", 201, json=detection)["alarm"]
        matter = {"incident": {"category": "criminal_offence"}}
        call(site.client("observer"), "POST", f"/v1/alarms/{alarm}/confirm", 200, json=matter)
    figure = {
        "metric": "incidents",
        "from": "2018-12-01",
        "to": month(-1).replace(day=1).date().isoformat(),
        "group_by": ["month"],
        "filters": {"source": ["automatic"]},
    }
    answer = {"kind": "figures", "figures": [figure]}
    wording = "wie viele polizeilich relevante Vorgänge automatisch erkannt werden konnten;"

    report = freeze(site, questions=[{"number": 2, "wording": wording, "answer": answer}])

    content = get(site.client("auditor"), report).json()["content"]
    cells = content["questions"][0]["answer"]["figures"][0]["answer"]["cells"]
    counts = [(cell["group"]["month"], cell["values"]["count"]) for cell in cells]
    assert counts[0] == ("2018-12", "not_recorded")
    assert {count for _, count in counts[:-5]} == {"not_recorded"}
    assert counts[-6][0] == f"{month(5):%Y-%m}"
    assert [count for _, count in counts[-5:]] == ["partial", 0, 1, 0, "partial"]
    assert cells[-5]["known_part"] == {"count": 1}
    page = get(site.client("auditor"), report, format="html").text
    rows = re.findall(r'<th scope="row">([^<]*)</th><td class="[ns]">([^<]*)</td>', page)
    assert rows[0][0].startswith("Dezember 2018 bis ") and rows[0][1] == "nicht erfasst"
    assert [text for _, text in rows[1:6]] == [
        "teilweise erfasst (bekannt: 1)",
        "0",
        "1",
        "0",
        "teilweise erfasst",
    ]
    assert "automatische Erkennung erfasst seit 10. " in page


def test_a_page_loads_nothing_and_escapes_what_persons_wrote(site: Site) -> None:
    report = freeze(site, title="<script>alert(1)</script> & \"Zitat\" 'so'")

    response = get(site.client("statistician"), report, format="html")

    assert "<script" not in response.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;Zitat&quot; &#39;so&#39;" in response.text
    assert "http://" not in response.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in response.text
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    style = response.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    accepted = site.client("statistician").get(
        f"/v1/reports/{report['id']}", headers={"Accept": "text/html,*/*"}
    )
    assert accepted.text == response.text


def test_a_table_has_a_line_for_each_value(site: Site) -> None:
    incident(site, "2026-03-10T12:00:00Z")
    report = freeze(site)
    client = site.client("statistician")

    rows = list(csv.DictReader(io.StringIO(get(client, report, format="csv").text)))

    asked = [r for r in rows if r["figure"] == "1" and r["period"] == "asked"]
    assert [(r["row"], r["group"], r["value"]) for r in asked[:4]] == [
        ("cell", "category=criminal_offence", "1"),
        ("cell", "category=administrative_offence", "0"),
        ("cell", "category=hazard_prevention", "0"),
        ("total", "", "1"),
    ]
    year = [r for r in rows if r["period"] == "previous_full_year" and r["row"] == "total"]
    assert [r["value"] for r in year] == ["not_recorded"]
    assert [(r["row"], r["value"]) for r in rows if r["question"] == "6"] == [
        ("not_collected", "nicht erhoben")
    ]
    excel = get(client, report, format="csv", dialect="excel-de").content
    assert excel.startswith(b"\xef\xbb\xbfreport;as_of_position;")


def without(path: str) -> dict[str, Any]:
    """The draft without a member."""
    return changed(path, None, delete=True)


def changed(path: str, value: Any, *, delete: bool = False) -> dict[str, Any]:
    """The draft with another value at a pointer."""
    draft = copy.deepcopy(DRAFT)
    node: Any = draft
    *steps, last = path.strip("/").split("/")
    for step in steps:
        node = node[int(step) if isinstance(node, list) else step]
    if delete:
        del node[last]
    else:
        node[int(last) if isinstance(node, list) else last] = value
    return draft


FIGURE = "/questions/1/answer/figures/0"


@pytest.mark.parametrize(
    ("draft", "pointer", "says"),
    [
        (without("/title"), "/title", "missing"),
        (changed("/title", ""), "/title", "1 to 300"),
        (changed("/reference", "a\nb"), "/reference", "control"),
        (changed("/questions", []), "/questions", "1 to 30"),
        (changed("/as_of", "2199-01-01T00:00:00Z"), "/as_of", "in the future"),
        (changed("/moon", 1), "/moon", "known"),
        (changed("/questions/1/number", 1), "/questions/1/number", "another"),
        (changed("/questions/0/number", 0), "/questions/0/number", "1 to 99"),
        (changed("/questions/0/wording", "\x07"), "/questions/0/wording", "control"),
        (changed("/questions/0/answer/kind", "silence"), "/questions/0/answer/kind", "not_collected"),
        (without("/questions/0/answer/text"), "/questions/0/answer/text", "missing"),
        (changed("/questions/0/answer/figures", []), "/questions/0/answer/figures", "known"),
        (changed("/questions/1/answer/figures", []), "/questions/1/answer/figures", "1 to 10"),
        (changed(f"{FIGURE}/metric", "moons"), f"{FIGURE}/metric", "incidents"),
        (without(f"{FIGURE}/from"), f"{FIGURE}/from", "date"),
        (changed(f"{FIGURE}/to", "2026-03-10"), f"{FIGURE}/to", "after from"),
        (changed(f"{FIGURE}/group_by", ["precinct"]), f"{FIGURE}/group_by", "has no precinct"),
        (changed(f"{FIGURE}/group_by", "month"), f"{FIGURE}/group_by", "array"),
        (changed(f"{FIGURE}/compare", ["previous_moon"]), f"{FIGURE}/compare", "previous_full_year"),
        (
            changed(f"{FIGURE}/filters", {"category": ["crime"]}),
            f"{FIGURE}/filters/category",
            "criminal_offence",
        ),
        (
            changed(f"{FIGURE}/filters", {"precinct": ["Mitte"]}),
            f"{FIGURE}/filters/precinct",
            "known",
        ),
        (changed(f"{FIGURE}/clock", "dispatch"), f"{FIGURE}/clock", "unknown"),
        (changed(f"{FIGURE}/site", "mannheim"), f"{FIGURE}/site", "known"),
        (
            changed(
                FIGURE,
                {"metric": "incidents", "from": "2000-01-01", "to": "2040-01-01", "group_by": ["day"]},
            ),
            f"{FIGURE}/group_by",
            "5000 cells",
        ),
        (changed("/continues", {}), "/continues/reference", "missing"),
        (changed("/continues", {"report": "x"}), "/continues/report", "report's id"),
        (
            changed("/continues", {"reference": "D", "figures": [{"question": 2, "value": 1}]}),
            "/continues/figures/0/question",
            "number of a question",
        ),
        (
            changed("/continues", {"reference": "D", "figures": [{"question": 1, "value": 1}]}),
            "/continues/figures/0/figure",
            "has 0",
        ),
        (
            changed("/continues", {"reference": "D", "figures": [{"question": 3, "value": -1}]}),
            "/continues/figures/0/value",
            "from 0",
        ),
        (
            changed(
                "/continues",
                {"reference": "D", "figures": [{"question": 3, "value": 1, "group": {"month": "x"}}]},
            ),
            "/continues/figures/0/group",
            "cell of the figure",
        ),
        (
            changed(
                "/continues",
                {"reference": "D", "figures": [{"question": 3, "value": 1, "measure": "known"}]},
            ),
            "/continues/figures/0/measure",
            "count",
        ),
    ],
)
def test_a_bad_draft_is_told_what_would_be_right(
    site: Site, draft: dict[str, Any], pointer: str, says: str
) -> None:
    problem = refused(
        site.client("statistician"), "POST", "/v1/reports", 422, "body.invalid", json=draft
    )

    found = [e for e in problem["errors"] if e["pointer"] == pointer and says in e["detail"]]
    assert found, problem["errors"]


def test_a_wrong_format_is_told_what_would_be_right(site: Site) -> None:
    path = f"/v1/reports/{freeze(site)['id']}"
    for parameters in ({"format": "pdf"}, {"format": "html", "dialect": "excel-de"}, {"page": "1"}):
        client = site.client("statistician")
        refused(client, "GET", path, 422, "parameter.invalid", params=parameters)
