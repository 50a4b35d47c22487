"""`leitstand import` and `/v1/imports`: years of incidents and interventions from before."""

from __future__ import annotations

import csv
import hashlib
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from server_under_test import Server, Site, create_site, data_directory, environment, running_server

INCIDENTS = 3_000
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2021, 1, 1, 10, 0)
CATEGORIES = ["criminal_offence", "administrative_offence", "hazard_prevention"]
COLUMNS = [
    *("kind", "key", "category", "occurred_at", "recognised_at", "area", "note"),
    *("incident", "immediate", "precinct", "dispatched_at", "arrived_at"),
]
IMPORT_SECONDS_MAX = 120


def history() -> list[dict[str, str]]:
    """An incident every 7 hours by the clock on the wall, and an intervention for two in three."""
    rows = []
    for number in range(INCIDENTS):
        # Always at a full hour, 10 o'clock on: none falls into the hour of a change of clocks.
        at = START + timedelta(days=number // 3, hours=number % 3 * 4)
        rows.append(
            {
                "kind": "incident",
                "key": f"E-{number}",
                "category": CATEGORIES[number % 3],
                "occurred_at": at.isoformat(timespec="minutes"),
                "recognised_at": (at + timedelta(minutes=1)).isoformat(),
                "area": "Paradeplatz",
                "note": 'Zwei Personen, "laut"\r\nund eine dritte' if number % 100 == 0 else "",
            }
        )
        if number % 3 < 2:
            rows.insert(
                # Some stand before their incidents.
                len(rows) - number % 2,
                {
                    "kind": "intervention",
                    "key": f"I-{number}",
                    "incident": f"E-{number}",
                    "immediate": "true" if number % 3 == 0 else "false",
                    "precinct": "Innenstadt",
                    "dispatched_at": (at + timedelta(minutes=2)).isoformat(),
                    "arrived_at": (at + timedelta(minutes=5)).isoformat(),
                },
            )
    return rows


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """A table as spreadsheets export it: byte order mark, CRLF."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def run(server: Server, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the import beside the server, to its end."""
    return subprocess.run(
        [server.binary, "import", *arguments, "--data-dir", server.data_dir],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=IMPORT_SECONDS_MAX,
    )


def every(client: httpx.Client, path: str, **parameters: str | int) -> list[dict]:
    """All pages of a list."""
    items: list[dict] = []
    cursor: dict[str, str] = {}
    while True:
        response = client.get(path, params={"limit": 500} | parameters | cursor)
        assert response.status_code == 200, response.text
        page = response.json()
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}


@pytest.fixture
def site(binary: Path) -> Iterator[Site]:
    """The only site of a server."""
    with data_directory() as directory, running_server(binary, directory / "data") as server:
        with server.client(server.create_token("administrator")) as administrator:
            site = create_site(server, administrator, "mannheim")
            yield site
            site.close()


def test_years_are_imported_while_the_server_runs(site: Site, tmp_path: Path) -> None:
    rows = history()
    file = write(tmp_path / "history.csv", rows)
    interventions = len(rows) - INCIDENTS
    observer = site.client("observer")

    dry = run(site.server, file, "--dry-run")

    assert dry.returncode == 0, dry.stderr
    assert dry.stdout == (
        f"{len(rows)} lines: would be imported {INCIDENTS} incidents and {interventions}"
        " interventions; 0 known already, 0 refused\n"
    )
    assert every(observer, "/v1/incidents") == []

    imported = run(site.server, file)

    assert imported.returncode == 0, imported.stderr
    assert imported.stdout.startswith(
        f"{len(rows)} lines: imported {INCIDENTS} incidents and {interventions} interventions;"
        " 0 known already, 0 refused\n"
    )
    incidents = every(observer, "/v1/incidents")
    assert len({incident["id"] for incident in incidents}) == INCIDENTS
    by_month = Counter(
        datetime.fromisoformat(incident["occurred_at"]).astimezone(BERLIN).strftime("%Y-%m")
        for incident in incidents
    )
    assert by_month == Counter(row["occurred_at"][:7] for row in rows if row["kind"] == "incident")
    assert Counter(incident["category"] for incident in incidents) == dict.fromkeys(
        CATEGORIES, INCIDENTS // 3
    )
    # Recognised after one minute, arrived after five.
    assert Counter(incident["arrival_seconds"] for incident in incidents) == {
        240: interventions,
        None: INCIDENTS - interventions,
    }
    assert sum(incident["immediate_intervention"] for incident in incidents) == INCIDENTS // 3
    assert {incident["source"] for incident in incidents} == {"observer"}
    assert {incident["assessment"] for incident in incidents} == {"not_assessable"}
    notes = [incident["note"] for incident in incidents if incident["note"]]
    assert notes == ['Zwei Personen, "laut"\r\nund eine dritte'] * (INCIDENTS // 100)
    march = {"from": "2021-03-01T00:00:00+01:00", "to": "2021-04-01T00:00:00+02:00"}
    assert len(every(observer, "/v1/incidents", **march)) == 93
    assert len(every(observer, "/v1/interventions")) == interventions

    again = run(site.server, file)

    assert again.returncode == 0, again.stderr
    assert again.stdout == (
        f"{len(rows)} lines: imported 0 incidents and 0 interventions;"
        f" {len(rows)} known already, 0 refused\n"
    )
    assert len(every(observer, "/v1/incidents")) == INCIDENTS
    (listed,) = every(site.administrator, "/v1/imports")
    assert imported.stdout.endswith(f"import {listed['id']}\n")
    assert listed["file_hash"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert listed["imported_by"] is None
    assert (listed["incidents"], listed["interventions"]) == (INCIDENTS, interventions)


def test_bad_lines_are_told_by_number_and_nothing_is_imported(site: Site, tmp_path: Path) -> None:
    rows = [row for row in history() if row["kind"] == "incident"][:10]
    rows[3]["occurred_at"] = "2022-10-30T02:30"
    rows[7]["category"] = "theft"
    file = write(tmp_path / "history.csv", rows)
    lines = line_numbers(file)
    observer = site.client("observer")

    refused = run(site.server, file)

    assert refused.returncode == 1
    assert refused.stdout.splitlines() == [
        f"line {lines[3]}, occurred_at: must have an offset, since 2022-10-30T02:30:00 was there"
        " twice in Europe/Berlin, where the clocks were put back: 2022-10-30T02:30:00+02:00 or"
        " 2022-10-30T02:30:00+01:00",
        f"line {lines[7]}, category: must be one of criminal_offence, administrative_offence,"
        ' hazard_prevention, is "theft"',
        "10 lines: nothing imported; 0 known already, 2 refused",
    ]
    assert every(observer, "/v1/incidents") == []

    partial = run(site.server, file, "--partial")

    assert partial.returncode == 1
    assert partial.stdout.splitlines()[-2] == (
        "10 lines: imported 8 incidents and 0 interventions; 0 known already, 2 refused"
    )
    assert len(every(observer, "/v1/incidents")) == 8


def line_numbers(file: Path) -> list[int]:
    """Where each record behind the header begins."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines)
        next(reader)
        starts = []
        start = reader.line_num + 1
        for _ in reader:
            starts.append(start)
            start = reader.line_num + 1
        return starts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "No such file"),
        (["/tmp"], "no plain file"),
        (["history.txt"], "--format csv or ndjson"),
        (["history.csv", "--format", "xls"], "--format must be csv or ndjson"),
        (["history.csv", "--site", "Mannheim!"], "--site must be"),
        (["history.csv", "--site", "hamburg"], "there is no site hamburg"),
    ],
)
def test_bad_arguments_say_what_would_be_right(
    site: Site, tmp_path: Path, arguments: list[str], message: str
) -> None:
    for name in ("history.csv", "history.txt"):
        write(tmp_path / name, [])
    file, *options = arguments
    path = Path(file) if file.startswith("/") else tmp_path / file
    if file == "/tmp":
        options += ["--format", "csv"]

    result = run(site.server, path, *options)

    assert result.returncode not in (0, 1), result.stdout
    assert message in result.stderr
