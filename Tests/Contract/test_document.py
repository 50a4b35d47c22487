"""The contract by itself: no server is needed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
import yaml
from contract import DOCUMENT, OPERATIONS, Operation, pointer, problems_of, resolve
from openapi_spec_validator import validate
from server_under_test import ROOT

OPEN = {"/livez", "/readyz", "/openapi.json"}


def described_examples() -> list[tuple[str, object, str]]:
    """Each example as its place, its value, and the pointer of the schema that it must satisfy."""
    found: list[tuple[str, object, str]] = []

    def search(node: object, path: list[str]) -> None:
        if isinstance(node, list):
            for index, value in enumerate(node):
                search(value, [*path, str(index)])
            return
        if not isinstance(node, dict):
            return
        place = "/".join(path)
        if "schema" in node:
            at = pointer(*path, "schema")
            if "example" in node:
                found.append((f"{place}/example", node["example"], at))
            for name, example in node.get("examples", {}).items():
                found.append((f"{place}/examples/{name}", example["value"], at))
        elif isinstance(node.get("examples"), list):
            for index, value in enumerate(node["examples"]):
                found.append((f"{place}/examples/{index}", value, pointer(*path)))
        for name, value in node.items():
            if name not in ("example", "examples"):
                search(value, [*path, name])

    search(DOCUMENT, [])
    return found


EXAMPLES = described_examples()


class StrictLoader(yaml.SafeLoader):
    """Refuses a name that stands twice in one mapping, as the server's own parser does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = {name for name in names if names.count(name) > 1}
        assert not repeated, f"{node.start_mark}: {repeated} stand twice"
        return super().construct_mapping(node, deep)


def test_the_document_names_nothing_twice() -> None:
    text = (ROOT / "openapi" / "openapi.yaml").read_text()

    assert yaml.load(text, Loader=StrictLoader) == DOCUMENT


def test_the_document_is_valid() -> None:
    validate(DOCUMENT)


@pytest.mark.parametrize(("value", "at"), [pytest.param(v, at, id=p) for p, v, at in EXAMPLES])
def test_an_example_satisfies_its_schema(value: object, at: str) -> None:
    assert problems_of(value, at) == []


def test_an_example_of_a_problem_has_the_title_of_its_status() -> None:
    # RFC 9457, section 4.2.1: of the type about:blank the title is the status's name (RFC 9110).
    names = {status.value: status.phrase for status in HTTPStatus}
    names |= {413: "Content Too Large", 422: "Unprocessable Content"}
    others: list[tuple[str, str]] = []

    def search(node: Any) -> None:
        if isinstance(node, list):
            for value in node:
                search(value)
        elif isinstance(node, dict):
            if node.get("type") == "about:blank" and node["title"] != names[node["status"]]:
                others.append((node["code"], node["title"]))
            for value in node.values():
                search(value)

    search(DOCUMENT)

    assert others == []


def test_there_are_examples_of_every_shared_schema_and_parameter() -> None:
    components = DOCUMENT["components"]
    # These are shown where they are used.
    bare = [name for name, schema in components["schemas"].items() if "examples" not in schema]
    assert bare == ["ReportConflict", "HoldConflict", "TokenInput", "AlarmConflict"]
    assert [
        name for name, parameter in components["parameters"].items() if "example" not in parameter
    ] == []


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_an_operation_says_who_may_call_it(operation: Operation) -> None:
    roles = DOCUMENT["components"]["schemas"]["Role"]["enum"]

    assert set(operation.roles) <= set(roles)

    open_to_all = operation.definition.get("security") == []
    assert open_to_all == (operation.path in OPEN)
    assert open_to_all == (operation.roles == [])


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_an_operation_lists_every_refusal(operation: Operation) -> None:
    statuses = set(operation.definition["responses"])

    expected = {"400", "408", "422", "431", "500", "503"}
    if operation.roles:
        expected |= {"401", "403"}
    if "{id}" in operation.path:
        expected |= {"404"}
    if "requestBody" in operation.definition:
        expected |= {"413", "415"}
    if operation.method == "patch":
        expected |= {"412", "428"}
    assert expected <= statuses


def test_streams_can_be_filtered_by_each_event_that_they_show() -> None:
    events = DOCUMENT["paths"]["/v1/stream"]["get"]["x-events"].keys() - {"resync"}
    kinds = {event.split(".")[0] for event in events}

    assert set(DOCUMENT["components"]["schemas"]["EventType"]["enum"]) == events | kinds


def test_each_event_of_the_stream_is_described() -> None:
    events = DOCUMENT["paths"]["/v1/stream"]["get"]["x-events"]

    assert [name for name, event in events.items() if not event["description"].endswith(".")] == []
    assert [name for name, event in events.items() if "properties" not in resolve(event["data"])] == []


def test_inputs_take_no_member_that_is_not_described() -> None:
    open_inputs = []
    for operation in OPERATIONS:
        contents = operation.definition.get("requestBody", {}).get("content", {})
        pending = [content["schema"] for content in contents.values()]
        while pending:
            schema = resolve(pending.pop())
            pending += schema.get("oneOf", []) + schema.get("anyOf", [])
            # A part that only narrows down members of the others closes nothing by itself.
            pending += [part for part in schema.get("allOf", []) if "$ref" in part]
            pending += list(schema.get("properties", {}).values())
            pending += [schema["items"]] if "items" in schema else []
            if "properties" in schema and schema.get("additionalProperties") is not False:
                open_inputs.append(f"{operation}: {schema.get('description')}")
    assert open_inputs == []
