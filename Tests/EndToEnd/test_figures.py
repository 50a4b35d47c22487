"""What makes figures trustworthy: they are checked, consistent, guarded, and come out whole."""

from __future__ import annotations

import csv
import functools
import io
import itertools
import subprocess
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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


def record_hours(database: str) -> None:
    """Records the hours that are over, at once instead of in their time."""
    with psycopg.connect(database, autocommit=True) as superuser:
        more = True
        while more:
            with superuser.transaction():
                # The server's own turn is waited for, and the two minutes after an hour are not.
                superuser.execute("SELECT pg_advisory_xact_lock(7236015)")
                superuser.execute("SELECT pg_advisory_xact_lock(7236013)")
                superuser.execute(
                    "SELECT advance_coverage(clock_timestamp() + interval '2 minutes')"
                )
                [more] = superuser.execute("SELECT record_coverage()").fetchone()


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
        record_hours(database)
        period = {"from": days[0], "to": days[3], "group_by": "day"}
        coverage = ask(statistician, "coverage", **period)
        cameras = ask(statistician, "cameras", **period)
        assert [cell["values"]["analysed_hours"] for cell in coverage["cells"]] == [
            0,
            (noon.astimezone(UTC) - midnights[1].astimezone(UTC)).total_seconds() / 3600,
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
        record_hours(database)
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


# How much rang


def test_the_alarm_load_of_an_hour_is_told_and_stays_as_it_was_known(
    own: tuple[Server, str],
) -> None:
    server, database = own
    with server.client(server.create_token("administrator")) as administrator:
        site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
        quiet = create(administrator, "/v1/areas", {"site": site.id, "name": "Ohne Kamera"})
        positions = [{"name": "Platz 1"}, {"name": "Platz 2", "areas": [quiet["id"]]}]
        changed = administrator.patch(
            f"/v1/sites/{site.id}", json={"positions": positions}, headers={"If-Match": "*"}
        )
        assert changed.status_code == 200, changed.text
        node, statistician = site.client("node"), site.client("statistician")
        for number in range(12):
            camera = {"site": site.id, "area": site.area, "name": "K", "key": f"k-{number}"}
            create(administrator, "/v1/cameras", camera)
            detection = {
                "id": str(uuid.uuid4()),
                "camera": f"k-{number}",
                "pattern": "hitting",
                "confidence": 0.95,
                "occurred_at": datetime.now(UTC).isoformat(),
            }
            create(node, "/v1/detections", detection)
        alarms = site.client("observer").get("/v1/alarms", params={"site": site.id}).json()
        rang = sorted(datetime.fromisoformat(a["annunciated_at"]) for a in alarms["items"])
        assert len(rang) == 12
        # The positions were entered a moment before the first alarm; as if it had been long ago.
        with psycopg.connect(database, autocommit=True) as superuser:
            superuser.execute("CREATE TABLE entered AS TABLE observer_position_periods")
            superuser.execute("UPDATE observer_position_periods SET valid_from = '-infinity'")
        begin = rang[0].replace(minute=0, second=0, microsecond=0)
        end = rang[-1].replace(minute=0, second=0, microsecond=0) + timedelta(hours=2)

        def recorded() -> None:
            with psycopg.connect(database, autocommit=True) as superuser:
                # The server's own turn is waited for.
                with superuser.transaction():
                    superuser.execute("SELECT pg_advisory_xact_lock(7236016)")
                    superuser.execute("SELECT record_load(%s)", [end + timedelta(minutes=2)])

        # It begins before the first alarm, from whose hour on it is recorded.
        period = {"from": (begin - timedelta(hours=1)).isoformat(), "to": end.isoformat()}
        recorded()
        load = ask(statistician, "alarm-load", **period)

        windows: dict[datetime, int] = {}
        for instant in rang:
            window = instant.replace(minute=instant.minute // 10 * 10, second=0, microsecond=0)
            windows[window] = windows.get(window, 0) + 1
        count = (end - begin) // timedelta(minutes=10)
        above = sum(alarms > 10 for alarms in windows.values())
        flood = rang[7].replace(microsecond=0) + timedelta(minutes=10) - rang[10].replace(
            microsecond=0
        )
        assert set(load["total"]["values"].values()) == {"partial"}
        assert load["total"]["known_part"] == {
            "annunciated": 12,
            "chattering": 0,
            "stale": 0,
            "top_ten_share": pytest.approx(10 / 12),
            # Of two positions, one of which watches what has no camera.
            "windows": 2 * count,
            "mean_per_ten_minutes": pytest.approx(12 / (2 * count)),
            "windows_above_ten": above,
            "share_above_ten": pytest.approx(above / (2 * count)),
            "peak_ten_minutes": max(windows.values()),
            "floods": 1,
            "flood_minutes": pytest.approx(flood.total_seconds() / 60),
        }
        by_camera = ask(statistician, "alarm-load", group_by="camera", **period)
        assert {
            (cell["known_part"]["annunciated"], cell["values"]["windows"])
            for cell in by_camera["cells"]
        } == {(1, None)}
        table = statistician.get(
            "/v1/statistics/alarm-load", params=period | {"group_by": "hour_of_day", "format": "csv"}
        )
        assert table.status_code == 200 and "peak_ten_minutes" in table.text
        later = {"from": end.isoformat(), "to": (end + timedelta(hours=1)).isoformat()}
        unrecorded = ask(statistician, "alarm-load", **later)
        assert unrecorded["total"]["values"]["floods"] == "not_recorded"
        small = ask(statistician, "alarm-load", suppress_below="20", **period)
        assert set(small["total"]["values"].values()) == {"suppressed"}

        # Somebody says later that nobody sat there.
        with psycopg.connect(database, autocommit=True) as superuser:
            superuser.execute("UPDATE observer_position_periods SET staffed = '[]' WHERE name = 'Platz 1'")
            superuser.execute("INSERT INTO load_due (site, lower) VALUES (%s, %s)", [site.id, begin])
        recorded()
        known = {"as_of": load["as_of"]["recorded_at"]}
        assert ask(statistician, "alarm-load", **period)["total"]["known_part"]["floods"] == 0
        assert ask(statistician, "alarm-load", **period, **known)["total"] == load["total"]
        site.close()
    tampered = verify(server)
    assert tampered.returncode == 1, tampered.stdout + tampered.stderr
    assert {line.split()[1] for line in tampered.stdout.splitlines()} == {"observer_position"}
    with psycopg.connect(database, autocommit=True) as superuser:
        with superuser.transaction():
            superuser.execute("DELETE FROM observer_position_periods")
            superuser.execute("INSERT INTO observer_position_periods TABLE entered")
            superuser.execute("INSERT INTO load_due (site, lower) VALUES (%s, %s)", [site.id, begin])
    recorded()
    restored = verify(server)
    assert (restored.returncode, restored.stdout) == (0, "the ledger agrees with the journal\n")

    with psycopg.connect(database, autocommit=True) as superuser:
        superuser.execute("UPDATE load_ledger SET value = 3 WHERE value = 0")
        superuser.execute("UPDATE annunciation_ledger SET chattering = true")

    found = verify(server)
    assert found.returncode == 1, found.stdout + found.stderr
    assert {line.split()[1] for line in found.stdout.splitlines()} >= {"load", "annunciation"}


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


class Tally:
    """What the writers of a test have been told to be done, counted by any of their threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.alarms: set[str] = set()
        self.counts: Counter[str] = Counter()

    def add(self, *names: str, alarms: Iterable[str] = ()) -> None:
        with self.lock:
            self.counts.update(names)
            self.alarms.update(alarms)

    def so_far(self) -> dict[str, int]:
        with self.lock:
            return dict(self.counts, alarms=len(self.alarms))


class Nodes:
    """Connections that post detections as fast as the server takes them, each of its own camera.

    Two and two they are one alarm, of any time of the last days.
    """

    CONNECTIONS = 4
    PATTERNS = ("hitting", "kicking", "pushing")

    def __init__(self, site: Site, tally: Tally) -> None:
        self.site, self.tally = site, tally
        self.connections: list[Node] = []
        self.works: list[Callable[[], None]] = []
        for number in range(self.CONNECTIONS):
            new = {"site": site.id, "area": site.area, "name": f"C {number}", "key": f"c{number}"}
            create(site.administrator, "/v1/cameras", new)
            node = Node(site.server, site.token("node"))
            self.connections.append(node)
            # No two alarms of a camera are closer than their quiet time.
            ages = itertools.count(60 * 3_600, -40)
            self.works.append(functools.partial(self.post, node, f"c{number}", ages))

    def __enter__(self) -> Nodes:
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.connections:
            node.connection.close()

    def post(self, node: Node, camera: str, ages: Iterator[int]) -> None:
        sent = [
            detection(
                self.site, camera=camera, pattern=pattern, occurred_at=instant(seconds=age - more)
            )
            for age in itertools.islice(ages, 17)
            for pattern in self.PATTERNS
            for more in (0, 5)
        ]
        status, answer = node.post(sent)
        assert status == 200
        assert {item["outcome"] for item in answer["items"]} == {"created"}
        self.tally.add(
            *["detections"] * len(sent), alarms={item["alarm"] for item in answer["items"]}
        )


class Observers:
    """One who judges alarms, records matters, and retracts some of those without an alarm."""

    def __init__(self, site: Site, tally: Tally) -> None:
        self.site, self.tally = site, tally
        # Made before the threads begin, which share them.
        self.client, self.supervisor = site.client("observer"), site.client("shift_supervisor")

    def judge(self) -> None:
        """Dismisses an alarm, and confirms another, to which units are sent that arrive."""
        query = {"verdict": "none", "limit": 2}
        alarms = self.client.get("/v1/alarms", params=query).json()["items"]
        dismissed, confirmed = (f"/v1/alarms/{alarm['id']}" for alarm in alarms)
        self.post(f"{dismissed}/dismiss", {"reason": "play"})
        self.tally.add("dismissed")
        matter = self.post(f"{confirmed}/confirm", {"incident": {"category": "criminal_offence"}})
        self.tally.add("confirmed", "with_incident", "matters")
        new = {"incident": matter["incident"], "immediate": True}
        sent = create(self.client, "/v1/interventions", new)
        self.tally.add("dispatched")
        self.post(f"/v1/interventions/{sent['id']}/arrive", {})
        self.tally.add("arrived")

    def report(self) -> None:
        """Records a matter that no alarm told of; one of three is retracted."""
        matter = record(self.site, instant(hours=1), area=self.site.area)
        self.tally.add("matters", "reported")
        if self.tally.so_far()["reported"] % 3 == 0:
            path = f"/v1/incidents/{matter['id']}/retract"
            response = self.supervisor.post(path, json={"reason": "Doppelt."})
            assert response.status_code == 200, response.text
            self.tally.add("retracted")

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = self.client.post(path, json=body)
        assert response.status_code == 200, response.text
        return response.json()


FUNNEL = ("alarms", "with_incident", "dispatched", "arrived")
VERDICTS = ("confirmed", "dismissed", "unjudged")
# By groups whose values do not depend on the time at which they are asked for.
GROUPED = {
    "alarm-funnel": "camera,pattern,late",
    "detection-quality": "pattern,model,rule",
    "incidents": "category,monitored,source",
}


def known(cell: dict[str, Any]) -> dict[str, Any]:
    """What is known of a cell, the present day as far as it has come."""
    return cell.get("known_part", cell["values"])


def expect_consistency(answer: dict[str, Any]) -> None:
    """Whatever moment an answer is of, its figures fit each other."""
    for part in parts_of(answer):
        total = known(part["total"])
        for measure in (*FUNNEL, *VERDICTS, "count", "detected", "missed", "not_assessable"):
            if isinstance(total.get(measure), int):
                assert sum(known(cell)[measure] for cell in part["cells"]) == total[measure]
        for cell in (*part["cells"], part["total"]):
            figures = known(cell)
            if answer["metric"] == "alarm-funnel" and isinstance(figures["alarms"], int):
                stages = [figures[stage] for stage in FUNNEL]
                assert stages == sorted(stages, reverse=True)
                assert sum(figures[verdict] for verdict in VERDICTS) == figures["alarms"]


def test_figures_are_whole_while_all_is_written_at_full_speed(server: Server, site: Site) -> None:
    """Each is of one moment, knows what was answered before, and is the same for ever."""
    tally = Tally()
    observers = Observers(site, tally)
    statistician = site.client("statistician")
    day = datetime.now(UTC).date()
    period = {
        "from": (day - timedelta(days=4)).isoformat(),
        "to": (day + timedelta(days=3)).isoformat(),
    }

    def asked(metric: str, **parameters: str) -> dict[str, Any]:
        query = period | {"group_by": GROUPED[metric]} | BOTH | parameters
        return ask(statistician, metric, **query)

    def is_enough(answers: list[Any]) -> bool:
        done = tally.so_far()
        return (
            len(answers) >= 60
            and done.get("detections", 0) >= 5_000
            and done.get("arrived", 0) >= 10
            and done.get("retracted", 0) >= 5
        )

    answers: list[tuple[dict[str, Any], dict[str, int]]] = []
    metrics_in_turn = itertools.cycle(GROUPED)
    with Nodes(site, tally) as nodes:
        # Since then alarms are recorded.
        nodes.works[0]()
        with Writers(*nodes.works, observers.judge, observers.report) as writers:
            while not writers.errors and not is_enough(answers):
                before = tally.so_far()
                answers.append((asked(next(metrics_in_turn)), before))

    for answer, before in answers:
        expect_consistency(answer)
        total = known(answer["total"])
        if answer["metric"] == "incidents":
            least = before.get("matters", 0)
            assert total["count"] + answer["left_out"]["retracted"] >= least
        elif answer["metric"] == "alarm-funnel":
            for stage in FUNNEL:
                assert total[stage] >= before.get(stage, 0)
    positions = [answer["as_of"]["position"] for answer, _ in answers]
    assert positions == sorted(positions) and len(set(positions)) > 20
    for metric, measures in (("alarm-funnel", FUNNEL), ("detection-quality", VERDICTS[:2])):
        for measure in measures:
            told = [
                known(answer["total"])[measure]
                for answer, _ in answers
                if answer["metric"] == metric
            ]
            assert told == sorted(told) and told[0] < told[-1]

    for answer, _ in answers[::4]:
        then = answer["as_of"]["recorded_at"]
        again = asked(answer["metric"], as_of=then)
        assert again["as_of"]["position"] == answer["as_of"]["position"]
        for first, second in zip(parts_of(answer), parts_of(again), strict=True):
            for member in ("cells", "total", "left_out"):
                assert second[member] == first[member]
        # Other questions about the same moment say the same of it.
        funnel, quality = (asked(name, as_of=then) for name in ("alarm-funnel", "detection-quality"))
        for verdict in VERDICTS:
            assert known(funnel["total"])[verdict] == known(quality["total"])[verdict]

    done = tally.so_far()
    last = known(asked("alarm-funnel")["total"])
    for measure in (*FUNNEL, "confirmed", "dismissed"):
        assert last[measure] == done[measure]
    matters = asked("incidents")
    assert matters["left_out"]["retracted"] == done["retracted"]
    assert known(matters["total"])["count"] == done["matters"] - done["retracted"]


# Who sees what


@contextmanager
def sites_of_one_and_two(
    server: Server, administrator: httpx.Client
) -> Iterator[tuple[Site, Site]]:
    """Two sites with an alarm, a matter and a dispatch each; the second has two of all."""
    sites = []
    for count in (1, 2):
        site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
        sites.append(site)
        observer = site.client("observer")
        with Node(server, site.token("node")) as node:
            for pattern in ("hitting", "kicking")[:count]:
                assert node.post(detection(site, pattern=pattern))[0] == 201
        for number in range(count):
            day = f"2026-04-0{number + 2}"
            matter = record(site, f"{day}T12:00:00Z", area=site.area)
            sent = create(
                observer,
                "/v1/interventions",
                {
                    "incident": matter["id"],
                    "immediate": True,
                    "precinct": f"Revier {site.id}",
                    "dispatched_at": f"{day}T12:01:00Z",
                },
            )
            path = f"/v1/interventions/{sent['id']}/arrive"
            assert observer.post(path, json={"at": f"{day}T12:04:00Z"}).status_code == 200
            record(site, "2025-04-02T12:00:00Z")
    yield sites[0], sites[1]
    for site in sites:
        site.close()


@pytest.fixture
def two_sites(server: Server, administrator: httpx.Client) -> Iterator[tuple[Site, Site]]:
    """Such sites on the server of the session."""
    with sites_of_one_and_two(server, administrator) as sites:
        yield sites


# What counts in each metric; the second of the two sites has two of all.
COUNTED = {
    "incidents": "count",
    "incidents-with-immediate-intervention": "count",
    "interventions": "count",
    "arrival-times": "known",
    "alarm-funnel": "alarms",
    "detection-quality": "unjudged",
    "coverage": "unknown_hours",
}


def counted(metric: str, answer: dict[str, Any]) -> float:
    """How many of what counts in a metric; of hours, of which one more may be over, how many tens."""
    figure = known(answer["total"])[COUNTED[metric]]
    return figure // 10 if metric == "coverage" else figure


def give_hours(database: str, *sites: Site) -> None:
    """Has ten hours of the first site's camera recorded, of the second's twenty; and detections."""
    for site in sites:
        changed = site.administrator.patch(
            f"/v1/cameras/{site.camera}",
            json={"installed_at": "2026-04-01T00:00:00Z"},
            headers={"If-Match": "*"},
        )
        assert changed.status_code == 200, changed.text
    with psycopg.connect(database, autocommit=True) as superuser:
        for count, site in enumerate(sites, start=1):
            superuser.execute(
                "UPDATE coverage_progress SET since = recorded_until - %s * interval '10 hours', "
                "recorded_until = recorded_until - %s * interval '10 hours' WHERE site = %s",
                (count, count, site.id),
            )
    record_hours(database)
    with psycopg.connect(database, autocommit=True) as superuser, superuser.transaction():
        # As the server's own turn, which is waited for.
        superuser.execute("SELECT pg_advisory_xact_lock(7236012)")
        superuser.execute("SELECT count_detections()")


@pytest.mark.parametrize("role", ["statistician", "shift_supervisor"])
def test_figures_of_one_site_tell_nothing_of_another(own: tuple[Server, str], role: str) -> None:
    server, database = own
    with (
        server.client(server.create_token("administrator")) as administrator,
        sites_of_one_and_two(server, administrator) as sites,
    ):
        give_hours(database, *sites)
        # From the matters to the alarms of now.
        tomorrow = datetime.now(UTC).date() + timedelta(days=2)
        period = PERIOD | {"to": tomorrow.isoformat()}
        for count, (site, other) in enumerate((sites, sites[::-1]), start=1):
            client = site.client(role)
            definitions = metrics(client)
            since = {since["site"] for item in definitions for since in item["recorded_since"]}
            assert since == {site.id}
            for item in definitions:
                expect_of_one_site(client, item, period, site, other, count)
            totals = ask(client, "incidents", **BOTH)
            assert totals["comparisons"][0]["total"]["known_part"]["count"] == count
            funnel = ask(client, "alarm-funnel", **period)
            assert known(funnel["total"])["detections"] == count


def expect_of_one_site(
    client: httpx.Client,
    definition: dict[str, Any],
    period: dict[str, str],
    site: Site,
    other: Site,
    count: int,
) -> None:
    """Whatever is asked of a metric, the answer is about the client's own site."""
    metric = definition["metric"]
    is_counted = metric in COUNTED
    foreign = {"area": other.area, "camera": other.camera}
    for group in ("site", "area", "precinct", "camera"):
        if group not in definition["group_by"]:
            continue
        query = period | BOTH | {"group_by": group}
        response = client.get(f"/v1/statistics/{metric}", params=query)
        assert response.status_code == 200, response.text
        table = client.get(f"/v1/statistics/{metric}", params=query | {"format": "csv"})
        assert table.status_code == 200 and (group != "site" or site.id in table.text)
        for text in (response.text, table.text):
            for name in (other.id, other.area, other.camera, other.node):
                assert name not in text
        for part in parts_of(response.json()):
            assert [own["site"] for own in part["periods"]] == [site.id]
        if is_counted:
            assert counted(metric, response.json()) == count
        # Of another site's area or camera there is nothing, though it exists.
        if is_counted and group in foreign and group in definition["filters"]:
            nothing = ask(client, metric, **period, **{group: foreign[group]})
            assert counted(metric, nothing) == 0
            own = {"area": site.area, "camera": site.camera}[group]
            assert counted(metric, ask(client, metric, **period, **{group: own})) == count
    for named in ({"site": other.id}, {"site": "nowhere"}):
        refused = client.get(f"/v1/statistics/{metric}", params=period | named)
        assert (refused.status_code, refused.json()["code"]) == (404, "site.unknown")


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
    # The list of metrics itself.
    expected.append((site.id, "statistician"))
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
