"""schemathesis against the running server, phase by phase.

The settings and their reasons are in schemathesis.toml.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
from contract import OPERATIONS
from server_under_test import ROOT, Server, create, create_site

HERE = Path(__file__).resolve().parent
PHASE_SECONDS_MAX = 60


@pytest.fixture(scope="module")
def drawn_from(server: Server, administrator, administrator_token: str) -> dict[str, str]:
    """The environment from which the hooks take what exists, and a token of each role."""
    site = create_site(server, administrator, "schemathesis")
    spare = create_site(server, administrator, "schemathesis-spare")
    # What is changed is not what detections need: a time zone is fixed once there is data, and the
    # key that they name stays.
    spare_camera = create(
        administrator,
        "/v1/cameras",
        {"site": site.id, "area": site.area, "name": "Paradeplatz 2", "key": "paradeplatz-2"},
    )
    spare_token = create(
        administrator, "/v1/tokens", {"name": "spare", "role": "observer", "site": spare.id}
    )
    detection = {
        "id": "0199a2b4-7c1d-7e3a-8f52-3d1c5b7a9e01",
        "camera": site.camera,
        "pattern": "hitting",
        "confidence": 0.9,
        "occurred_at": datetime.now(timezone.utc).isoformat(),
    }
    posted = create(site.client("node"), "/v1/detections", detection)
    tokens = {
        "administrator": administrator_token,
        "observer": server.create_token("observer", site=site.id),
        "node": server.create_token("node", site=site.id, node=site.node),
        "monitor": server.create_token("monitor"),
        "auditor": server.create_token("auditor"),
        "shift_supervisor": server.create_token("shift_supervisor", site=site.id),
        "statistician": server.create_token("statistician", site=site.id),
    }
    draft = {
        "title": "Videoschutz",
        "reference": "Drucksache 17/5816",
        "stand": "heute",
        "questions": [{"number": 1, "wording": "wie;", "answer": {"kind": "text", "text": "Gut."}}],
    }
    report = create(site.client("statistician"), "/v1/reports", draft)
    site.close()
    known_ids = {
        "getSite": site.id,
        "changeSite": spare.id,
        "getArea": site.area,
        "changeArea": site.area,
        "getCamera": site.camera,
        "changeCamera": spare_camera["id"],
        "getNode": site.node,
        "changeNode": site.node,
        "postHeartbeat": site.node,
        "getAlarm": posted["alarm"],
        "listAlarmHistory": posted["alarm"],
        "listVerdicts": posted["alarm"],
        "revokeToken": spare_token["id"],
        "getReport": report["id"],
        "releaseReport": report["id"],
        "recheckReport": report["id"],
    }
    for operation in OPERATIONS:
        if operation.path.startswith("/v1/alarms/{id}/") and operation.method == "post":
            known_ids[operation.definition["operationId"]] = posted["alarm"]
    known_members = {
        "createArea": {"site": site.id},
        "createCamera": {"site": site.id, "area": site.area},
        "changeCamera": {"area": site.area},
        "createNode": {"site": site.id},
        "createModeWindow": {"site": site.id, "camera": site.camera},
        "createInterruption": {"site": site.id, "camera": site.camera, "area": None},
        "createRule": {"site": site.id},
        "createIncident": {"site": site.id, "area": site.area, "cameras": [site.camera]},
        "createShelving": {"site": site.id, "camera": site.camera},
        "createEvidenceHold": {"camera": site.camera},
        "startShift": {"site": site.id},
        "freezeReport": {"site": site.id},
        "createToken": {
            "site": site.id,
            "node": site.node,
            "expires_at": "2199-12-31T00:00:00+01:00",
        },
    }
    return os.environ | {
        "LEITSTAND_TOKENS": json.dumps(tokens),
        "LEITSTAND_KNOWN_IDS": json.dumps(known_ids),
        "LEITSTAND_KNOWN_MEMBERS": json.dumps(known_members),
        "PYTHONPATH": str(HERE),
    }


@pytest.mark.parametrize("phase", ["examples", "coverage", "fuzzing", "stateful"])
def test_the_server_keeps_its_contract(
    server: Server, drawn_from: dict[str, str], phase: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "schemathesis.cli"]
    command += ["--config-file", str(HERE / "schemathesis.toml")]
    command += ["run", str(ROOT / "openapi" / "openapi.yaml"), "--url", server.base_url]
    # One at a time: Python 3.11 counts the depth of syntax trees that two threads read as one, and
    # what draws the examples reads its own source.
    command += ["--phases", phase, "--no-color", "--workers", "1"]

    finished = subprocess.run(
        command,
        cwd=tmp_path,
        env=drawn_from,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=3 * PHASE_SECONDS_MAX,
    )

    if finished.returncode != 0:
        pytest.fail(finished.stdout, pytrace=False)
    print(finished.stdout)
