"""The built program as the tests see it: a server that runs, its command line, and sites on it."""

from __future__ import annotations

import os
import queue
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
COMMAND_SECONDS_MAX = 30
REQUEST_SECONDS_MAX = 30

LISTENING = re.compile(r"^listening on (http://127\.0\.0\.1:[0-9]+)$")


def environment() -> dict[str, str]:
    """The environment without the developer's own settings of the program."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LEITSTAND_")}


@dataclass
class Server:
    """The running program, its data directory, and its log so far."""

    binary: Path
    data_dir: Path
    process: subprocess.Popen[str] = field(repr=False)
    base_url: str = ""
    log: list[str] = field(default_factory=list, repr=False)

    def create_token(self, role: str, site: str | None = None, node: str | None = None) -> str:
        """A new token, made by the command line while the server runs."""
        command = [str(self.binary), "token", "create", "--role", role]
        if site is not None:
            command += ["--site", site]
        if node is not None:
            command += ["--node", node]
        command += ["--data-dir", str(self.data_dir)]
        finished = subprocess.run(
            command, env=environment(), capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX
        )
        assert finished.returncode == 0, finished.stderr
        token = finished.stdout.strip()
        assert token and len(token.split()) == 1, "standard output must be the token alone"
        return token

    def client(self, token: str | None = None) -> httpx.Client:
        """A client that speaks for the token, or for nobody."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=REQUEST_SECONDS_MAX)


@dataclass
class Site:
    """A site of one test alone, with an area, a camera, a node, and a client for each role."""

    server: Server
    administrator: httpx.Client
    id: str
    area: str
    camera: str
    camera_key: str
    node: str
    clients: dict[str, httpx.Client] = field(default_factory=dict, repr=False)

    def client(self, role: str) -> httpx.Client:
        """A client whose token has the role at this site; the token is made once."""
        if role not in self.clients:
            node = self.node if role == "node" else None
            token = self.server.create_token(role, site=self.id, node=node)
            self.clients[role] = self.server.client(token)
        return self.clients[role]

    def close(self) -> None:
        for client in self.clients.values():
            client.close()


def create(client: httpx.Client, path: str, body: dict) -> dict:
    """The resource that a POST has created."""
    response = client.post(path, json=body)
    assert response.status_code == 201, response.text
    return response.json()


def create_site(server: Server, administrator: httpx.Client, name: str) -> Site:
    """A new site named by its slug, with everything that a detection needs."""
    create(
        administrator, "/v1/sites", {"id": name, "name": name.title(), "time_zone": "Europe/Berlin"}
    )
    area = create(administrator, "/v1/areas", {"site": name, "name": "Paradeplatz"})
    camera = create(
        administrator,
        "/v1/cameras",
        {"site": name, "area": area["id"], "name": "Paradeplatz 1", "key": "paradeplatz-1"},
    )
    node = create(
        administrator, "/v1/nodes", {"site": name, "name": "Analyse 1", "model": "pose-2026.10"}
    )
    return Site(server, administrator, name, area["id"], camera["id"], camera["key"], node["id"])


def follow(server: Server, lines: queue.Queue[str | None]) -> None:
    """Reads the program's output to its end, so that it never waits for a reader."""
    assert server.process.stdout is not None
    for line in server.process.stdout:
        server.log.append(line)
        lines.put(line)
    lines.put(None)


def wait_for_listener(server: Server, lines: queue.Queue[str | None]) -> str:
    """The address in the line that the program prints once it accepts requests."""
    while True:
        try:
            line = lines.get(timeout=START_SECONDS_MAX)
        except queue.Empty:
            raise AssertionError(
                "the server did not listen in time:\n" + "".join(server.log)
            ) from None
        if line is None:
            raise AssertionError("the server ended before it listened:\n" + "".join(server.log))
        if match := LISTENING.match(line.strip()):
            return match[1]
