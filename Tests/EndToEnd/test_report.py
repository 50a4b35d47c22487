"""The ministry's answer on Mannheim: frozen, signed, printed, and asked again after corrections."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from mannheim import PERIOD, REPORT, history
from printing import Paper, print_page, require_printer
from server_under_test import (
    ROOT,
    Server,
    Site,
    create_site,
    data_directory,
    environment,
    running_server,
)

COMMAND_SECONDS_MAX = 120


def command(server: Server, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Runs a subcommand beside the server, to its end."""
    return subprocess.run(
        [server.binary, *arguments, "--data-dir", server.data_dir],
        env=environment(),
        capture_output=True,
        timeout=COMMAND_SECONDS_MAX,
    )


@pytest.fixture(scope="module")
def mannheim(binary: Path) -> Iterator[Site]:
    """Mannheim with its history of 2022 and 2023, on a server of its own."""
    with data_directory() as directory, running_server(binary, directory / "data") as server:
        with server.client(server.create_token("administrator")) as administrator:
            site = create_site(server, administrator, "mannheim")
            table = directory / "history.csv"
            table.write_text(history())
            imported = command(server, "import", table)
            assert imported.returncode == 0, imported.stdout + imported.stderr
            yield site
            site.close()


@pytest.fixture(scope="module")
def report(mannheim: Site) -> dict[str, Any]:
    """The answer to the inquiry, frozen before anything was corrected."""
    response = mannheim.client("statistician").post("/v1/reports", json=REPORT)
    assert response.status_code == 201, response.text
    return response.json()


def given(site: Site, report: dict[str, Any], format: str) -> httpx.Response:
    """The report in a format."""
    path = f"/v1/reports/{report['id']}"
    response = site.client("statistician").get(path, params={"format": format})
    assert response.status_code == 200, response.text
    return response


def figures(content: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """The answers of a question's figures."""
    [question] = [q for q in content["questions"] if q["number"] == number]
    return [figure["answer"] for figure in question["answer"]["figures"]]


def cells(answer: dict[str, Any], group: str) -> dict[str, Any]:
    """The counts of an answer's cells by their key."""
    return {cell["group"][group]: cell["values"]["count"] for cell in answer["cells"]}


def table(content: dict[str, Any]) -> list[int]:
    """The ministry's eight figures in their order."""
    matters, immediate, by_category, by_immediacy, *_ = figures(content, 3)
    category = cells(by_category, "category")
    return [
        matters["total"]["values"]["count"],
        matters["comparisons"][0]["total"]["values"]["count"],
        immediate["total"]["values"]["count"],
        immediate["comparisons"][0]["total"]["values"]["count"],
        category["criminal_offence"],
        category["administrative_offence"],
        category["hazard_prevention"],
        cells(by_immediacy, "immediate")["false"],
    ]


GIVEN = [552, 686, 334, 415, 185, 22, 127, 218]


def test_the_report_has_the_figures_that_parliament_was_given(
    mannheim: Site, report: dict[str, Any]
) -> None:
    content = given(mannheim, report, "json").json()["content"]

    assert table(content) == GIVEN
    assert content["stand"] == "31. Oktober 2023"
    assert [a["sentence"] for a in figures(content, 3)[:2]] == [
        "552 (gesamtes Vorjahr: 686)",
        "334 (gesamtes Vorjahr: 415)",
    ]
    assert figures(content, 3)[0]["comparisons"][0]["unequal_lengths"]
    # The first arrivals: 67 each after 1 to 4 minutes, 66 after 5; 22 were sent later on and have none.
    times = figures(content, 3)[5]["total"]["values"]
    assert (times["known"], times["missing"]) == (334, 22)
    assert (times["median_seconds"], times["percentile_90_seconds"]) == (180, 300)
    [automatic] = figures(content, 2)
    assert len(automatic["cells"]) == 59
    assert {cell["values"]["count"] for cell in automatic["cells"]} == {"not_recorded"}
    assert automatic["total"]["values"]["count"] == "not_recorded"


def assert_on_paper(paper: Paper) -> None:
    """Fails unless everything lies between the margins, as large as it should, and is grey."""
    assert paper.sizes == {(210, 297)}
    left, right = paper.margins
    assert (left, right) == (pytest.approx(25, abs=1.5), pytest.approx(20, abs=1.5))
    assert paper.colours == 0


def test_many_measures_and_long_names_stay_on_the_paper(mannheim: Site, tmp_path: Path) -> None:
    require_printer()
    metrics = ("detection-quality", "alarm-funnel", "arrival-times")
    compare = {"compare": ["previous_same_period", "previous_full_year"]}
    figures = [
        {"metric": metric, "group_by": ["pattern", "month"]} | PERIOD | compare
        for metric in metrics
    ]
    figures.append({"metric": "interventions", "group_by": ["precinct"]} | PERIOD | compare)
    figures.append({"metric": "alarm-load", "group_by": ["month"]} | PERIOD | compare)
    question = {
        "number": 1,
        "wording": "Donaudampfschifffahrtsgesellschaftskapitän" * 20,
        "answer": {"kind": "figures", "text": "ß" * 3_000, "figures": figures},
    }
    draft = REPORT | {"title": "Überwachung" * 27, "questions": [question], "continues": None}
    response = mannheim.client("statistician").post("/v1/reports", json=draft)
    assert response.status_code == 201, response.text

    page = given(mannheim, response.json(), "html").text
    paper = print_page(page, tmp_path, "wide")

    assert_on_paper(paper)
    assert "Konfidenz ab 0,9" in paper.text
    assert "Alarmlast der Videobeobachtung (ISA-18.2)" in paper.text
    assert "Meldungen je Platz und zehn Minuten" in paper.text


def test_the_printed_page_shows_them(
    mannheim: Site, report: dict[str, Any], tmp_path: Path
) -> None:
    require_printer()
    paper = print_page(given(mannheim, report, "html").text, tmp_path, "report")

    text = paper.text
    for expected in (
        "ENTWURF – NICHT FREIGEGEBEN",
        "Drucksache 17/5816",
        "Stand 31. Oktober 2023",
        "552 (gesamtes Vorjahr: 686)",
        "334 (gesamtes Vorjahr: 415)",
        "Verdacht einer Straftat 185",
        "Ordnungswidrigkeit 22",
        "Gefahrenabwehr/sonstiges 127",
        "nein 218",
        "im Median 3 min 0 s",
        "90. Perzentil 5 min 0 s",
        "Eintreffen nicht bekannt 22",
        "Dezember 2018 bis Oktober 2023 nicht erfasst",
        "304 Tage gegenüber 365 Tagen",
        "Training 1",
        "Nicht erhoben.",
        "Fortschreibung von Landtagsdrucksache 17/2833",
        "<script>alert('nein')</script> & Ähnliches",
        report["sha256"],
        f"Position {report['position']} des Journals",
        "Seite 1 von",
    ):
        assert expected in text, f"{expected!r} is not in {text}"
    assert_on_paper(paper)


def test_the_signature_is_checked_by_openssl_alone(
    mannheim: Site, report: dict[str, Any], tmp_path: Path
) -> None:
    for format, name in (("canonical", "report.json"), ("signature", "report.sig")):
        (tmp_path / name).write_bytes(given(mannheim, report, format).content)
    key = mannheim.client("statistician").get("/v1/reports/key")
    (tmp_path / "key.pem").write_bytes(key.content)
    # As the README says it, word by word.
    commands = re.findall(r"^openssl [^#\n]*", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert [line.split()[1] for line in commands] == ["dgst", "pkeyutl", "pkey"]

    def check(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True)

    digest, verification, fingerprint = (check(line) for line in commands)

    assert digest.stdout.split()[-1] == report["sha256"]
    assert (verification.returncode, verification.stdout) == (
        0,
        "Signature Verified Successfully\n",
    )
    assert fingerprint.stdout.split()[-1] == report["key"]

    changed = (tmp_path / "report.json").read_bytes().replace(b'"count":552', b'"count":551')
    (tmp_path / "report.json").write_bytes(changed)
    assert check(commands[0]).stdout.split()[-1] != report["sha256"]
    assert check(commands[1]).returncode != 0
    path = mannheim.server.data_dir / "signing-key.pem"
    assert path.stat().st_mode & 0o777 == 0o600


def test_after_corrections_the_old_figures_stand_and_each_new_one_is_explained(
    mannheim: Site, report: dict[str, Any]
) -> None:
    supervisor = mannheim.client("shift_supervisor")
    found = supervisor.get(
        "/v1/incidents",
        params={
            "category": "criminal_offence",
            "from": "2023-03-01T00:00:00Z",
            "to": "2023-03-05T00:00:00Z",
            "limit": 2,
        },
    ).json()["items"]
    assert len(found) == 2
    changed = supervisor.patch(
        f"/v1/incidents/{found[0]['id']}",
        json={"category": "administrative_offence", "reason": "Keine Straftat"},
        headers={"If-Match": "*"},
    )
    assert changed.status_code == 200, changed.text
    retracted = supervisor.post(
        f"/v1/incidents/{found[1]['id']}/retract", json={"reason": "Doppelt erfasst"}
    )
    assert retracted.status_code == 200, retracted.text

    rechecked = supervisor.post(f"/v1/reports/{report['id']}/recheck").json()

    assert rechecked["intact"] and rechecked["same_position"]["identical"]
    assert rechecked["same_position"]["differences"] == []
    category = {
        difference["group"]["category"]: difference
        for difference in rechecked["now"]["differences"]
        if "category" in difference["group"]
    }
    assert {key: (d["before"], d["after"]) for key, d in category.items()} == {
        "criminal_offence": (185, 183),
        "administrative_offence": (22, 23),
    }
    subjects = {entry["subject"] for entry in category["criminal_offence"]["entries"]}
    assert subjects == {found[0]["id"], found[1]["id"]}
    assert all(difference["entries"] for difference in rechecked["now"]["differences"])
    assert all(
        entry["position"] > report["position"]
        for difference in rechecked["now"]["differences"]
        for entry in difference["entries"]
    )
    assert table(given(mannheim, report, "json").json()["content"]) == GIVEN

    statistician = mannheim.client("statistician")
    now = statistician.post("/v1/reports", json=REPORT).json()
    then = statistician.post("/v1/reports", json=REPORT | {"as_of": report["frozen_at"]}).json()
    assert table(given(mannheim, now, "json").json()["content"]) == [
        *(551, 686, 333, 415, 183, 23, 127, 218)
    ]
    assert table(given(mannheim, then, "json").json()["content"]) == GIVEN
    assert then["position"] == report["position"]


def test_the_command_line_does_the_same(mannheim: Site, tmp_path: Path) -> None:
    server = mannheim.server
    order = tmp_path / "inquiry.json"
    order.write_text(json.dumps(REPORT | {"site": "mannheim"}))
    frozen = tmp_path / "report.json"

    froze = command(server, "report", "freeze", order, "--out", frozen)
    assert froze.returncode == 0, froze.stderr
    report = json.loads(frozen.read_text())
    assert report["id"] in froze.stderr.decode()
    assert report["frozen_by"] is None

    for format in ("html", "csv", "canonical"):
        out = tmp_path / f"out.{format}"
        got = command(server, "report", "get", report["id"], "--format", format, "--out", out)
        assert (got.returncode, got.stdout) == (0, b""), got.stderr
        assert out.read_bytes() == given(mannheim, report, format).content
    rechecked = command(server, "report", "recheck", report["id"], "--out", tmp_path / "r.json")
    assert rechecked.returncode == 0, rechecked.stderr
    assert b"all figures are the same" in rechecked.stdout
    assert json.loads((tmp_path / "r.json").read_text())["same_position"]["identical"]
    log = mannheim.client("auditor").get("/v1/access-log", params={"subject": report["id"]})
    read = [row for row in log.json()["items"] if row["actor"] is None]
    assert [(row["action"], row["request_id"]) for row in read] == [("report.read", None)] * 4
    unknown = command(server, "report", "get", str(uuid.uuid4()))
    assert (unknown.returncode, unknown.stdout) == (64, b""), unknown.stderr

    order.write_text(json.dumps({"title": "x", "questions": []}))
    refused = command(server, "report", "freeze", order)
    assert refused.returncode == 1
    assert b"/reference: must be" in refused.stderr
    assert b"/questions: must be" in refused.stderr


def test_a_statistician_of_all_sites_answers_for_all_of_them(mannheim: Site) -> None:
    server = mannheim.server
    with (
        server.client(server.create_token("statistician")) as author,
        server.client(server.create_token("statistician")) as colleague,
    ):
        hamburg = create_site(server, mannheim.administrator, "hamburg")
        figure = {"metric": "incidents", "group_by": ["site"]} | PERIOD
        question = {
            "number": 1,
            "wording": "wie viele Sachverhalte in welcher Stadt;",
            "answer": {"kind": "figures", "figures": [figure]},
        }
        draft = {"title": "Alle Städte", "reference": "Drucksache 1", "stand": "heute"}
        report = author.post("/v1/reports", json=draft | {"questions": [question]}).json()
        path = f"/v1/reports/{report['id']}"

        assert report["site"] is None
        [answer] = figures(colleague.get(path).json()["content"], 1)
        assert set(cells(answer, "site")) == {"mannheim", "hamburg"}
        assert cells(answer, "site")["hamburg"] == "not_recorded"
        for site in (mannheim, hamburg):
            assert site.client("statistician").get(path).status_code == 404
            assert report not in site.client("auditor").get("/v1/reports").json()["items"]
        assert author.post(f"{path}/release").status_code == 409
        assert colleague.post(f"{path}/release").status_code == 200
        assert colleague.post(f"{path}/recheck").json()["same_position"]["identical"]
        hamburg.close()


@pytest.fixture
def separate(binary: Path, database: str, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers on one database that sign with the same key."""
    options = ("--signing-key", str(tmp_path / "key.pem"))
    with (
        running_server(binary, tmp_path, *options, database=database) as first,
        running_server(binary, tmp_path, *options, database=database) as second,
    ):
        yield first, second


def test_what_was_changed_in_the_database_is_not_given_out(
    separate: tuple[Server, Server], database: str, tmp_path: Path
) -> None:
    first, second = separate
    with first.client(first.create_token("administrator")) as administrator:
        site = create_site(first, administrator, "mannheim")
    report = site.client("statistician").post("/v1/reports", json=REPORT).json()
    path = f"/v1/reports/{report['id']}"
    with second.client(site.token("statistician")) as statistician:
        key = statistician.get("/v1/reports/key").text
        assert key == site.client("statistician").get("/v1/reports/key").text
        assert key == statistician.get("/v1/reports/key", params={"id": report["key"]}).text
        assert statistician.get(path).json()["sha256"] == report["sha256"]
        assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600

        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute(
                "UPDATE reports SET content = convert_to(replace(convert_from(content, 'UTF8'), "
                "'31. Oktober', '30. Oktober'), 'UTF8')"
            )

        for format in ("json", "canonical", "html", "csv", "signature"):
            refused = statistician.get(path, params={"format": format})
            assert (refused.status_code, refused.json()["code"]) == (500, "report.damaged")
        assert statistician.post(f"{path}/recheck").json()["intact"] is False
    place = ("--database", database)
    rechecked = subprocess.run(
        [first.binary, "report", "recheck", report["id"], *place],
        env=environment(),
        capture_output=True,
        timeout=COMMAND_SECONDS_MAX,
    )
    assert rechecked.returncode == 1
    assert b"NOT WHAT WAS SIGNED" in rechecked.stdout
    site.close()
