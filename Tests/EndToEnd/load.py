"""Connections that post detections at full speed, and what the server answered to each of them."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

from detections import Node, detection
from server_under_test import Server, Site

LOAD_SECONDS_MAX = 30
SINGLES = 1


class Load:
    """Posts over HTTP/1.1 until it is stopped; a connection that breaks is not made again.

    What it says of itself is complete once it has ended.
    """

    def __init__(
        self, servers: Sequence[Server], site: Site, cameras: Sequence[str], sizes: Sequence[int]
    ) -> None:
        """Each size is a connection that posts arrays of so many, or with 1 single detections."""
        self.site = site
        self.cameras = itertools.cycle(cameras)
        self.acknowledged: list[dict[str, Any]] = []
        # Refused for the moment, or without an answer: stored or not, nobody knows.
        self.unsettled: list[dict[str, Any]] = []
        self.outcomes: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        # By the place of the connection in `sizes`: how many requests were answered with 2xx.
        self.successes: Counter[int] = Counter()
        # What a 503 says about when to come again.
        self.retry_after: set[str | None] = set()
        self.broken: list[Exception] = []
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        # Here, not in several threads at once: the first to ask makes the token.
        token = site.token("node")
        self.executor = ThreadPoolExecutor(len(sizes))
        self.posters: list[Future[None]] = [
            self.executor.submit(self.post, server, token, place, size)
            for server, (place, size) in zip(itertools.cycle(servers), enumerate(sizes))
        ]

    def __enter__(self) -> Load:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def post(self, server: Server, token: str, place: int, size: int) -> None:
        with Node(server, token) as node:
            while not self.stopping.is_set():
                items = [
                    detection(self.site, camera=camera)
                    for camera in itertools.islice(self.cameras, size)
                ]
                body = items[0] if size == SINGLES else items
                try:
                    status, fields, answer = node.request("POST", "/v1/detections", body)
                except (OSError, http.client.HTTPException) as error:
                    with self.changed:
                        self.unsettled += items
                        self.broken.append(error)
                        self.changed.notify_all()
                    return
                self.note(place, items, status, fields, answer)

    def note(
        self,
        place: int,
        items: list[dict[str, Any]],
        status: int,
        fields: http.client.HTTPMessage,
        answer: dict[str, Any],
    ) -> None:
        with self.changed:
            self.statuses[status] += 1
            if status >= 300:
                self.unsettled += items
                if status == 503:
                    self.retry_after.add(fields["Retry-After"])
            else:
                self.acknowledged += items
                self.successes[place] += 1
                outcomes = answer.get("items", [answer])
                assert [outcome["id"] for outcome in outcomes] == [item["id"] for item in items]
                self.outcomes.update(outcome["outcome"] for outcome in outcomes)
            self.changed.notify_all()

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Returns as soon as this holds of what has been answered so far."""
        with self.changed:
            assert self.changed.wait_for(holds, timeout=LOAD_SECONDS_MAX), (
                f"{self.statuses}, {self.outcomes}, {self.broken}"
            )

    def wait_for_more(self, count: int) -> None:
        """Returns when so many more detections have been acknowledged."""
        with self.changed:
            goal = len(self.acknowledged) + count
        self.wait_until(lambda: len(self.acknowledged) >= goal)

    def wait_for_each(self, count: int) -> None:
        """Returns when so many more requests of each connection have been acknowledged."""
        with self.changed:
            goals = {place: self.successes[place] + count for place in range(len(self.posters))}
        self.wait_until(
            lambda: all(self.successes[place] >= goal for place, goal in goals.items())
        )

    def end(self) -> None:
        """Lets the requests under way be answered; twice does no harm."""
        self.stopping.set()
        self.executor.shutdown()
        for poster in self.posters:
            poster.result()
