"""Fixtures that start the built program and prepare tokens and sites on it."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from server_under_test import (
    ROOT,
    STOP_SECONDS_MAX,
    Server,
    Site,
    create_site,
    environment,
    follow,
    wait_for_listener,
)

LOG_START = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def binary() -> Path:
    """The built program."""
    path = Path(os.environ.get("LEITSTAND_BINARY", ROOT / ".build/debug/leitstand")).absolute()
    if not path.is_file():
        pytest.fail(f"{path} does not exist; build it, or set LEITSTAND_BINARY")
    return path


@pytest.fixture(scope="session")
def server(binary: Path) -> Iterator[Server]:
    """One server for the whole session, with an embedded database of its own."""
    directory = Path(tempfile.mkdtemp(prefix="leitstand-", dir="/tmp"))
    # Run by root, the embedded database runs as user postgres, who must get through.
    directory.chmod(0o755)
    data_dir = directory / "data"
    command = [str(binary), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data_dir)]
    process = subprocess.Popen(
        command,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    server = Server(binary, data_dir, process)
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=follow, args=(server, lines), daemon=True)
    reader.start()
    try:
        server.base_url = wait_for_listener(server, lines)
        yield server
        ended = process.poll()
        assert ended is None, f"the server ended by itself with {ended}:\n" + "".join(server.log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        reader.join(timeout=STOP_SECONDS_MAX)
        shutil.rmtree(directory, ignore_errors=True)
    assert status == 0, f"the server ended with {status} on SIGTERM:\n" + "".join(server.log)


@pytest.fixture(scope="session")
def base_url(server: Server) -> str:
    """Where the server listens."""
    return server.base_url


@pytest.fixture(scope="session")
def administrator_token(server: Server) -> str:
    """The token of an administrator of all sites."""
    return server.create_token("administrator")


@pytest.fixture(scope="session")
def administrator(server: Server, administrator_token: str) -> Iterator[httpx.Client]:
    """A client for an administrator of all sites."""
    with server.client(administrator_token) as client:
        yield client


@pytest.fixture(scope="session")
def monitor(server: Server) -> Iterator[httpx.Client]:
    """A client that may read the metrics."""
    with server.client(server.create_token("monitor")) as client:
        yield client


@pytest.fixture(scope="session")
def nobody(server: Server) -> Iterator[httpx.Client]:
    """A client without a token."""
    with server.client() as client:
        yield client


@pytest.fixture
def site(server: Server, administrator: httpx.Client) -> Iterator[Site]:
    """A site of this test alone."""
    site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
    yield site
    site.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Adds what the server logged during a failed test to its report."""
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if isinstance(server, Server):
        if call.when == "setup":
            item.stash[LOG_START] = 0 if report.failed else len(server.log)
        if report.failed:
            logged = "".join(server.log[item.stash.get(LOG_START, 0) :])
            report.sections.append(("server log", logged))
    return report
