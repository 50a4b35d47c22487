"""Bad input gets a problem that names what is wrong, or a clean close, and the server goes on."""

from __future__ import annotations

import json
import resource
import socket
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path

import h2.errors
import h2.events
import httpx
import pytest
from certificates import Certificate, make_certificate
from detections import detection
from server_under_test import Server, Site, create_site, running_server
from wire import (
    HTTP2Client,
    answers_in,
    connected,
    read_to_end,
    said_until_closed,
    send_all,
)

HEAD_SECONDS = 1
BODY_SECONDS = 2
# What the allocator may keep of what one attack made it take.
GROWTH_BYTES_MAX = 48 * 1024 * 1024

LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def impatient(
    binary: Path,
    database: str,
    certificate: Certificate,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A server that waits only briefly; its second listener speaks TLS."""
    options = ["--head-seconds", str(HEAD_SECONDS), "--body-seconds", str(BODY_SECONDS)]
    options += ["--tls-cert", str(certificate.chain), "--tls-key", str(certificate.key)]
    with running_server(
        binary,
        tmp_path_factory.mktemp("impatient"),
        *options,
        database=database,
        listeners=["http://127.0.0.1:0", "https://127.0.0.1:0"],
    ) as server:
        yield server


@pytest.fixture(scope="module")
def plain(impatient: Server) -> tuple[str, int]:
    """Where the server speaks plaintext."""
    return impatient.address


@pytest.fixture(scope="module")
def secured(impatient: Server) -> tuple[str, int]:
    """Where the server speaks TLS."""
    port = httpx.URL(impatient.base_urls[1]).port
    assert port is not None
    return "127.0.0.1", port


@pytest.fixture(scope="module")
def bad_site(impatient: Server) -> Iterator[Site]:
    """A site whose node sends nonsense."""
    with impatient.client(impatient.create_token("administrator")) as administrator:
        site = create_site(impatient, administrator, f"site-{uuid.uuid4().hex}")
        yield site
        site.close()


@pytest.fixture(scope="module", params=["HTTP/1.1", "HTTP/2"])
def node(request: pytest.FixtureRequest, bad_site: Site) -> Iterator[httpx.Client]:
    """The site's node, by each version of HTTP."""
    is_new = request.param == "HTTP/2"
    with httpx.Client(
        base_url=bad_site.server.base_url,
        headers={"Authorization": f"Bearer {bad_site.token('node')}"},
        http1=not is_new,
        http2=is_new,
        timeout=30,
    ) as client:
        assert client.get("/livez").http_version == request.param
        yield client


@pytest.fixture(autouse=True)
def goes_on(impatient: Server) -> Iterator[None]:
    """After each test the server still answers, and has not grown without bound."""
    before = impatient.resident_bytes
    yield
    with impatient.client() as client:
        assert client.get("/readyz").status_code == 200
    assert impatient.resident_bytes < before + GROWTH_BYTES_MAX


def problem_of(response: httpx.Response) -> dict:
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    return problem


# Bodies


def body_with(member: bytes) -> bytes:
    """A detection with one further member, which is what is wrong."""
    plain = (
        b'{"id":"0199a2b4-7c1d-7e3a-8f52-3d1c5b7a9e01","camera":"paradeplatz-1",'
        b'"pattern":"hitting","occurred_at":"2026-01-01T00:00:00Z","confidence":0.5'
    )
    return plain + b"," + member + b"}"


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        pytest.param(b'{"id":', 400, "body.not-json", "/id", id="broken JSON"),
        pytest.param(b"", 400, "body.not-json", "", id="nothing"),
        pytest.param(
            b"[" * 10_000 + b"]" * 10_000, 400, "body.not-json", "/0" * 64, id="depth 10,000"
        ),
        pytest.param(
            body_with(b'"attributes":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
            400,
            "body.not-json",
            "/attributes" + "/a" * 63,
            id="depth 10,000 inside",
        ),
        pytest.param(body_with(b'"track":"a\x00b"'), 400, "body.not-json", "/track", id="NUL"),
        pytest.param(
            body_with(b'"track":"a\\u0000b"'), 400, "body.not-json", "/track", id="escaped NUL"
        ),
        pytest.param(
            body_with(b'"attributes":{"a\\u0000":1}'),
            400,
            "body.not-json",
            "/attributes/a\\u0000",
            id="NUL in a name",
        ),
        pytest.param(
            body_with(b'"track":"\xff"'), 400, "body.not-json", "/track", id="invalid UTF-8"
        ),
        pytest.param(
            body_with(b'"track":"\\ud800"'), 400, "body.not-json", "/track", id="lone surrogate"
        ),
        pytest.param(
            body_with(b'"attributes":[{"x":"\\udc00"}]'),
            400,
            "body.not-json",
            "/attributes/0/x",
            id="lone low surrogate",
        ),
        pytest.param(
            body_with(b'"attributes":{"x":1e400}'),
            400,
            "body.not-json",
            "/attributes/x",
            id="1e400",
        ),
        pytest.param(
            body_with(b'"confidence":0.6'), 422, "body.invalid", "/confidence", id="twice"
        ),
        pytest.param(
            body_with(b'"attributes":{"x":1,"x":1}'),
            422,
            "body.invalid",
            "/attributes/x",
            id="twice inside",
        ),
        pytest.param(
            body_with(b'"colour":"red"'), 422, "body.invalid", "/colour", id="unknown member"
        ),
        pytest.param(
            body_with(b'"boxes":[{"x":0,"y":0,"width":2,"height":1}]'),
            422,
            "body.invalid",
            "/boxes/0/width",
            id="out of range",
        ),
        pytest.param(
            body_with(b'"operating_mode":7'),
            422,
            "body.invalid",
            "/operating_mode",
            id="wrong type",
        ),
    ],
)
def test_a_bad_body_is_refused_at_its_place(
    body: bytes, status: int, code: str, pointer: str, node: httpx.Client
) -> None:
    answer = node.post("/v1/detections", content=body, headers={"Content-Type": "application/json"})

    problem = problem_of(answer)
    assert (answer.status_code, problem["code"]) == (status, code)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_an_unknown_parameter_is_named(node: httpx.Client) -> None:
    answer = node.post("/v1/detections?colour=red", json=[])

    assert answer.status_code == 422
    assert problem_of(answer)["errors"][0]["parameter"] == "colour"


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "", None])
def test_another_media_type_is_refused(media_type: str | None, node: httpx.Client) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}

    answer = node.post("/v1/detections", content=b"[]", headers=headers)

    assert answer.status_code == 415
    assert "application/json" in problem_of(answer)["detail"]


@pytest.mark.parametrize("method", ["BREW", "DELETE", "TRACE", "get"])
def test_an_unknown_method_is_told_the_known_ones(method: str, node: httpx.Client) -> None:
    # httpx writes methods in capitals.
    request = node.build_request("GET", "/v1/detections")
    request.method = method

    answer = node.send(request)

    assert answer.status_code == 405
    assert {name.strip() for name in answer.headers["allow"].split(",")} >= {"GET", "POST"}
    problem_of(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/v1/../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/v1/sites/..%2f..%2fetc%2fpasswd",
        "/v1/sites/%00",
        "/v1/sites/%ff",
        "/v1/sites/%zz",
        "//etc/passwd",
        "/v1//sites",
    ],
)
def test_no_path_leads_elsewhere(
    path: str, plain: tuple[str, int], bad_site: Site, node: httpx.Client
) -> None:
    token = bad_site.token("observer")
    if node.get("/livez").http_version == "HTTP/2":
        with HTTP2Client(plain) as client:
            fields = [("authorization", f"Bearer {token}")]
            answer = client.answer(client.request("GET", path, fields))
    else:
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        answer = said_until_closed(plain, f"{head}Connection: close\r\n\r\n".encode())[0]

    assert answer.status in (400, 404)
    assert answer.problem["code"] in ("target.invalid", "route.unknown", "site.unknown")


# Sizes


def test_a_body_of_two_gigabytes_is_refused_before_it_is_sent(plain: tuple[str, int]) -> None:
    head = b"POST /v1/detections HTTP/1.1\r\nHost: x\r\nContent-Length: 2147483648\r\n"

    for extra in (b"", b"Expect: 100-continue\r\n"):
        (answer,) = said_until_closed(plain, head + extra + b"\r\n")
        assert (answer.status, answer.problem["code"]) == (413, "body.too-large")
    with HTTP2Client(plain) as client:
        stream = client.request(
            "POST", "/v1/detections", [("content-length", "2147483648")], ends=False
        )
        answer = client.answer(stream)
        assert (answer.status, answer.problem["code"]) == (413, "body.too-large")


@pytest.mark.parametrize(
    "length", [b"-1", b"+5", b"0x10", b"5, 6", b"99999999999999999999999", b"", b"5 5"]
)
def test_a_length_that_is_no_number_is_refused(length: bytes, plain: tuple[str, int]) -> None:
    head = b"POST /v1/detections HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n"

    (answer,) = said_until_closed(plain, head)

    assert answer.status in (400, 413)
    answer.problem


def test_a_chunked_body_without_end_is_refused_at_the_limit(plain: tuple[str, int]) -> None:
    head = b"POST /v1/detections HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    (answer,) = said_until_closed(plain, head + chunk * 100)

    assert (answer.status, answer.problem["code"]) == (413, "body.too-large")


def test_a_header_of_a_megabyte_is_refused(plain: tuple[str, int]) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 1_048_576 + b"\r\n\r\n"

    (answer,) = said_until_closed(plain, head)

    assert (answer.status, answer.problem["code"]) == (431, "head.too-large")
    (answer,) = said_until_closed(plain, b"GET /" + b"a" * 1_048_576 + b" HTTP/1.1\r\n\r\n")
    assert answer.status in (414, 431)
    many = b"".join(b"X-%d: a\r\n" % number for number in range(10_000))
    (answer,) = said_until_closed(plain, b"GET /livez HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n")
    assert answer.status == 431


def test_a_header_of_forty_kilobytes_is_refused_on_its_stream(plain: tuple[str, int]) -> None:
    with HTTP2Client(plain) as client:
        long = client.request("GET", "/livez", [("x-long", "a" * 40_000)])
        answer = client.answer(long)
        assert (answer.status, answer.problem["code"]) == (431, "head.too-large")

        assert client.answer(client.request("GET", "/livez")).status == 200


def test_a_header_block_without_end_ends_the_connection(plain: tuple[str, int]) -> None:
    # Field after field, each well formed: "x-a" with a hundred bytes.
    block = (b"\x00\x03x-a\x64" + b"a" * 100) * 10_000
    frames = [block[start : start + 16_384] for start in range(0, len(block), 16_384)]
    with HTTP2Client(plain) as client:
        for number, frame in enumerate(frames):
            kind = b"\x01" if number == 0 else b"\x09"
            header = len(frame).to_bytes(3) + kind + b"\x00\x00\x00\x00\x01"
            send_all(client.socket, header + frame)

        code = client.read_to_goaway()

    # nghttp2 itself counts CONTINUATION frames.
    codes = h2.errors.ErrorCodes
    assert code in (None, codes.ENHANCE_YOUR_CALM, codes.INTERNAL_ERROR, codes.PROTOCOL_ERROR)


def test_a_bomb_of_compressed_headers_is_refused(plain: tuple[str, int]) -> None:
    # One long value in the table, then thousands of references to it of a byte each.
    with HTTP2Client(plain) as client:
        client.request("GET", "/livez", [("x-bomb", "a" * 3_000)])
        stream = client.request("GET", "/livez", [("x-bomb", "a" * 3_000)] * 5_000)

        assert client.answer(stream).status == 431


# Heads


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", id="bare CR"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\nb: c\r\n\r\n", id="bare LF"),
        pytest.param(b"GET /livez HTTP/1.1\nHost: x\n\n", id="only LF"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", id="NUL"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n", id="space before colon"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", id="folded"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", id="no colon"),
        pytest.param(b"GET /livez HTTP/1.1\r\n\r\n", id="no Host"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", id="two Hosts"),
        pytest.param(b"GET /li vez HTTP/1.1\r\nHost: x\r\n\r\n", id="space in the target"),
        pytest.param(b"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n", id="bytes in the target"),
        pytest.param(b"G@T /livez HTTP/1.1\r\nHost: x\r\n\r\n", id="no token for a method"),
    ],
)
def test_a_malformed_head_is_refused(head: bytes, plain: tuple[str, int]) -> None:
    (answer,) = said_until_closed(plain, head)

    assert answer.status == 400
    assert answer.problem["code"] in ("request.malformed", "target.invalid")


@pytest.mark.parametrize("version", [b"HTTP/1.2", b"HTTP/2.0", b"HTTP/3.0", b"HTTP/0.9"])
def test_another_version_is_refused(version: bytes, plain: tuple[str, int]) -> None:
    (answer,) = said_until_closed(plain, b"GET /livez " + version + b"\r\nHost: x\r\n\r\n")

    assert (answer.status, answer.problem["code"]) == (505, "version.unsupported")


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"GET /livez\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="SSH"),
        pytest.param(bytes(range(256)) * 4, id="all bytes"),
        pytest.param(b"\x00" * 1_000, id="zeroes"),
        pytest.param(b"\r\n" * 50_000, id="empty lines"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 1_000, id="no frames"),
    ],
)
def test_what_is_no_http_is_closed_upon(garbage: bytes, plain: tuple[str, int]) -> None:
    with connected(plain) as connection:
        send_all(connection, garbage)
        received = read_to_end(connection)

    # Who has begun HTTP is told why; who has not would not understand it.
    assert b" 200 " not in received
    if received.startswith(b"HTTP/1.1"):
        assert all(answer.status >= 400 for answer in answers_in(received))


def test_tls_to_the_plaintext_port_is_closed_upon(
    plain: tuple[str, int], certificate: Certificate
) -> None:
    with connected(plain) as connection, pytest.raises((ssl.SSLError, ConnectionError)):
        certificate.context().wrap_socket(connection, server_hostname="localhost")


def test_plaintext_to_the_tls_port_is_told_so(secured: tuple[str, int]) -> None:
    (answer,) = said_until_closed(secured, LIVE)

    assert (answer.status, answer.problem["code"]) == (400, "connection.tls-required")


@pytest.mark.parametrize("garbage", [b"\x00" * 100, b"\x16\x03\x01" + b"\xff" * 5_000])
def test_what_is_no_tls_is_closed_upon(garbage: bytes, secured: tuple[str, int]) -> None:
    with connected(secured) as connection:
        send_all(connection, garbage)
        read_to_end(connection)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_an_old_tls_is_refused(secured: tuple[str, int], certificate: Certificate) -> None:
    context = certificate.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options &= ~ssl.OP_NO_TLSv1_1
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1

    with connected(secured) as connection, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(connection, server_hostname="localhost")


# Silence


def test_half_a_head_and_silence_is_answered_and_closed(plain: tuple[str, int]) -> None:
    (answer,) = said_until_closed(plain, b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Ha")

    assert (answer.status, answer.problem["code"]) == (408, "head.too-slow")


@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nS", id="half a preface"),
        pytest.param(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
            # HEADERS without END_HEADERS: the CONTINUATION never comes.
            + b"\x00\x00\x01\x01\x01\x00\x00\x00\x01\x82",
            id="half a header block",
        ),
    ],
)
def test_silence_before_a_head_is_closed_upon(beginning: bytes, plain: tuple[str, int]) -> None:
    with connected(plain) as connection:
        send_all(connection, beginning)
        received = read_to_end(connection)

    assert b"HTTP/1.1 2" not in received


@pytest.mark.parametrize("beginning", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_half_a_handshake_and_silence_is_closed_upon(
    beginning: bytes, secured: tuple[str, int]
) -> None:
    with connected(secured) as connection:
        send_all(connection, beginning)
        read_to_end(connection)


def test_half_a_body_and_silence_is_answered_and_closed(plain: tuple[str, int]) -> None:
    head = b"POST /v1/detections HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"

    (answer,) = said_until_closed(plain, head + b"[")

    assert (answer.status, answer.problem["code"]) == (408, "body.too-slow")
    with HTTP2Client(plain) as client:
        stream = client.request("POST", "/v1/detections", ends=False)
        answer = client.answer(stream)
        assert (answer.status, answer.problem["code"]) == (408, "body.too-slow")


# Smuggling


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(
            b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", id="length and chunked"
        ),
        pytest.param(b"Content-Length: 4\r\nContent-Length: 5\r\n", id="two lengths"),
        pytest.param(b"Transfer-Encoding: xchunked\r\n", id="unknown coding"),
        pytest.param(b"Transfer-Encoding: chunked, identity\r\n", id="chunked not last"),
        pytest.param(b"Transfer-Encoding : chunked\r\n", id="space before colon"),
        pytest.param(b"Transfer-Encoding:\x0bchunked\r\n", id="vertical tab"),
        pytest.param(
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", id="chunked twice"
        ),
    ],
)
def test_an_ambiguous_body_hides_no_request(fields: bytes, plain: tuple[str, int]) -> None:
    head = b"POST /v1/detections HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n"

    (answer,) = said_until_closed(plain, head + b"0\r\n\r\n" + LIVE)

    assert answer.status in (400, 501)


@pytest.mark.parametrize(
    "chunks",
    [
        b"5;\r\n\r\nhello\r\n0\r\n\r\n",
        b"g\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_broken_chunks_hide_no_request(chunks: bytes, plain: tuple[str, int]) -> None:
    head = b"POST /v1/detections HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    (answer,) = said_until_closed(plain, head + chunks + LIVE)

    assert answer.status in (400, 413)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([("transfer-encoding", "chunked")], id="transfer-encoding"),
        pytest.param([("connection", "close")], id="connection"),
        pytest.param([("content-length", "5"), ("content-length", "6")], id="two lengths"),
        pytest.param([("x-a", "b\r\nx-c: d")], id="line end"),
        pytest.param([("x-a", "b\x00c")], id="NUL"),
        pytest.param([("X-Capital", "a")], id="capital"),
        pytest.param([("x a", "b")], id="space in a name"),
        pytest.param([(":path", "/metrics")], id="second path"),
    ],
)
def test_a_malformed_head_of_http2_is_refused(
    fields: list[tuple[str, str]], plain: tuple[str, int]
) -> None:
    with HTTP2Client(plain) as client:
        stream = client.request("GET", "/livez", fields)

        for event in client.events():
            if isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                assert event.error_code == h2.errors.ErrorCodes.PROTOCOL_ERROR
                return
            if isinstance(event, h2.events.ResponseReceived):
                assert dict(event.headers)[":status"] == "400"
                return
            assert getattr(event, "stream_id", None) != stream, event


def test_a_body_that_is_not_as_long_as_it_says_is_refused(plain: tuple[str, int]) -> None:
    with HTTP2Client(plain) as client:
        stream = client.request("POST", "/v1/detections", [("content-length", "5")], ends=False)
        client.session.send_data(stream, b"0123456789", end_stream=True)
        client.flush()

        for event in client.events():
            if isinstance(event, h2.events.StreamReset):
                assert event.error_code == h2.errors.ErrorCodes.PROTOCOL_ERROR
                return
            assert not isinstance(event, h2.events.ResponseReceived), event


# Floods


def test_a_flood_of_resets_is_cut_off(plain: tuple[str, int]) -> None:
    with HTTP2Client(plain) as client:
        for _ in range(20_000):
            stream = client.session.get_next_available_stream_id()
            head = [(":method", "GET"), (":scheme", "http"), (":authority", "x")]
            client.session.send_headers(stream, head + [(":path", "/readyz")], end_stream=True)
            client.session.reset_stream(stream)
        client.flush()

        code = client.read_to_goaway()

    # nghttp2 itself counts resets, and gives the connection up with an internal error.
    assert code in (None, h2.errors.ErrorCodes.INTERNAL_ERROR)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + b"12345678", id="PING"),
        pytest.param(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", id="SETTINGS"),
        pytest.param(
            b"\x00\x00\x05\x02\x00\x00\x00\x00\x01" + b"\x00\x00\x00\x00\x10", id="PRIORITY"
        ),
        pytest.param(b"\x00\x00\x00\x09\x04\x00\x00\x00\x01", id="CONTINUATION"),
    ],
)
def test_a_flood_of_frames_that_carry_nothing_is_cut_off(
    frame: bytes, plain: tuple[str, int]
) -> None:
    with HTTP2Client(plain) as client:
        flood = frame * 10_000
        sent = 0
        # It reads nothing meanwhile, so what the server answers piles up.
        try:
            while sent < 100 * len(flood):
                client.socket.sendall(flood)
                sent += len(flood)
        except OSError:
            return
        client.read_to_goaway()


def test_a_flood_of_empty_data_is_cut_off(plain: tuple[str, int]) -> None:
    with HTTP2Client(plain) as client:
        stream = client.request("POST", "/v1/detections", ends=False)
        frame = b"\x00\x00\x00\x00\x00" + stream.to_bytes(4)
        try:
            for _ in range(100):
                client.socket.sendall(frame * 10_000)
        except OSError:
            return
        client.read_to_goaway()


def test_a_thousand_idle_connections_cost_little(impatient: Server) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4_096)), hard))
    before = impatient.resident_bytes
    connections = []
    try:
        for _ in range(1_000):
            connection = socket.create_connection(impatient.address, timeout=30)
            connection.sendall(LIVE)
            connections.append(connection)
        for connection in connections:
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")

        assert impatient.resident_bytes - before < 32 * 1024 * 1024
        with impatient.client() as client:
            assert client.get("/livez").status_code == 200
    finally:
        for connection in connections:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# What only looks bad


def test_pipelined_requests_are_answered_in_their_order(plain: tuple[str, int]) -> None:
    requests = b"".join(
        b"GET /%s HTTP/1.1\r\nHost: x\r\nX-Request-ID: %016x\r\n\r\n"
        % (b"readyz" if number % 2 else b"livez", number)
        for number in range(50)
    )
    last = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-ID: %016x\r\nConnection: close\r\n\r\n" % 50

    answers = said_until_closed(plain, requests + last)

    assert [answer.fields["x-request-id"] for answer in answers] == [f"{n:016x}" for n in range(51)]
    assert {answer.status for answer in answers} == {200}


def test_a_request_in_single_bytes_is_answered(plain: tuple[str, int]) -> None:
    with connected(plain) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
        (answer,) = answers_in(read_to_end(connection))

    assert answer.status == 200


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Content-Type",
        "If-Match",
        "Access-Reason",
        "Idempotency-Key",
        "Last-Event-ID",
    ],
)
def test_a_field_of_which_one_would_be_dropped_is_refused(
    name: str, plain: tuple[str, int]
) -> None:
    repeated = f"{name}: a\r\n{name.lower()}: b\r\n".encode()

    (answer,) = said_until_closed(
        plain, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + repeated + b"\r\n"
    )

    assert answer.status == 400
    assert answer.problem["code"] == "field.repeated"
    assert [error["header"] for error in answer.problem["errors"]] == [name]


def test_an_upgrade_to_h2c_is_answered_in_http_1(plain: tuple[str, int]) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\n"
    settings = b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n"

    (answer,) = said_until_closed(plain, head + settings)

    assert answer.status == 200


def test_a_client_that_waits_to_be_told_to_continue_is(
    plain: tuple[str, int], bad_site: Site
) -> None:
    body = json.dumps(detection(bad_site)).encode()
    head = b"POST /v1/detections HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    head += b"Content-Type: application/json\r\nConnection: close\r\n"
    head += b"Authorization: Bearer %s\r\n" % bad_site.token("node").encode()
    with connected(plain) as connection:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body))
        told = connection.recv(65_536)
        connection.sendall(body)
        (answer,) = answers_in(read_to_end(connection))

    assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.status == 201
