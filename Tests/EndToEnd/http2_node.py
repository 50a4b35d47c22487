"""A node that keeps several posts under way on one HTTP/2 connection, and obeys GOAWAY."""

from __future__ import annotations

import itertools
import json
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import h2.config
import h2.connection
import h2.events
from detections import detection
from server_under_test import REQUEST_SECONDS_MAX, Server, Site

STREAMS_MAX = 8
FRAME_HEAD_BYTES = 9
GO_AWAY = 0x7


class HTTP2Node:
    """Posts single detections until the server tells it to go away, then takes what is answered.

    RFC 9113 section 6.8: after GOAWAY no stream is opened, and streams above the number that the
    last GOAWAY names are not and will not be acted upon.
    """

    def __init__(self, server: Server, site: Site, cameras: Sequence[str]) -> None:
        self.site = site
        self.cameras = itertools.cycle(cameras)
        self.authority = "{}:{}".format(*server.address)
        self.authorization = f"Bearer {site.token('node')}"
        # By stream.
        self.sent: dict[int, dict[str, Any]] = {}
        self.statuses: dict[int, int] = {}
        # Last stream and error code of each.
        self.go_aways: list[tuple[int, int]] = []
        self.error: Exception | None = None
        self.changed = threading.Condition()
        self.socket = socket.create_connection(server.address, timeout=REQUEST_SECONDS_MAX)
        configuration = h2.config.H2Configuration(header_encoding="utf-8")
        self.session = h2.connection.H2Connection(configuration)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def wait_for(self, count: int) -> None:
        """Returns when so many posts have been answered."""
        with self.changed:
            assert self.changed.wait_for(
                lambda: len(self.statuses) >= count or self.error is not None, REQUEST_SECONDS_MAX
            )

    def join(self) -> None:
        self.thread.join(timeout=REQUEST_SECONDS_MAX)
        assert not self.thread.is_alive(), "the server has not closed the connection"

    def run(self) -> None:
        try:
            with self.socket:
                self.session.initiate_connection()
                for _ in range(STREAMS_MAX):
                    self.post()
                self.socket.sendall(self.session.data_to_send())
                for frame in self.frames():
                    self.take(frame)
                    self.socket.sendall(self.session.data_to_send())
        except Exception as error:
            self.error = error
        with self.changed:
            self.changed.notify_all()

    def frames(self) -> Iterator[bytes]:
        """Each frame, until the server closes the connection."""
        pending = b""
        while received := self.socket.recv(65_536):
            pending += received
            while len(pending) >= FRAME_HEAD_BYTES:
                end = FRAME_HEAD_BYTES + int.from_bytes(pending[:3], "big")
                if len(pending) < end:
                    break
                frame, pending = pending[:end], pending[end:]
                yield frame
        assert not pending, "the connection ended within a frame"

    def take(self, frame: bytes) -> None:
        if frame[3] == GO_AWAY:
            # h2 would take nothing after it, not even the answers that are still to come.
            last, code = struct.unpack_from(">II", frame, FRAME_HEAD_BYTES)
            self.go_aways.append((last & 0x7FFFFFFF, code))
            return
        for event in self.session.receive_data(frame):
            if isinstance(event, h2.events.ResponseReceived):
                with self.changed:
                    self.statuses[event.stream_id] = int(dict(event.headers)[":status"])
            elif isinstance(event, h2.events.DataReceived):
                self.session.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
            elif isinstance(event, h2.events.StreamEnded):
                with self.changed:
                    self.changed.notify_all()
                if not self.go_aways:
                    self.post()
            elif isinstance(event, h2.events.StreamReset):
                raise AssertionError(f"stream {event.stream_id} was reset: {event.error_code}")

    def post(self) -> None:
        item = detection(self.site, camera=next(self.cameras))
        stream = self.session.get_next_available_stream_id()
        self.sent[stream] = item
        fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", self.authority),
            (":path", "/v1/detections"),
            ("authorization", self.authorization),
            ("content-type", "application/json"),
        ]
        self.session.send_headers(stream, fields)
        self.session.send_data(stream, json.dumps(item).encode(), end_stream=True)
