"""Bytes on a socket: what no well-behaved client sends, and what comes back."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

ANSWER_SECONDS_MAX = 15
READ_BYTES = 65_536


@dataclass
class Answer:
    """One response of HTTP/1.1."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        assert self.fields["content-type"] == "application/problem+json", self
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        assert problem["request_id"]
        return problem


def answers_in(received: bytes) -> list[Answer]:
    """The responses of bytes that hold whole ones only."""
    answers = []
    while received:
        head, separator, received = received.partition(b"\r\n\r\n")
        assert separator, f"half a head: {head!r}"
        status_line, *lines = head.decode().split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1"
        fields = {name.lower(): value.strip() for name, value in (l.split(":", 1) for l in lines)}
        if int(status) < 200:
            answers.append(Answer(int(status), fields, b""))
            continue
        length = int(fields["content-length"])
        assert len(received) >= length, f"half a body: {received!r}"
        answers.append(Answer(int(status), fields, received[:length]))
        received = received[length:]
    return answers


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=ANSWER_SECONDS_MAX) as connection:
        yield connection


def read_to_end(connection: socket.socket) -> bytes:
    """All that the server sends until it closes, which it must do in time."""
    received = b""
    deadline = time.monotonic() + ANSWER_SECONDS_MAX
    while True:
        assert time.monotonic() < deadline, f"the server does not close: {received!r}"
        try:
            chunk = connection.recv(READ_BYTES)
        except ConnectionResetError:
            # It has closed while bytes that nobody will read were on their way.
            return received
        if not chunk:
            return received
        received += chunk


def send_all(connection: socket.socket, content: bytes) -> None:
    """Sends what the server takes; it may close before it has taken all."""
    try:
        connection.sendall(content)
    except (BrokenPipeError, ConnectionResetError):
        pass


def said_until_closed(address: tuple[str, int], content: bytes) -> list[Answer]:
    """The answers to these bytes, after which the server closes by itself."""
    with connected(address) as connection:
        send_all(connection, content)
        return answers_in(read_to_end(connection))


class HTTP2Client:
    """A connection of HTTP/2 that lets the test send any frame."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(address, timeout=ANSWER_SECONDS_MAX)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        # What the server is to refuse must get out.
        configuration = h2.config.H2Configuration(
            client_side=True,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.session = h2.connection.H2Connection(configuration)
        self.session.initiate_connection()
        self.authority = f"{address[0]}:{address[1]}"
        self.flush()

    def __enter__(self) -> HTTP2Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        send_all(self.socket, self.session.data_to_send())

    def request(
        self,
        method: str,
        path: str,
        fields: list[tuple[str, str]] | None = None,
        ends: bool = True,
    ) -> int:
        """Sends a head, and returns its stream."""
        stream = self.session.get_next_available_stream_id()
        pseudo = [
            (":method", method),
            (":scheme", "http"),
            (":authority", self.authority),
            (":path", path),
        ]
        self.session.send_headers(stream, pseudo + (fields or []), end_stream=ends)
        self.flush()
        return stream

    def events(self) -> Iterator[h2.events.Event]:
        """What the server does until it closes, which it must do, or be left, in time."""
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                received = self.socket.recv(READ_BYTES)
            except (ConnectionResetError, ssl.SSLEOFError):
                return
            if not received:
                return
            try:
                events = self.session.receive_data(received)
            except h2.exceptions.ProtocolError:
                # After a GOAWAY the library takes nothing; what comes is for other streams.
                return
            for event in events:
                if isinstance(event, h2.events.DataReceived):
                    self.session.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
            self.flush()
            yield from events
        raise AssertionError("nothing came in time")

    def answer(self, stream: int) -> Answer:
        """The response on a stream."""
        fields: dict[str, str] = {}
        body = b""
        for event in self.events():
            if getattr(event, "stream_id", None) != stream:
                assert not isinstance(event, h2.events.ConnectionTerminated), event
                continue
            if isinstance(event, h2.events.ResponseReceived):
                fields = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                body += event.data
            elif isinstance(event, h2.events.StreamReset):
                raise AssertionError(f"the stream was reset: {event}")
            if event_ends(event):
                return Answer(int(fields[":status"]), fields, body)
        raise AssertionError("the connection ended before the answer")

    def read_to_goaway(self) -> h2.errors.ErrorCodes | int | None:
        """The code with which the server gives the connection up; None if it just closes."""
        code = None
        for event in self.events():
            if isinstance(event, h2.events.ConnectionTerminated):
                code = event.error_code
        return code


def event_ends(event: h2.events.Event) -> bool:
    return getattr(event, "stream_ended", None) is not None
