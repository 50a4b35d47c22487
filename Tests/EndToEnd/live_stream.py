"""A reader of the live stream, as a browser's EventSource is one, but with a deadline."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from server_under_test import Server

EVENT_SECONDS_MAX = 20


@dataclass(frozen=True)
class Event:
    """One event block; a block without data is a heartbeat."""

    id: str | None
    name: str | None
    data: Any
    received_at: float = field(compare=False)

    @property
    def order(self) -> tuple[int, int]:
        """Its place among all events."""
        assert self.id is not None
        position, ordinal = self.id.split(".")
        return int(position), int(ordinal)


class Reader:
    """A connection that reads the stream, and remembers up to where."""

    def __init__(
        self,
        server: Server,
        token: str,
        last_id: str | None = None,
        seconds_max: float = EVENT_SECONDS_MAX,
        **parameters: str,
    ) -> None:
        self.last_id = last_id
        self.connection = http.client.HTTPConnection(*server.address, timeout=seconds_max)
        headers = {"Authorization": f"Bearer {token}"}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        target = "/v1/stream" + (f"?{urlencode(parameters)}" if parameters else "")
        self.connection.request("GET", target, headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.response.close()
        self.connection.close()

    def blocks(self) -> Iterator[Event]:
        """Each block, heartbeats too, until the server ends the stream."""
        fields: dict[str, str] = {}
        while line := self.response.readline():
            text = line.decode().rstrip("\n")
            if text:
                if not text.startswith(":"):
                    name, _, value = text.partition(":")
                    fields[name] = value.removeprefix(" ")
                continue
            self.last_id = fields.get("id", self.last_id)
            data = json.loads(fields["data"]) if "data" in fields else None
            yield Event(fields.get("id"), fields.get("event"), data, time.monotonic())
            fields = {}

    def events(self) -> Iterator[Event]:
        """Each event, until the server ends the stream."""
        return (block for block in self.blocks() if block.name is not None)

    def until(self, is_last: Callable[[Event], bool]) -> list[Event]:
        """The events up to the first for which this holds."""
        seen: list[Event] = []
        deadline = time.monotonic() + EVENT_SECONDS_MAX
        for block in self.blocks():
            if block.name is not None:
                seen.append(block)
                if is_last(block):
                    return seen
            assert time.monotonic() < deadline, f"what was waited for did not come: {seen}"
        raise AssertionError(f"the stream ended before what was waited for: {seen}")

    def begin(self) -> Reader:
        """Returns once the server has said from where it reads on."""
        next(self.blocks())
        return self
