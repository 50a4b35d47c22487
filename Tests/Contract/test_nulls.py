"""Whether null is taken exactly where the contract has it, in every member of every body."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from contract import FORMATS, OPERATIONS, Operation, pointer, problems_of, resolve
from jsonschema import Draft202012Validator
from server_under_test import Server, Site, create_site

NO_ID = "0199a2b0-ffff-7000-8000-ffffffffffff"

Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class Body:
    """A body that an operation takes, as one media type."""

    operation: Operation
    media_type: str

    @property
    def schema(self) -> dict[str, Any]:
        content = self.operation.definition["requestBody"]["content"]
        return content[self.media_type]["schema"]

    def problems(self, value: Any) -> list[str]:
        """How a value differs from what the operation takes."""
        path, method = self.operation.path, self.operation.method
        at = pointer("paths", path, method, "requestBody", "content", self.media_type, "schema")
        return problems_of(value, at)

    def __str__(self) -> str:
        return f"{self.operation} {self.media_type.removeprefix('application/')}"


BODIES = [
    Body(operation, media_type)
    for operation in OPERATIONS
    for media_type in operation.definition.get("requestBody", {}).get("content", {})
]
# What is no document of JSON has no member that could be null by itself; an import's lines of JSON
# take null for a member left out, as an export writes it.
LINES = ["text/csv", "application/x-ndjson"]
DOCUMENTS = [body for body in BODIES if body.media_type not in LINES]


def filled(schema: dict[str, Any]) -> list[Any]:
    """Values that have every member which the schema describes; several where it has alternatives."""
    schema = resolve(schema)
    members: dict[str, list[Any]] = {}
    for part in [schema, *map(resolve, schema.get("allOf", []))]:
        # Of two descriptions of a member the later one narrows the first down.
        members |= {name: filled(of) for name, of in part.get("properties", {}).items()}
    if members:
        return combined({name: of for name, of in members.items() if name not in excluded(schema)})
    if alternatives := schema.get("oneOf") or schema.get("anyOf"):
        some = [part for part in map(resolve, alternatives) if part.get("type") != "null"]
        return [value for part in some for value in filled(part)]
    if "items" in schema:
        return [[item] * schema.get("minItems", 1) for item in filled(schema["items"])]
    return [leaf(schema)]


def excluded(schema: dict[str, Any]) -> list[str]:
    """Members that one of the schema's parts has and it has not."""
    return schema.get("not", {}).get("required", [])


def combined(members: dict[str, list[Any]]) -> list[Any]:
    """Objects with all members, in which each value of each member stands once."""
    count = max(len(values) for values in members.values())
    return [
        {name: copy.deepcopy(values[index % len(values)]) for name, values in members.items()}
        for index in range(count)
    ]


def leaf(schema: dict[str, Any]) -> Any:
    """A value without members."""
    times = ["2026-11-24T12:00:00Z", "2026-11-24", "16:00"]
    plain = [*times, NO_ID, "Paradeplatz", "mannheim", 0.5, 3, True, {}]
    given = [schema.get("const"), *schema.get("examples", []), *schema.get("enum", [])]
    for value in given + plain:
        if value is not None and Draft202012Validator(schema, format_checker=FORMATS).is_valid(value):
            return value
    raise AssertionError(f"no value for {schema}")


def places(value: Any, at: Steps = ()) -> Iterator[Steps]:
    """Each member and each item inside a value."""
    inner = value.items() if isinstance(value, dict) else []
    inner = enumerate(value) if isinstance(value, list) else inner
    for step, part in inner:
        yield (*at, step)
        yield from places(part, (*at, step))


def with_null(value: Any, at: Steps) -> Any:
    """The value with null at this place."""
    changed = copy.deepcopy(value)
    inside = changed
    for step in at[:-1]:
        inside = inside[step]
    inside[at[-1]] = None
    return changed


def pruned(body: Body, value: Any, at: Steps) -> Any:
    """The value with what leads to this place, and of the rest only what is required.

    A server names only so many faults, and the bodies have others: they name what does not exist.
    """
    for place in sorted(places(value), key=len):
        if place == at[: len(place)] or isinstance(place[-1], int):
            continue
        shorter = copy.deepcopy(value)
        inside = shorter
        try:
            for step in place[:-1]:
                inside = inside[step]
            del inside[place[-1]]
        except (KeyError, IndexError):
            continue  # It went with what it stood in.
        if body.problems(shorter) == []:
            value = shorter
    return value


def described(schema: dict[str, Any], at: Steps = ()) -> Iterator[Steps]:
    """Each member that a schema describes, and an item of each array."""
    schema = resolve(schema)
    for name, member in schema.get("properties", {}).items():
        yield (*at, name)
        yield from described(member, (*at, name))
    if "items" in schema:
        yield (*at, 0)
        yield from described(schema["items"], (*at, 0))
    for part in schema.get("oneOf", []) + schema.get("anyOf", []) + schema.get("allOf", []):
        for place in described(part, at):
            if place[len(at)] not in excluded(schema):
                yield place


def named(place: Steps) -> str:
    """The place's JSON pointer."""
    return "".join(f"/{step}" for step in place)


def answered(body: Body, value: Any, client: httpx.Client, id: str) -> dict[str, str]:
    """What the server finds fault with in a body: JSON pointers, and a code for each."""
    response = client.request(
        body.operation.method.upper(),
        body.operation.target(id),
        content=json.dumps(value),
        headers={"Content-Type": body.media_type, "If-Match": "*"},
    )
    assert response.status_code not in (401, 403, 415, 428, 500), response.text
    answer = response.json()
    problems = [item.get("problem") or {} for item in answer.get("items", [])] + [answer]
    faults = [fault for problem in problems for fault in problem.get("errors", [])]
    return {fault["pointer"]: fault["code"] for fault in faults if "pointer" in fault}


def names_of(place: Steps) -> set[str]:
    """How a fault may name a place: an item also by the member that it is in."""
    member = place
    while len(member) > 1 and isinstance(member[-1], int):
        member = member[:-1]
    return {named(place), named(member)}


@pytest.fixture(scope="module")
def of_this_module(server: Server, administrator: httpx.Client) -> Iterator[Site]:
    """A site of these tests alone."""
    site = create_site(server, administrator, f"site-{uuid.uuid4().hex}")
    yield site
    site.close()


@pytest.mark.parametrize("body", DOCUMENTS, ids=str)
def test_null_is_taken_where_the_contract_has_it_and_nowhere_else(
    body: Body, of_this_module: Site, administrator: httpx.Client
) -> None:
    role = body.operation.roles[0]
    client = administrator if role == "administrator" else of_this_module.client(role)
    # The bodies name what does not exist, but a node sends its own heartbeats.
    id = of_this_module.node if role == "node" else NO_ID
    if body.operation.path.startswith("/v1/sites/"):
        id = of_this_module.id

    reached: set[Steps] = set()
    wrong: list[str] = []
    for value in filled(body.schema):
        assert body.problems(value) == []
        for place in places(value):
            if place in reached:
                continue
            reached.add(place)
            changed = with_null(value, place)
            faults = answered(body, changed, client, id)
            if body.problems(changed) == []:
                if faults.get(named(place)) == "wrong-type":
                    wrong.append(f"{named(place)} takes no null")
                continue
            if faults.keys().isdisjoint(names_of(place)):
                shorter = with_null(pruned(body, value, place), place)
                faults = answered(body, shorter, client, id)
            if faults.keys().isdisjoint(names_of(place)):
                wrong.append(f"{named(place)} takes null")

    assert wrong == [], "\n".join(wrong)
    assert reached >= set(described(body.schema))


def test_every_body_but_an_imports_lines_is_tried() -> None:
    others = {str(body.operation) for body in BODIES if body not in DOCUMENTS}

    assert others == {"POST /v1/imports"}
