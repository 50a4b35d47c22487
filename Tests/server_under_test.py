"""The built program as the tests see it: a server that runs, its command line, and sites on it."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
COMMAND_SECONDS_MAX = 30
REQUEST_SECONDS_MAX = 30

LISTENING = re.compile(r"^listening on (https?://127\.0\.0\.1:[0-9]+)$")


def environment() -> dict[str, str]:
    """The environment without the developer's own settings of the program."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LEITSTAND_")}


@dataclass
class Server:
    """The running program, where it keeps its data, and its log so far."""

    binary: Path
    data_dir: Path
    process: subprocess.Popen[str] = field(repr=False)
    # None: a private PostgreSQL in the data directory.
    database: str | None = None
    # In the order in which the listeners were asked for.
    base_urls: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list, repr=False)
    # The log's lines as they come, then None.
    lines: queue.Queue[str | None] = field(default_factory=queue.Queue, repr=False)
    follower: threading.Thread | None = field(default=None, repr=False)

    @property
    def base_url(self) -> str:
        """Where the first listener is."""
        return self.base_urls[0]

    @property
    def address(self) -> tuple[str, int]:
        """The first listener for a bare socket."""
        url = httpx.URL(self.base_url)
        assert url.port is not None
        return url.host, url.port

    @property
    def resident_bytes(self) -> int:
        """How much memory the program's process occupies."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        assert match is not None
        return int(match[1]) * 1024

    def create_token(
        self,
        role: str,
        site: str | None = None,
        node: str | None = None,
        expires: str | None = None,
    ) -> str:
        """A new token, made by the command line while the server runs."""
        command = [str(self.binary), "token", "create", "--role", role]
        if site is not None:
            command += ["--site", site]
        if node is not None:
            command += ["--node", node]
        if expires is not None:
            command += ["--expires", expires]
        command += place_of_data(self.data_dir, self.database)
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

    def kill(self) -> None:
        """Ends the program as a crash does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Asks the program to end, and returns its exit code; twice does no harm."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if self.follower is not None:
            self.follower.join(timeout=STOP_SECONDS_MAX)
        self.end_left_database()
        return status

    def end_left_database(self) -> None:
        """Ends the private PostgreSQL that a killed server has left running."""
        try:
            text = (self.data_dir / "postgresql" / "postmaster.pid").read_text()
            os.kill(int(text.splitlines()[0]), signal.SIGINT)
        except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
            pass


@contextmanager
def data_directory() -> Iterator[Path]:
    """A new directory that is removed in the end."""
    directory = Path(tempfile.mkdtemp(prefix="leitstand-", dir="/tmp"))
    # Run by root, the embedded database runs as user postgres, who must get through.
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def place_of_data(data_dir: Path, database: str | None) -> list[str]:
    """The options that say where the data is."""
    return ["--data-dir", str(data_dir)] if database is None else ["--database", database]


def start_server(
    binary: Path,
    data_dir: Path,
    *options: str,
    database: str | None = None,
    listeners: Sequence[str] = ("127.0.0.1:0",),
) -> Server:
    """Starts the program and waits until it listens everywhere."""
    server = launch_server(binary, data_dir, *options, database=database, listeners=listeners)
    wait_for_listeners(server, len(listeners))
    return server


def launch_server(
    binary: Path,
    data_dir: Path,
    *options: str,
    database: str | None = None,
    listeners: Sequence[str] = ("127.0.0.1:0",),
) -> Server:
    """Starts the program and waits for nothing."""
    command = [str(binary), "serve", *options, *place_of_data(data_dir, database)]
    for listener in listeners:
        command += ["--listen", listener]
    process = subprocess.Popen(
        command,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    server = Server(binary, data_dir, process, database)
    server.follower = threading.Thread(target=follow, args=(server,), daemon=True)
    server.follower.start()
    return server


@contextmanager
def running_server(
    binary: Path,
    data_dir: Path,
    *options: str,
    database: str | None = None,
    listeners: Sequence[str] = ("127.0.0.1:0",),
) -> Iterator[Server]:
    """A server that must run until the end of the block and then end well."""
    server = launch_server(binary, data_dir, *options, database=database, listeners=listeners)
    try:
        wait_for_listeners(server, len(listeners))
        yield server
        ended = server.process.poll()
        assert ended is None, f"the server ended by itself with {ended}:\n" + "".join(server.log)
    finally:
        status = server.stop()
    assert status == 0, f"the server ended with {status} on SIGTERM:\n" + "".join(server.log)


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
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    clients: dict[str, httpx.Client] = field(default_factory=dict, repr=False)

    def token(self, role: str) -> str:
        """A token with the role at this site, made once."""
        if role not in self.tokens:
            node = self.node if role == "node" else None
            self.tokens[role] = self.server.create_token(role, site=self.id, node=node)
        return self.tokens[role]

    def client(self, role: str) -> httpx.Client:
        """A client whose token has the role at this site."""
        if role not in self.clients:
            self.clients[role] = self.server.client(self.token(role))
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


def follow(server: Server) -> None:
    """Reads the program's output to its end, so that it never waits for a reader."""
    assert server.process.stdout is not None
    for line in server.process.stdout:
        server.log.append(line)
        server.lines.put(line)
    server.lines.put(None)


def wait_for_listeners(server: Server, count: int) -> None:
    """Reads the addresses that the program prints once it accepts requests."""
    while len(server.base_urls) < count:
        try:
            line = server.lines.get(timeout=START_SECONDS_MAX)
        except queue.Empty:
            raise AssertionError(
                "the server did not listen in time:\n" + "".join(server.log)
            ) from None
        if line is None:
            raise AssertionError("the server ended before it listened:\n" + "".join(server.log))
        if match := LISTENING.match(line.strip()):
            server.base_urls.append(match[1])
