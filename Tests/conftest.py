"""Fixtures that start the built program and prepare tokens and sites on it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from server_under_test import ROOT, Server, Site, create_site, data_directory, running_server

LOG_START = pytest.StashKey[dict[int, int]]()


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
    with data_directory() as directory, running_server(binary, directory / "data") as server:
        yield server


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
    values = list(getattr(item, "funcargs", {}).values())
    values += [part for value in values if isinstance(value, tuple) for part in value]
    servers = [value for value in values if isinstance(value, Server)]
    if call.when == "setup":
        item.stash[LOG_START] = {
            id(server): 0 if report.failed else len(server.log) for server in servers
        }
    if report.failed:
        for server in servers:
            logged = "".join(server.log[item.stash[LOG_START].get(id(server), 0) :])
            report.sections.append((f"log of {server.base_urls}", logged))
    return report
