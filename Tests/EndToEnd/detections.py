"""Detections as nodes send them."""

from __future__ import annotations

import http.client
import json
import uuid
from datetime import datetime, timedelta, timezone
from types import TracebackType
from typing import Any

from server_under_test import REQUEST_SECONDS_MAX, Server, Site


def instant(**ago: float) -> str:
    """An instant so long ago."""
    return (datetime.now(timezone.utc) - timedelta(**ago)).isoformat()


def detection(site: Site, **members: Any) -> dict[str, Any]:
    """A detection that the site permits, with the members given."""
    plain = {
        "id": str(uuid.uuid4()),
        "camera": site.camera_key,
        "pattern": "hitting",
        "confidence": 0.75,
        "occurred_at": instant(),
    }
    return plain | members


def post(site: Site, body: Any, status: int = 201) -> Any:
    """The answer to a detection, or to an array of them, of the site's node."""
    response = site.client("node").post("/v1/detections", json=body)
    assert response.status_code == status, response.text
    return response.json()


class Node:
    """A node with one connection of its own that stays open, as light as a load test needs it."""

    def __init__(self, server: Server, token: str) -> None:
        self.connection = http.client.HTTPConnection(*server.address, timeout=REQUEST_SECONDS_MAX)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def __enter__(self) -> Node:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()

    def request(
        self, method: str, target: str, body: Any = None
    ) -> tuple[int, http.client.HTTPMessage, Any]:
        """Status, header fields and JSON of the answer."""
        content = None if body is None else json.dumps(body)
        self.connection.request(method, target, body=content, headers=self.headers)
        response = self.connection.getresponse()
        return response.status, response.headers, json.loads(response.read())

    def post(self, body: Any) -> tuple[int, Any]:
        """Status and JSON of the answer to detections."""
        status, _, answer = self.request("POST", "/v1/detections", body)
        return status, answer
