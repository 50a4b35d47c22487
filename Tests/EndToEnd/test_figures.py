"""What makes figures trustworthy: they are checked, consistent, guarded, and come out whole."""

from __future__ import annotations

import csv
import io
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest

from detections import Node, detection, instant
from postgresql_cluster import Cluster
from server_under_test import (
    Server,
    Site,
    create,
    create_site,
    environment,
    place_of_data,
    running_server,
)

PERIOD = {"from": "2026-04-01", "to": "2026-05-01"}
BOTH = {"compare": "previous_same_period,previous_full_year"}
#: Of cameras on a day.
KINDS = ("installed", "analysed")


def record(site: Site, occurred_at: str, **members: Any) -> dict[str, Any]:
    """A new incident."""
    plain = {"site": site.id, "category": "criminal_offence", "occurred_at": occurred_at}
    return create(site.client("observer"), "/v1/incidents", plain | members)


def ask(client: httpx.Client, metric: str, **parameters: str) -> dict[str, Any]:
    """An answer."""
    response = client.get(f"/v1/statistics/{metric}", params=PERIOD | parameters)
    assert response.status_code == 200, response.text
    return response.json()


def metrics(client: httpx.Client) -> list[dict[str, Any]]:
    """The definitions of all metrics."""
    response = client.get("/v1/statistics")
    assert response.status_code == 200, response.text
    return response.json()["items"]


def parts_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The period and what it is compared with."""
    return [answer, *answer["comparisons"]]


# Verifying


@pytest.fixture
def own(binary: Path, cluster: Cluster, tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """A server on a database of this test alone."""
    database = cluster.create_database(f"leitstand-{uuid.uuid4().hex}")
    with running_server(binary, tmp_path, database=database) as server:
        yield server, database


def verify(server: Server) -> subprocess.CompletedProcess[str]:
    """What the command line says of the ledger."""
    command = [str(server.binary), "verify", "statistics"]
    command += place_of_data(server.data_dir, server.database)
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("tampering", "says"),
    [
        # Of today: the category that is counted last.
        (
            "UPDATE incident_ledger SET category = 'hazard_prevention' "
            "WHERE ordinal = (SELECT max(ordinal) FROM incident_ledger)",
            '"category": "hazard_prevention"',
        ),
        # Of an earlier position alone: what is counted and taken back again.
        (
            "UPDATE incident_ledger SET monitored = false "
            "WHERE ordinal < (SELECT max(ordinal) FROM incident_ledger)",
            '"monitored": false',
        ),
        (
            "DELETE FROM incident_ledger "
            "WHERE ordinal < (SELECT max(ordinal) FROM incident_ledger)",
            '"category": "criminal_offence"',
        ),
        (
            "UPDATE intervention_ledger SET arrival_seconds = arrival_seconds - 60",
            '"arrival_seconds": 120',
        ),
    ],
)
def test_verifying_prints_what_was_tampered_with(
    own: tuple[Server, str], tampering: str, says: str
) -> None:
    server, database = own
    with server.client(server.create_token("administrator")) as administrator:
        site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
        matter = record(site, "2026-04-02T12:00:00Z", area=site.area)
        observer = site.client("observer")
        sent = create(
            observer,
            "/v1/interventions",
            {"incident": matter["id"], "immediate": True, "dispatched_at": "2026-04-02T12:01:00Z"},
        )
        arrived = observer.post(
            f"/v1/interventions/{sent['id']}/arrive", json={"at": "2026-04-02T12:04:00Z"}
        )
        assert arrived.status_code == 200
        corrected = observer.patch(
            f"/v1/incidents/{matter['id']}",
            json={"category": "administrative_offence", "reason": "Keine Straftat."},
            headers={"If-Match": "*"},
        )
        assert corrected.status_code == 200, corrected.text
        site.close()
    untouched = verify(server)
    assert (untouched.returncode, untouched.stdout) == (
        0,
        "the ledger agrees with the journal\n",
    )

    with psycopg.connect(database, autocommit=True) as superuser:
        superuser.execute(tampering)

    found = verify(server)
    assert found.returncode == 1, found.stdout + found.stderr
    lines = [line for line in found.stdout.splitlines() if says in line]
    assert lines, found.stdout
    subject = sent["id"] if "intervention" in tampering else matter["id"]
    assert all(subject in line and " from position " in line for line in lines)
    assert found.stdout.splitlines()[0][0] in "+-"


# How the squares were watched


def local_midnight(days_ago: int) -> datetime:
    """When a day of the site began."""
    zone = ZoneInfo("Europe/Berlin")
    day = datetime.now(zone).date() - timedelta(days=days_ago)
    return datetime.combine(day, time(), zone)


def recorded_until(database: str, instant: datetime) -> None:
    """Records the hours before an instant, at once instead of in their time."""
    with psycopg.connect(database, autocommit=True) as superuser:
        while True:
            with superuser.transaction():
                # The server's own turn is waited for.
                superuser.execute("SELECT pg_advisory_xact_lock(7236015)")
                superuser.execute("SELECT advance_coverage()")
                [more] = superuser.execute("SELECT record_coverage()").fetchone()
            [until] = superuser.execute(
                "SELECT max(recorded_until) FROM coverage_recordings"
            ).fetchone()
            if not more and until is not None and until >= instant:
                return


def test_coverage_and_cameras_of_days_are_told_and_stay_as_they_were_known(
    own: tuple[Server, str],
) -> None:
    server, database = own
    midnights = [local_midnight(days_ago) for days_ago in (3, 2, 1, 0)]
    days = [midnight.date().isoformat() for midnight in midnights]
    noon = midnights[1] + timedelta(hours=12)
    with server.client(server.create_token("administrator")) as administrator:
        site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
        statistician = site.client("statistician")
        with psycopg.connect(database, autocommit=True) as superuser, superuser.transaction():
            superuser.execute("UPDATE cameras SET installed_at = '2020-01-01Z'")
            superuser.execute(
                "UPDATE coverage_progress SET since = %s, recorded_until = %s", [midnights[0]] * 2
            )
            superuser.execute(
                "INSERT INTO analysis_intervals "
                "(site, camera, pattern, node, starts_at, ends_at, status, model) "
                "SELECT c.site, c.id, 'hitting', n.id, %s, %s, 'analysing', n.model "
                "FROM cameras c JOIN nodes n ON n.site = c.site",
                [midnights[1], noon],
            )
        recorded_until(database, midnights[3])
        period = {"from": days[0], "to": days[3], "group_by": "day"}
        coverage = ask(statistician, "coverage", **period)
        cameras = ask(statistician, "cameras", **period)
        assert [cell["values"]["analysed_hours"] for cell in coverage["cells"]] == [
            0,
            (noon - midnights[1]).total_seconds() / 3600,
            0,
        ]
        for cell, begin, end in zip(coverage["cells"], midnights, midnights[1:]):
            hours = (end.astimezone(UTC) - begin.astimezone(UTC)).total_seconds() / 3600
            assert sum(cell["values"].values()) == hours
        assert [
            (cell["group"]["day"], *(cell["values"][f"{kind}_last_day"] for kind in KINDS))
            for cell in cameras["cells"]
        ] == [(days[0], 1, 0), (days[1], 1, 1), (days[2], 1, 0)]
        total = cameras["total"]["values"]
        assert (total["installed_camera_days"], total["analysed_camera_days"]) == (3, 1)
        assert (total["installed_mean"], total["analysed_mean"]) == (1, pytest.approx(1 / 3))
        assert (total["analysed_lowest"], total["analysed_highest"]) == (0, 1)
        assert cameras["sentence"] == "Kameras installiert am letzten Tag: 1"
        ahead = ask(statistician, "cameras", **{"from": days[2], "to": "2199-12-31"})
        assert ahead["total"]["values"]["installed_mean"] == "partial"
        assert ahead["total"]["known_part"]["installed_mean"] == 1

        # An order that is entered days later.
        create(
            administrator,
            "/v1/interruptions",
            {
                "site": site.id,
                "ground": "assembly",
                "from": midnights[0].isoformat(),
                "to": midnights[2].isoformat(),
            },
        )
        recorded_until(database, midnights[3])
        known = {"as_of": cameras["as_of"]["recorded_at"]}
        assert ask(statistician, "cameras", **period)["total"]["values"][
            "analysed_camera_days"
        ] == 0
        assert ask(statistician, "cameras", **period, **known)["cells"] == cameras["cells"]
        assert ask(statistician, "coverage", **period, **known)["cells"] == coverage["cells"]
        site.close()
    untouched = verify(server)
    assert (untouched.returncode, untouched.stdout) == (0, "the ledger agrees with the journal\n")

    with psycopg.connect(database, autocommit=True) as superuser:
        superuser.execute("SELECT extend_ledger_runs(settle_ledger())")
        superuser.execute("UPDATE coverage_cells SET amount = amount + 1 WHERE cube = 'base'")
        superuser.execute("DELETE FROM camera_day_cells WHERE cube = 'area'")

    found = verify(server)
    assert found.returncode == 1, found.stdout + found.stderr
    assert {line.split()[1] for line in found.stdout.splitlines()} >= {
        "coverage_cells",
        "camera_day_cells",
    }


# Reading while much is written


class Writers:
    """Threads that work until the block ends, and fail it when one of them has failed."""

    def __init__(self, *works: Callable[[], None]) -> None:
        self.ended = threading.Event()
        self.errors: list[BaseException] = []
        self.threads = [threading.Thread(target=self.repeat, args=(work,)) for work in works]

    def repeat(self, work: Callable[[], None]) -> None:
        try:
            while not self.ended.is_set():
                work()
        except BaseException as error:
            self.errors.append(error)

    def __enter__(self) -> Writers:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()
        assert not self.errors, self.errors


def test_figures_are_whole_while_detections_and_matters_pour_in(
    server: Server, site: Site
) -> None:
    created = retracted = 0

    def report() -> None:
        nonlocal created, retracted
        matter = record(site, "2026-04-10T12:00:00Z", area=site.area)
        created += 1
        if created % 3 == 0:
            path = f"/v1/incidents/{matter['id']}/retract"
            response = site.client("shift_supervisor").post(path, json={"reason": "Doppelt."})
            assert response.status_code == 200, response.text
            retracted += 1

    # Since then matters are recorded.
    record(site, "2026-03-31T12:00:00Z")
    # Made before the threads begin, which share them.
    site.client("observer"), site.client("shift_supervisor")
    with Node(server, site.token("node")) as node:
        posted = 0

        def detect() -> None:
            nonlocal posted
            sent = [detection(site, occurred_at=instant(seconds=n)) for n in range(200)]
            status, answer = node.post(sent)
            assert status == 200
            assert all(item["outcome"] == "created" for item in answer["items"])
            posted += len(sent)

        answers = []
        statistician = site.client("statistician")
        with Writers(detect, report) as writers:
            while not writers.errors and (
                len(answers) < 40 or posted < 5_000 or retracted < 5
            ):
                before = created
                answer = ask(statistician, "incidents", group_by="day,category,monitored", **BOTH)
                answers.append((answer, before, created + 1))

    for answer, least, most in answers:
        for part in parts_of(answer):
            cells = [cell["values"]["count"] for cell in part["cells"]]
            total = part["total"]["values"]["count"]
            known = [cell["known_part"]["count"] for cell in part["cells"] if "known_part" in cell]
            known += [count for count in cells if isinstance(count, int)]
            whole = part["total"].get("known_part", {"count": total})["count"]
            assert sum(known) == (whole if isinstance(whole, int) else 0)
        total = answer["total"]["values"]["count"]
        assert least <= total + answer["left_out"]["retracted"] <= most
    positions = [answer["as_of"]["position"] for answer, _, _ in answers]
    assert positions == sorted(positions) and len(set(positions)) > 10
    for answer, _, _ in answers[::10]:
        again = ask(
            statistician,
            "incidents",
            group_by="day,category,monitored",
            as_of=answer["as_of"]["recorded_at"],
            **BOTH,
        )
        assert again["as_of"]["position"] == answer["as_of"]["position"]
        for then, now in zip(parts_of(answer), parts_of(again), strict=True):
            for member in ("cells", "left_out"):
                assert now[member] == then[member]
            assert now["total"] == then["total"]


# Who sees what


@pytest.fixture
def two_sites(server: Server, administrator: httpx.Client) -> Iterator[tuple[Site, Site]]:
    """Two sites with matters, dispatches and an alarm each; the second has more."""
    sites = []
    for count in (1, 2):
        site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
        sites.append(site)
        with Node(server, site.token("node")) as node:
            assert node.post(detection(site))[0] == 201
        for number in range(count):
            matter = record(site, f"2026-04-0{number + 2}T12:00:00Z", area=site.area)
            create(
                site.client("observer"),
                "/v1/interventions",
                {
                    "incident": matter["id"],
                    "immediate": True,
                    "precinct": f"Revier {site.id}",
                    "dispatched_at": f"2026-04-0{number + 2}T12:01:00Z",
                },
            )
            record(site, "2025-04-02T12:00:00Z")
    yield sites[0], sites[1]
    for site in sites:
        site.close()


@pytest.mark.parametrize("role", ["statistician", "shift_supervisor"])
def test_figures_of_one_site_tell_nothing_of_another(
    two_sites: tuple[Site, Site], role: str
) -> None:
    own, other = two_sites
    client = own.client(role)

    definitions = metrics(client)
    assert {since["site"] for item in definitions for since in item["recorded_since"]} == {own.id}
    for item in definitions:
        metric = item["metric"]
        groups = [g for g in ("site", "area", "precinct", "camera") if g in item["group_by"]]
        for group in groups:
            response = client.get(
                f"/v1/statistics/{metric}", params=PERIOD | BOTH | {"group_by": group}
            )
            assert response.status_code == 200, response.text
            for foreign in (other.id, other.area, other.camera, other.node):
                assert foreign not in response.text
            for part in parts_of(response.json()):
                assert [period["site"] for period in part["periods"]] == [own.id]
        for named in ({"site": other.id}, {"site": "nowhere"}):
            refused = client.get(f"/v1/statistics/{metric}", params=PERIOD | named)
            assert (refused.status_code, refused.json()["code"]) == (404, "site.unknown")
    totals = ask(client, "incidents", **BOTH)
    assert totals["total"]["values"]["count"] == 1
    assert totals["comparisons"][0]["total"]["known_part"]["count"] == 1
    # Of another site's area there is nothing, though it exists.
    foreign = ask(client, "incidents", area=other.area)
    assert foreign["total"]["values"]["count"] == 0
    listed = client.get(
        "/v1/statistics/incidents", params=PERIOD | {"format": "csv", "group_by": "site"}
    )
    assert own.id in listed.text and other.id not in listed.text


def test_a_statistician_reads_figures_and_nothing_single(two_sites: tuple[Site, Site]) -> None:
    site, _ = two_sites
    observer = site.client("observer")
    alarm = observer.get("/v1/alarms", params={"site": site.id}).json()["items"][0]["id"]
    matter = observer.get("/v1/incidents", params={"site": site.id}).json()["items"][0]["id"]
    client = site.client("statistician")

    assert ask(client, "incidents")["total"]["values"]["count"] == 1
    for path in (
        "/v1/incidents",
        f"/v1/incidents/{matter}",
        f"/v1/incidents/{matter}/history",
        "/v1/interventions",
        "/v1/alarms",
        f"/v1/alarms/{alarm}",
        f"/v1/alarms/{alarm}/history",
        "/v1/detections",
        "/v1/evidence-holds",
        "/v1/labels",
        "/v1/audit",
        "/v1/stream",
        "/v1/handover",
    ):
        response = client.get(path, params={"site": site.id})
        assert (response.status_code, response.json()["code"]) == (403, "role.forbidden"), path


def test_each_reading_of_figures_has_its_row_in_the_access_log(
    two_sites: tuple[Site, Site],
) -> None:
    site, other = two_sites
    names = [item["metric"] for item in metrics(site.client("statistician"))]

    for metric in names:
        ask(site.client("statistician"), metric)
        ask(site.client("shift_supervisor"), metric, compare="previous_full_year")
        csv_ = site.client("statistician").get(
            f"/v1/statistics/{metric}", params=PERIOD | {"dialect": "excel-de"}
        )
        assert csv_.status_code == 200

    log = site.client("auditor").get(
        "/v1/access-log", params={"site": site.id, "action": "statistics.read", "limit": 500}
    )
    read = [(row["subject"], row["actor"]["role"]) for row in log.json()["items"]]
    expected = [
        (metric, role)
        for metric in names
        for role in ("statistician", "shift_supervisor", "statistician")
    ]
    assert sorted(read) == sorted(expected)
    nothing = other.client("auditor").get(
        "/v1/access-log", params={"site": other.id, "action": "statistics.read"}
    )
    assert nothing.json()["items"] == []


# Tables for other programs

NAMES = [
    "=SUM(A1:A9)",
    "+49 621",
    "-1",
    "@cmd",
    "Revier \"Mitte\"",
    "Mitte; Ost",
    "Mitte, Ost",
    "'quoted'",
    "Straße der Träume, \"West\"; =1",
    "=\"a\";\"b\"",
]


@pytest.mark.parametrize(("dialect", "delimiter"), [("rfc4180", ","), ("excel-de", ";")])
def test_a_table_is_read_back_as_the_answer_says(
    site: Site, dialect: str, delimiter: str
) -> None:
    matter = record(site, "2026-04-02T12:00:00Z")
    for number, name in enumerate(NAMES):
        for _ in range(number + 1):
            create(
                site.client("observer"),
                "/v1/interventions",
                {
                    "incident": matter["id"],
                    "immediate": True,
                    "precinct": name,
                    "dispatched_at": "2026-04-02T12:01:00Z",
                },
            )
    client = site.client("statistician")
    asked = {"from": "2026-04-02", "group_by": "precinct,weekday"} | BOTH
    answer = ask(client, "interventions", **asked)

    response = client.get(
        "/v1/statistics/interventions", params=PERIOD | asked | {"dialect": dialect}
    )

    encoding = "utf-8-sig" if dialect == "excel-de" else "utf-8"
    assert response.content.startswith(b"\xef\xbb\xbf") == (dialect == "excel-de")
    text = response.content.decode(encoding)
    assert text.endswith("\r\n")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    assert all(None not in row and None not in row.values() for row in rows)
    written = []
    for name, part in zip(
        ["asked", "previous_same_period", "previous_full_year"], parts_of(answer), strict=True
    ):
        for cell in part["cells"]:
            precinct = cell["group"]["precinct"] or ""
            # Harmless for a program that would run a formula.
            harmless = "'" + precinct if precinct[:1] in "=+-@" and precinct else precinct
            values = str(cell["values"]["count"])
            written.append((name, "cell", harmless, cell["group"]["weekday"], values))
        written.append((name, "total", "", "", str(part["total"]["values"]["count"])))
    read = [
        (row["period"], row["row"], row["precinct"], row["weekday"], row["count"])
        for row in rows
        if row["row"] in ("cell", "total")
    ]
    assert read == written
    counted = {
        row["precinct"].removeprefix("'"): row["count"]
        for row in rows
        if (row["period"], row["row"]) == ("asked", "cell") and row["count"] != "0"
    }
    assert counted["=SUM(A1:A9)"] == "1" and counted["Mitte, Ost"] == "7"
    assert not any(value[:1] in ("=", "+", "-", "@") for row in rows for value in row.values() if value)


def test_decimals_are_written_as_the_dialect_has_them(site: Site) -> None:
    matter = record(site, "2026-04-02T12:00:00Z")
    observer = site.client("observer")
    for seconds in (30, 31):
        sent = create(
            observer,
            "/v1/interventions",
            {
                "incident": matter["id"],
                "immediate": True,
                "dispatched_at": "2026-04-02T12:00:00Z",
            },
        )
        observer.post(
            f"/v1/interventions/{sent['id']}/arrive", json={"at": f"2026-04-02T12:00:{seconds}Z"}
        )
    client = site.client("statistician")
    asked = PERIOD | {"from": "2026-04-02", "clock": "dispatch"}

    plain = client.get("/v1/statistics/arrival-times", params=asked | {"dialect": "rfc4180"}).text
    german = client.get("/v1/statistics/arrival-times", params=asked | {"dialect": "excel-de"}).text

    assert next(csv.DictReader(io.StringIO(plain)))["mean_seconds"] == "30.5"
    first = next(csv.DictReader(io.StringIO(german.removeprefix("\ufeff")), delimiter=";"))
    assert (first["known"], first["mean_seconds"]) == ("2", "30,5")
