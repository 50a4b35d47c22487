"""A PostgreSQL of the tests' own, which they can stop, start and read the log of."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

START_SECONDS_MAX = 60
# For root, who may not run PostgreSQL.
ACCOUNT = "postgres"


def newest_installation() -> Path:
    """The programs of the newest installed PostgreSQL."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    assert newest is not None, "PostgreSQL is not installed"
    return newest.parent


@dataclass
class Cluster:
    """A PostgreSQL in a directory of its own, reached by a socket there."""

    programs: Path
    directory: Path
    # Whether a commit reaches the disk, as a test of crashes needs it.
    durable: bool = False

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> str:
        """All that the server has logged."""
        return (self.directory / "log").read_text(errors="replace")

    def url(self, database: str) -> str:
        """A database as its owner reaches it."""
        return f"postgresql:///{database}?host={self.directory}&user=owner"

    def create_database(self, name: str) -> str:
        """A new, empty database."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.directory}"
        options += " -c max_connections=200"
        if not self.durable:
            options += " -c fsync=off"
        self.run("pg_ctl", "start", "-w", "-l", str(self.directory / "log"), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Breaks off all connections, as an administrator does who cannot wait.

        `immediate` is a crash: nothing is written any more, and the next start recovers.
        """
        self.run("pg_ctl", "stop", "-w", "-m", mode)

    def run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), "-D", str(self.data), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--init-groups"] + command
        finished = subprocess.run(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=START_SECONDS_MAX,
        )
        assert finished.returncode == 0, f"{command}: {finished.stderr}"


@contextmanager
def running_cluster(durable: bool = False) -> Iterator[Cluster]:
    """A new cluster, which is removed in the end."""
    directory = Path(tempfile.mkdtemp(prefix="leitstand-postgresql-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(directory, ACCOUNT, ACCOUNT)
    cluster = Cluster(newest_installation(), directory, durable)
    try:
        cluster.run("initdb", "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-sync")
        cluster.start()
        yield cluster
    finally:
        if (cluster.data / "postmaster.pid").exists():
            cluster.run("pg_ctl", "stop", "-w", "-m", "immediate")
        shutil.rmtree(directory, ignore_errors=True)
