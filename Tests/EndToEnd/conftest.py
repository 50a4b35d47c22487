"""Fixtures for tests that need a PostgreSQL of their own, or several servers on one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from postgresql_cluster import Cluster, running_cluster
from server_under_test import Server, Site, create_site, running_server


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL that runs during the whole session."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> str:
    """A database of this module alone."""
    return cluster.create_database(f"leitstand-{uuid.uuid4().hex}")


@pytest.fixture(scope="module")
def pair(
    binary: Path, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    """Two instances on one database."""
    directory = tmp_path_factory.mktemp("pair")
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(running_server(binary, directory, database=database))
            for _ in range(2)
        )
        yield first, second


@pytest.fixture(scope="module")
def pair_administrator(pair: tuple[Server, Server]) -> Iterator[httpx.Client]:
    """A client for an administrator of all sites of the pair's database."""
    with pair[0].client(pair[0].create_token("administrator")) as client:
        yield client


@pytest.fixture
def pair_site(pair: tuple[Server, Server], pair_administrator: httpx.Client) -> Iterator[Site]:
    """A site of this test alone in the pair's database."""
    site = create_site(pair[0], pair_administrator, f"site-{uuid.uuid4().hex}")
    yield site
    site.close()
