"""A control centre at night: what happens there, what everybody does, and a tally of it all."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import psycopg
from live_stream import EVENT_SECONDS_MAX, Event, Reader
from server_under_test import Server, create, start_server

SITE = "innenstadt"
AREAS = 7
CAMERAS_PER_AREA = 10
NODES = 3
#: Who watches which areas.
POSITIONS = {"Mitte": (0, 1, 2), "Nord": (3, 4), "Ost": (5, 6)}
PATTERNS = ["hitting", "kicking", "pushing", "aggressive_posture"]
#: What the journal calls each step.
STEPS = {
    "acknowledge": "acknowledged",
    "release": "released",
    "assign": "assigned",
    "take-over": "taken-over",
    "confirm": "confirmed",
    "dismiss": "dismissed",
    "comment": "commented",
    "close": "closed",
    "reopen": "reopened",
}
#: Of the detections whose confidence is below the rules' least.
WEAK = 0.3
STRONG = 0.8


def now() -> datetime:
    return datetime.now(timezone.utc)


def ago(seconds: float) -> str:
    return (now() - timedelta(seconds=seconds)).isoformat()


@dataclass
class Tally:
    """What there must be in the end, by the script's own count."""

    #: Rows of the journal by event, but for those that depend on how fast the script runs.
    events: Counter[str] = field(default_factory=Counter)
    #: Of each resource the members that the script knows, by id.
    detections: dict[str, dict[str, Any]] = field(default_factory=dict)
    alarms: dict[str, dict[str, Any]] = field(default_factory=dict)
    incidents: dict[str, dict[str, Any]] = field(default_factory=dict)
    interventions: dict[str, dict[str, Any]] = field(default_factory=dict)
    holds: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: All verdicts ever given, by alarm, oldest first.
    verdicts: dict[str, list[str]] = field(default_factory=dict)
    #: What was done to each alarm that somebody handled, oldest first, with what was written about it.
    told: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)
    #: How often Clara was shown a single alarm, incident or intervention, or the site's handover.
    accesses: Counter[str] = field(default_factory=Counter)

    def count(self, event: str, times: int = 1) -> None:
        self.events[event] += times


class Wire:
    """Everything that the live stream tells, over all connections, without gap or repetition."""

    def __init__(self, server: Server, token: str) -> None:
        self.token = token
        self.events: list[Event] = []
        self.last_id = "0.0"
        self.arrived = threading.Condition()
        self.connect(server)

    def connect(self, server: Server) -> None:
        """Reads on from the last event seen, until that server ends."""
        self.reader = Reader(server, self.token, last_id=self.last_id)
        self.thread = threading.Thread(target=self.follow, args=(self.reader,), daemon=True)
        self.thread.start()

    def follow(self, reader: Reader) -> None:
        try:
            for event in reader.events():
                with self.arrived:
                    assert event.id is not None
                    self.last_id = event.id
                    self.events.append(event)
                    self.arrived.notify_all()
        except (OSError, ValueError, AttributeError):
            pass  # The server is gone, or the test is over.

    def wait(self, what: str, count: int, of: Callable[[Event], bool] = lambda _: True) -> None:
        """Returns once there have been so many events of a name for which something holds."""

        def seen() -> int:
            return sum(event.name == what and of(event) for event in self.events)

        with self.arrived:
            came = self.arrived.wait_for(lambda: seen() >= count, timeout=EVENT_SECONDS_MAX)
        assert came, f"{seen()} instead of {count} {what}: {Counter(e.name for e in self.events)}"

    def wait_for_id(self, id: str) -> None:
        """Returns once the event of this id has come."""

        def is_there() -> bool:
            return any(event.id == id for event in self.events)

        with self.arrived:
            came = self.arrived.wait_for(is_there, timeout=EVENT_SECONDS_MAX)
        assert came, f"{id} has not come; the last is {self.last_id}"


class Night:
    """The site of one night on a server of its own."""

    def __init__(self, binary: Path, data: Path, stack: ExitStack) -> None:
        self.binary = binary
        self.data = data
        #: Ends the servers, and then what is connected to them.
        self.stack = stack
        self.random = random.Random(20261127)
        self.tally = Tally()
        self.start()
        self.tokens: dict[str, tuple[str, str]] = {}
        #: What everybody is called, by token; None once that is erased.
        self.names: dict[str, str | None] = {}
        self.clients: dict[str, httpx.Client] = {}
        self.administrator_token = self.server.create_token("administrator")
        self.areas: list[str] = []
        #: Ids of cameras; of number n the area is n / CAMERAS_PER_AREA.
        self.cameras: list[str] = []
        self.nodes: list[str] = []
        #: What each node has said last, by camera.
        self.statuses: dict[int, dict[int, str]] = {}
        #: Everything that nodes have sent and the server has taken.
        self.sent: list[dict[str, Any]] = []
        #: Which cameras and patterns have not been used: each scene has one for itself.
        self.free: list[tuple[int, str]] = []
        stack.callback(self.close_clients)

    def start(self) -> None:
        self.server = start_server(self.binary, self.data)
        self.stack.callback(self.server.stop)

    # People and machines.

    def client(self, who: str) -> httpx.Client:
        """Whoever is called so, on a connection to the server that runs."""
        if who not in self.clients:
            token = self.administrator_token if who == "administrator" else self.tokens[who][1]
            self.clients[who] = self.server.client(token)
        return self.clients[who]

    def hire(self, who: str, role: str, node: str | None = None) -> None:
        """Gives somebody a token."""
        new = {"name": who, "role": role, "site": SITE}
        if node is not None:
            new["node"] = node
        made = create(self.client("administrator"), "/v1/tokens", new)
        self.tokens[who] = (made["id"], made["token"])
        self.names[made["id"]] = who
        self.tally.count("token.created")

    def do(self, who: str, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """The answer to what somebody does."""
        headers = {"If-Match": "*"} if method == "PATCH" else {}
        answer = self.client(who).request(method, path, json=body, headers=headers)
        assert answer.status_code == status, f"{who} {method} {path} {body}: {answer.text}"
        return answer.json()

    def race(self, *steps: tuple[str, str, Any]) -> list[httpx.Response]:
        """The answers to what several people do at once: who, path, body."""
        clients = [self.client(who) for who, _, _ in steps]
        start = threading.Barrier(len(steps))

        def take(client: httpx.Client, path: str, body: Any) -> httpx.Response:
            start.wait()
            return client.post(path, json=body)

        with ThreadPoolExecutor(len(steps)) as pool:
            return list(
                pool.map(
                    lambda pair: take(pair[0], pair[1][1], pair[1][2]),
                    zip(clients, steps, strict=True),
                )
            )

    def open(self) -> None:
        """Makes the site with everybody and everything in it."""
        tally = self.tally
        self.do(
            "administrator",
            "POST",
            "/v1/sites",
            {"id": SITE, "name": "Innenstadt", "time_zone": "Europe/Berlin"},
            201,
        )
        tally.count("site.created")
        for number in range(AREAS):
            new = {"site": SITE, "name": f"Platz {number}"}
            self.areas.append(self.do("administrator", "POST", "/v1/areas", new, 201)["id"])
            tally.count("area.created")
        for number in range(AREAS * CAMERAS_PER_AREA):
            new = {
                "site": SITE,
                "area": self.areas[number // CAMERAS_PER_AREA],
                "name": f"Kamera {number}",
                "key": f"k{number}",
            }
            self.cameras.append(self.do("administrator", "POST", "/v1/cameras", new, 201)["id"])
            tally.count("camera.created")
        for number in range(NODES):
            new = {
                "site": SITE,
                "name": f"Analyse {number}",
                "model": "pose",
                "model_version": "2026.10",
                # The last one is to be lost within seconds, the others never.
                "heartbeat_seconds": 1 if number == NODES - 1 else 3_600,
            }
            self.nodes.append(self.do("administrator", "POST", "/v1/nodes", new, 201)["id"])
            tally.count("node.created")
            self.hire(f"node {number}", "node", self.nodes[-1])
        self.do(
            "administrator",
            "PATCH",
            f"/v1/sites/{SITE}",
            {
                "positions": [
                    {"name": name, "areas": [self.areas[area] for area in areas]}
                    for name, areas in POSITIONS.items()
                ],
                "hold_grounds": ["criminal proceedings", "complaint"],
            },
        )
        tally.count("site.changed")
        for who in ("Anna", "Bernd", "Clara", "Deniz"):
            self.hire(who, "observer")
        self.hire("Erika", "shift_supervisor")
        self.hire("Frida", "shift_supervisor")
        self.hire("Ingrid", "administrator")
        self.hire("Felix", "auditor")
        self.hire("recorder", "observer")
        self.free = [(camera, p) for camera in range(len(self.cameras)) for p in PATTERNS]
        self.random.shuffle(self.free)
        self.wire = Wire(self.server, self.tokens["recorder"][1])

    def close_clients(self) -> None:
        for client in self.clients.values():
            client.close()
        self.clients = {}

    def crash_and_restart(self) -> None:
        """The server is started anew on what it has left behind."""
        self.close_clients()
        self.wire.thread.join()
        self.start()
        self.wire.connect(self.server)

    def database(self, role: str) -> psycopg.Connection[Any]:
        """The server's own PostgreSQL as one of its roles."""
        lines = (self.data / "postgresql" / "postmaster.pid").read_text().splitlines()
        return psycopg.connect(
            host=lines[4],
            port=int(lines[3]),
            user=role,
            dbname="leitstand",
            autocommit=True,
        )

    # Detections.

    def scene(
        self,
        count: int,
        area: int | None = None,
        camera: int | None = None,
        pattern: str | None = None,
        seconds_ago: float = 0,
        confidence: float = STRONG,
    ) -> list[dict[str, Any]]:
        """What a camera sees of one matter, as the node sends it, the newest last."""
        if camera is None or pattern is None:
            camera, pattern = self.claim(area, camera)
        return [
            {
                "id": str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
                "camera": self.cameras[camera],
                "pattern": pattern,
                "confidence": confidence,
                "occurred_at": ago(seconds_ago + 0.1 * (count - number)),
            }
            for number in range(count)
        ]

    def claim(self, area: int | None = None, camera: int | None = None) -> tuple[int, str]:
        """A camera and a pattern that no other scene has."""
        for pair in self.free:
            if area is not None and pair[0] // CAMERAS_PER_AREA != area:
                continue
            if camera is not None and pair[0] != camera:
                continue
            self.free.remove(pair)
            return pair
        raise AssertionError("no camera is free")

    def post(self, items: list[dict[str, Any]], who: str = "node 0") -> list[dict[str, Any]]:
        """The outcomes of what a node sends."""
        outcomes = self.do(who, "POST", "/v1/detections", items)["items"]
        assert [outcome["id"] for outcome in outcomes] == [item["id"] for item in items]
        return outcomes

    def take(
        self, scene: list[dict[str, Any]], outcomes: list[dict[str, Any]], **expected: Any
    ) -> str | None:
        """Counts a scene that was sent, and returns its alarm."""
        # After a crash a node does not know what had been taken.
        assert {outcome["outcome"] for outcome in outcomes} <= {"created", "duplicate"}, outcomes
        alarms = {outcome["alarm"] for outcome in outcomes}
        assert len(alarms) == 1, outcomes
        alarm = alarms.pop()
        mode = expected.get("operating_mode", "production")
        for item in scene:
            self.tally.detections[item["id"]] = {
                "camera": item["camera"],
                "pattern": item["pattern"],
                "operating_mode": mode,
                "alarm": alarm,
            }
        self.sent += scene
        if scene[0]["confidence"] < 0.5:
            assert alarm is None
            return None
        assert alarm is not None and alarm not in self.tally.alarms
        number = self.cameras.index(scene[0]["camera"])
        late = expected.get("late", False)
        self.tally.alarms[alarm] = {
            "area": self.areas[number // CAMERAS_PER_AREA],
            "camera": scene[0]["camera"],
            "pattern": scene[0]["pattern"],
            "operating_mode": mode,
            "handling": "new",
            "verdict": "none",
            "suppression": "none",
            "position": None,
            "priority": "medium",
            "late": late,
            "annunciated": mode == "production" and not late,
            "overdue": False,
            "chattering": False,
            "stale": False,
            "flood": False,
            "detection_count": len(scene),
            "max_confidence": scene[0]["confidence"],
        } | expected
        self.tally.count("alarm.late" if late else "alarm.raised")
        return alarm

    def see(self, count: int, who: str = "node 0", **about: Any) -> str | None:
        """A scene from its detections to its alarm."""
        expected = about.pop("expected", {})
        scene = self.scene(count, **about)
        return self.take(scene, self.post(scene, who), **expected)

    def see_at_once(
        self, scenes: list[list[dict[str, Any]]], who: str, **expected: Any
    ) -> list[str]:
        """Several scenes in one array."""
        outcomes = self.post([item for scene in scenes for item in scene], who)
        alarms = []
        for scene in scenes:
            part, outcomes = outcomes[: len(scene)], outcomes[len(scene) :]
            alarm = self.take(scene, part, **expected)
            assert alarm is not None
            alarms.append(alarm)
        return alarms

    def heartbeat(self, number: int, blind: set[int] | None = None) -> Any:
        """A node says what it does for its third of the cameras."""
        statuses = {
            index: "blind" if index in (blind or set()) else "analysing"
            for index in range(number, len(self.cameras), NODES)
        }
        if self.statuses.get(number) != statuses:
            self.statuses[number] = statuses
            self.tally.count("node.status-changed")
        entries = [
            {"camera": self.cameras[index], "status": status} for index, status in statuses.items()
        ]
        body = {"queue_length": 0, "cameras": entries}
        node = self.nodes[number]
        return self.do(f"node {number}", "POST", f"/v1/nodes/{node}/heartbeat", body)

    # Alarms.

    def ringing(self, count: int) -> list[str]:
        """Alarms of production that nobody has touched."""
        fresh = [
            id
            for id, alarm in self.tally.alarms.items()
            if alarm["annunciated"]
            and alarm["handling"] == "new"
            and alarm["verdict"] == "none"
            and alarm["suppression"] == "none"
            and alarm["position"] is None
        ]
        chosen = self.random.sample(fresh, count)
        return chosen

    def step(self, who: str, alarm: str, name: str, body: Any = None, **members: Any) -> Any:
        """Takes a step, and counts what it changes."""
        answer = self.do(who, "POST", f"/v1/alarms/{alarm}/{name}", body)
        written = body or {}
        self.stepped(alarm, name, written.get("text", written.get("note")), **members)
        return answer

    def stepped(self, alarm: str, name: str, text: str | None = None, **members: Any) -> None:
        event = STEPS[name]
        handling = {
            "acknowledge": "acknowledged",
            "release": "new",
            "take-over": "acknowledged",
            "close": "closed",
            "reopen": "new",
        }.get(name)
        if handling is not None:
            members["handling"] = handling
        if name in ("confirm", "dismiss"):
            members["verdict"] = event
            self.tally.verdicts.setdefault(alarm, []).append(event)
        self.tally.alarms[alarm].update(members)
        self.tally.count(f"alarm.{event}")
        self.tally.told.setdefault(alarm, []).append((f"alarm.{event}", text))


def walked(client: httpx.Client, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
    """Each item of a list, page by page."""
    page = client.get(path, params={"limit": 500} | parameters)
    while True:
        assert page.status_code == 200, page.text
        yield from page.json()["items"]
        if "next" not in page.links:
            return
        page = client.get(page.links["next"]["url"])
