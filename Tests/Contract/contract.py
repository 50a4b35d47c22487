"""The contract as the tests use it: its operations, and whether a response is as it describes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from server_under_test import ROOT

METHODS = ("get", "put", "post", "delete", "patch")
BASE = "urn:contract"

DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "openapi" / "openapi.yaml").read_text())


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """What a reference into the document stands for; anything else is itself."""
    while "$ref" in node:
        target: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """Each object in a document, from the root down."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with objects that allow no member but those described.

    Clients must bear new members, so the contract leaves them open; the server may send none that
    it does not list.
    """
    document = copy.deepcopy(document)
    parts = {
        part["$ref"].rsplit("/", 1)[-1]
        for node in walk(document)
        for part in node.get("allOf", [])
        if "$ref" in part
    }
    inline = {id(part) for node in walk(document) for part in node.get("allOf", [])}
    open_schemas = {
        id(schema) for name, schema in document["components"]["schemas"].items() if name in parts
    }
    contract_schema = document["paths"]["/openapi.json"]["get"]["responses"]["200"]["content"]
    open_schemas |= {id(node) for node in walk(contract_schema)}
    for node in list(walk(document)):
        if id(node) in open_schemas or id(node) in inline:
            continue
        described = node.get("type") == "object" and "properties" in node
        if described and "additionalProperties" not in node or "allOf" in node:
            node["unevaluatedProperties"] = False
    return document


CLOSED = closed(DOCUMENT)
FORMATS = FormatChecker()


def registry(document: dict[str, Any]) -> Registry:
    return Registry().with_resource(BASE, Resource.from_contents(document, DRAFT202012))


REGISTRIES = {"open": registry(DOCUMENT), "closed": registry(CLOSED)}


def pointer(*parts: str) -> str:
    """A JSON pointer fragment of the path."""
    return "#/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)


@cache
def validator(at: str, document: str = "closed") -> Draft202012Validator:
    """A validator of the schema at the pointer."""
    return Draft202012Validator(
        {"$ref": BASE + at}, registry=REGISTRIES[document], format_checker=FORMATS
    )


def problems_of(value: Any, at: str, document: str = "closed") -> list[str]:
    """How a value differs from the schema at the pointer."""
    return [
        f"{error.json_path}: {error.message}"
        for error in validator(at, document).iter_errors(value)
    ]


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    path: str
    method: str

    @property
    def definition(self) -> dict[str, Any]:
        return DOCUMENT["paths"][self.path][self.method]

    @property
    def roles(self) -> list[str]:
        return self.definition["x-roles"]

    def target(self, id: str) -> str:
        """The path with an id in its place."""
        return self.path.replace("{id}", id)

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


OPERATIONS = [
    Operation(path, method)
    for path, item in DOCUMENT["paths"].items()
    for method in METHODS
    if method in item
]


def operation_of(method: str, url: str) -> Operation:
    """The operation that a request means."""
    path = urlsplit(url).path
    for operation in OPERATIONS:
        pattern = re.sub(r"\\{[a-z]+\\}", "[^/]+", re.escape(operation.path))
        if operation.method == method.lower() and re.fullmatch(pattern, path):
            return operation
    raise AssertionError(f"the contract has no {method} {path}")


def check(response: httpx.Response) -> None:
    """Fails unless the response is one that the contract describes for its operation."""
    operation = operation_of(response.request.method, str(response.request.url))
    status = str(response.status_code)
    responses = operation.definition["responses"]
    assert status in responses, f"{operation} may not answer {status}: {response.text}"
    at = ["paths", operation.path, operation.method, "responses", status]
    if "$ref" in responses[status]:
        at = responses[status]["$ref"].removeprefix("#/").split("/")
    check_against(response, resolve(responses[status]), at)


def check_component(response: httpx.Response, name: str) -> None:
    """Fails unless the response is the shared one of this name."""
    check_against(
        response, DOCUMENT["components"]["responses"][name], ["components", "responses", name]
    )


def check_against(response: httpx.Response, described: dict[str, Any], at: list[str]) -> None:
    """Fails unless headers, media type and body are as described at this place of the contract."""
    where = f"{response.request.method} {response.request.url} {response.status_code}"
    for name, reference in described.get("headers", {}).items():
        header = resolve(reference)
        value = response.headers.get(name)
        assert value is not None or not header.get("required"), f"{where} has no {name}"
        if value is not None and "pattern" in header["schema"]:
            assert re.search(header["schema"]["pattern"], value), f"{where}: {name}: {value}"
    media_type = response.headers.get("content-type", "").split(";")[0].strip()
    assert media_type in described["content"], f"{where} is {media_type}"
    if media_type == "application/x-ndjson":
        for line in response.text.splitlines():
            problems = problems_of(json.loads(line), described["content"][media_type]["x-lines"])
            assert not problems, f"{where}: {problems}\n{line}"
    elif media_type.endswith("json"):
        problems = problems_of(response.json(), pointer(*at, "content", media_type, "schema"))
        assert not problems, f"{where}: {problems}\n{response.text}"


def call(client: httpx.Client, method: str, path: str, status: int, **arguments: Any) -> Any:
    """The body of the response, which has this status and is as the contract describes it."""
    response = client.request(method, path, **arguments)
    assert response.status_code == status, (
        f"{method} {path}: {response.status_code} {response.text}"
    )
    check(response)
    return response.json()


def refused(
    client: httpx.Client, method: str, path: str, status: int, code: str, **arguments: Any
) -> Any:
    """The problem, which has this status and code."""
    problem = call(client, method, path, status, **arguments)
    assert problem["code"] == code, problem
    return problem
