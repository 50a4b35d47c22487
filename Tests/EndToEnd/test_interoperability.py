"""Clients that people use: each posts a detection and reads it back."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from certificates import Certificate, make_certificate
from detections import detection
from server_under_test import Server, Site, create_site, running_server

HERE = Path(__file__).resolve().parent
CLIENT_SECONDS_MAX = 60


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def bilingual(
    binary: Path,
    database: str,
    certificate: Certificate,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A server that speaks plaintext and TLS."""
    options = ["--tls-cert", str(certificate.chain), "--tls-key", str(certificate.key)]
    with running_server(
        binary,
        tmp_path_factory.mktemp("bilingual"),
        *options,
        database=database,
        listeners=["http://127.0.0.1:0", "https://127.0.0.1:0"],
    ) as server:
        yield server


@pytest.fixture(scope="module")
def town(bilingual: Server) -> Iterator[Site]:
    """The site of all clients."""
    with bilingual.client(bilingual.create_token("administrator")) as administrator:
        site = create_site(bilingual, administrator, f"site-{uuid.uuid4().hex}")
        yield site
        site.close()


@pytest.fixture(params=["plaintext", "TLS"])
def url(request: pytest.FixtureRequest, bilingual: Server) -> str:
    """Where the server is, by each of its listeners."""
    return bilingual.base_urls[0 if request.param == "plaintext" else 1]


def program(name: str) -> str:
    """The path of a program, without which the test is skipped."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command: str) -> str:
    """What the command prints."""
    finished = subprocess.run(
        command, capture_output=True, text=True, timeout=CLIENT_SECONDS_MAX, stdin=subprocess.DEVNULL
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def is_listed(listed: Any, sent: dict[str, Any]) -> bool:
    """Whether the list of detections has what was sent."""
    return any(item["id"] == sent["id"] for item in listed["items"])


@pytest.mark.parametrize(
    ("option", "plaintext", "tls"),
    [
        ("--http1.1", "1.1", "1.1"),
        # In plaintext, curl asks for an upgrade that the server does not take.
        ("--http2", "1.1", "2"),
        ("--http2-prior-knowledge", "2", "2"),
        ("--http1.0", "1.1", "1.1"),
    ],
)
@pytest.mark.parametrize("way", ["plaintext", "TLS"])
def test_curl(
    option: str,
    plaintext: str,
    tls: str,
    way: str,
    bilingual: Server,
    town: Site,
    certificate: Certificate,
) -> None:
    curl = [program("curl"), "--silent", "--show-error", "--cacert", str(certificate.chain), option]
    curl += ["--write-out", "\n%{http_code} %{http_version}"]
    target = f"{bilingual.base_urls[0 if way == 'plaintext' else 1]}/v1/detections"
    version = plaintext if way == "plaintext" else tls
    sent = detection(town)

    posted = run(
        *curl,
        *("--header", f"Authorization: Bearer {town.token('node')}"),
        *("--header", "Content-Type: application/json"),
        *("--data-binary", json.dumps(sent)),
        target,
    )
    read = run(*curl, "--header", f"Authorization: Bearer {town.token('observer')}", target)

    body, _, status = posted.rpartition("\n")
    assert (status, json.loads(body)["outcome"]) == (f"201 {version}", "created")
    body, _, status = read.rpartition("\n")
    assert status == f"200 {version}"
    assert is_listed(json.loads(body), sent)


def test_curl_sends_a_large_body_once_it_is_told_to_continue(
    url: str, town: Site, certificate: Certificate
) -> None:
    items = [detection(town, attributes={"text": "x" * 3_000}) for _ in range(500)]

    posted = run(
        *(program("curl"), "--silent", "--show-error", "--cacert", str(certificate.chain)),
        *("--http1.1", "--header", "Expect: 100-continue"),
        *("--header", f"Authorization: Bearer {town.token('node')}"),
        *("--header", "Content-Type: application/json", "--header", "Transfer-Encoding: chunked"),
        *("--data-binary", "@" + str(written(certificate.key.parent, items))),
        f"{url}/v1/detections",
    )

    assert {item["outcome"] for item in json.loads(posted)["items"]} == {"created"}


def written(directory: Path, value: Any) -> Path:
    """A file with the value as JSON."""
    path = directory / f"{uuid.uuid4().hex}.json"
    path.write_text(json.dumps(value))
    return path


def test_requests(url: str, town: Site, certificate: Certificate) -> None:
    sent = detection(town)
    target = f"{url}/v1/detections"
    # Given with each request: the session's own gives way to the environment's.
    trust = str(certificate.chain)
    with requests.Session() as session:
        node = {"Authorization": f"Bearer {town.token('node')}"}
        posted = session.post(target, json=sent, headers=node, timeout=30, verify=trust)
        observer = {"Authorization": f"Bearer {town.token('observer')}"}
        read = session.get(target, headers=observer, timeout=30, verify=trust)

    assert (posted.status_code, read.status_code) == (201, 200)
    assert is_listed(read.json(), sent)


def test_httpx_by_http2(url: str, town: Site, certificate: Certificate) -> None:
    # On plaintext it must know beforehand; on TLS both are offered.
    is_plain = url.startswith("http://")
    sent = detection(town)
    with httpx.Client(
        base_url=url, http1=not is_plain, http2=True, verify=certificate.context(), timeout=30
    ) as client:
        node = {"Authorization": f"Bearer {town.token('node')}"}
        posted = client.post("/v1/detections", json=sent, headers=node)
        observer = {"Authorization": f"Bearer {town.token('observer')}"}
        read = client.get("/v1/detections", headers=observer)

    assert (posted.status_code, posted.http_version) == (201, "HTTP/2")
    assert (read.status_code, read.http_version) == (200, "HTTP/2")
    assert is_listed(read.json(), sent)


def test_node(url: str, town: Site, certificate: Certificate) -> None:
    sent = detection(town)
    address = url.replace("https://127.0.0.1", "https://localhost")

    printed = run(
        *(program("node"), str(HERE / "post-and-read.mjs"), address),
        *(town.token("node"), town.token("observer"), json.dumps(sent)),
        *([] if url.startswith("http://") else [str(certificate.chain)]),
    )

    posted, read, body = printed.split("\n", 2)
    assert (posted, read) == ("201", "200")
    assert is_listed(json.loads(body), sent)


def test_java_in_plaintext(bilingual: Server, town: Site) -> None:
    sent = detection(town)

    printed = run(
        *(program("java"), str(HERE / "PostAndRead.java"), bilingual.base_url),
        *(town.token("node"), town.token("observer"), json.dumps(sent)),
    )

    posted, read, body = printed.split("\n", 2)
    assert (posted, read) == ("201 HTTP_1_1", "200 HTTP_1_1")
    assert is_listed(json.loads(body), sent)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_each_version_of_tls(
    version: ssl.TLSVersion, bilingual: Server, certificate: Certificate
) -> None:
    context = certificate.context()
    context.minimum_version = context.maximum_version = version

    with httpx.Client(base_url=bilingual.base_urls[1], verify=context) as client:
        assert client.get("/livez").status_code == 200
