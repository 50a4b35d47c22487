"""What schemathesis needs to know about this server, and two checks of our own."""

from __future__ import annotations

import json
import os

import schemathesis
from hypothesis import strategies
from schemathesis.core.failures import Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

TOKENS: dict[str, str] = json.loads(os.environ["LEITSTAND_TOKENS"])

# By operationId: an id that exists, and members of a body that name what exists. Random ones
# would be refused rightly, and the code behind the refusal would never run; the scripted tests
# have what does not exist.
KNOWN_IDS: dict[str, str] = json.loads(os.environ["LEITSTAND_KNOWN_IDS"])
KNOWN_MEMBERS: dict[str, dict[str, str]] = json.loads(os.environ["LEITSTAND_KNOWN_MEMBERS"])

# The names of the database differ from machine to machine; these exist everywhere.
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Etc/UTC"]

schemathesis.openapi.format("time-zone", strategies.sampled_from(ZONES))


# Tokens differ by operation, so none is kept for the next.
@schemathesis.auth(refresh_interval=None)
class TokenOfTheRole:
    """Sends the token of the first role that may call the operation."""

    def get(self, case, context):
        roles = context.operation.definition.raw["x-roles"]
        return TOKENS[roles[0]] if roles else None

    def set(self, case, data, context):
        if data is not None:
            case.headers["Authorization"] = f"Bearer {data}"


def with_small_integers(value):
    """The value with integers that 64 bits can hold."""
    if isinstance(value, list):
        return [with_small_integers(item) for item in value]
    if isinstance(value, dict):
        return {name: with_small_integers(item) for name, item in value.items()}
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-(2**63), min(value, 2**63 - 1))
    return value


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts what exists into valid places; what is invalid on purpose is left alone."""
    meta = case.meta
    if meta is None:
        return
    operation = case.operation.definition.raw["operationId"]

    # A chain of steps carries ids of its own; but it must not revoke a token that the run needs.
    in_a_chain = meta.phase.name == TestPhase.STATEFUL and operation != "revokeToken"
    if operation in KNOWN_IDS and not in_a_chain:
        if not meta.is_negative_at(ParameterLocation.PATH):
            case.path_parameters = {"id": KNOWN_IDS[operation]}

    if not meta.generation.mode.is_positive:
        return
    # A cursor is opaque, so none that is drawn exists.
    if case.query and "cursor" in case.query:
        case.query = {name: value for name, value in case.query.items() if name != "cursor"}
    # So is an ETag.
    if case.headers and "If-Match" in case.headers:
        case.headers["If-Match"] = "*"
    # No schema of free JSON can say that its integers have 64 bits.
    if operation == "postDetections":
        case.body = with_small_integers(case.body)
    if isinstance(case.body, dict):
        known = KNOWN_MEMBERS.get(operation, {})
        case.body = {name: known.get(name, value) for name, value in case.body.items()}
        # The members of a node's token agree: its site is the node's.
        if operation == "createToken" and case.body.get("role") == "node":
            case.body.pop("site", None)


@schemathesis.check
def a_bad_detection_alone_is_refused(ctx, response, case):
    """A detection that breaks the schema is refused alone, though in an array it is answered 200."""
    if case.operation.definition.raw["operationId"] != "postDetections" or case.meta is None:
        return
    alone = isinstance(case.body, dict) and case.meta.is_negative_at(ParameterLocation.BODY)
    if alone and response.status_code == 200:
        raise Failure(
            operation=case.operation.label,
            title="A bad detection was taken",
            message=response.text,
        )


@schemathesis.check
def outcomes_are_those_of_the_items(ctx, response, case):
    """An array has one outcome for each item, in its order."""
    if case.operation.definition.raw["operationId"] != "postDetections":
        return
    if not isinstance(case.body, list) or response.status_code != 200:
        return
    outcomes = response.json()["items"]
    if len(outcomes) != len(case.body):
        raise Failure(
            operation=case.operation.label,
            title="An array's outcomes are not as many as its items",
            message=f"{len(case.body)} items, {len(outcomes)} outcomes",
        )
    for item, outcome in zip(case.body, outcomes):
        sent = item.get("id") if isinstance(item, dict) else None
        if outcome["id"] is not None and str(sent).lower() != outcome["id"].lower():
            raise Failure(
                operation=case.operation.label,
                title="An outcome stands in another item's place",
                message=f"sent {sent}, answered {outcome['id']}",
            )
