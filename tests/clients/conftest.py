"""A served product with its people, an app beside the record systems, and what a client outside can't do by itself."""

import fcntl
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from joserfc.jwk import ECKey

from registry.directory.administration import Desk
from registry.directory.loading import load, parse
from sandbox import story
from tests.functional.portal.conftest import ports, sandbox_files, settings, world
from tests.functional.portal.world import HOST, Visitor, World, serve

__all__ = ["ports", "sandbox_files", "settings", "world"]
HERE = Path(__file__).parent
SCOPES = ["access-request", "launch", "offline_access", "patient/AllergyIntolerance.rs", "patient/Encounter.rs",
          "system/Patient.cu", "system/Patient.rs", "system/Patient.d", "system/Organization.rs"]  # fmt: skip


@pytest.fixture(scope="session")
def node() -> str:
    """Node with the locked clients installed; left out, with the reason, where either can't be had."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        pytest.skip("openid-client and fhirclient need node and npm, which are not installed here")
    with (HERE / "package.json").open() as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        install_clients(npm)
    return program


def install_clients(npm: str) -> None:
    lock, stamp = HERE / "package-lock.json", HERE / "node_modules" / "installed-package-lock.json"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"npm ci failed, so the clients are not here: {done.stderr.strip()[-300:]}")
    shutil.copyfile(lock, stamp)


@dataclass(frozen=True)
class Outside:
    """What a client is told, and how it is run."""

    node: str
    told: dict[str, Any]

    def run(self, script: str) -> dict[str, Any]:
        """Run a client to its end and return what it says it did; its own assertions are the test's."""
        done = subprocess.run(
            [self.node, str(HERE / script)],
            env={"RENHICE": json.dumps(self.told), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        did: dict[str, Any] = json.loads(done.stdout)
        return did


@pytest.fixture(scope="module")
def outside(node: str, world: World) -> Iterator[Outside]:
    """Clients with their keys, and the patient's browser at `control`."""
    asking, holding = (
        next(one for one in world.sandbox["establishments"] if one["renipress"] == place.renipress)
        for place in (story.ASKING, story.HOLDING)
    )
    app = register_app(world, asking)
    access_request = {
        "person": str(world.person_id),
        "professional": {"college": "CMP", "number": story.PHYSICIAN.college_number},
        "purpose": "TREAT",
        "categories": ["allergies", "encounters"],
    }
    told = {
        "issuer": world.base_url,
        "fhir": f"{world.base_url}/exchange/fhir",
        "asking": asking["client"],
        "holding": holding["client"] | {"fhir_endpoint": world.place(story.HOLDING.renipress).fhir_endpoint},
        "app": app,
        "access_request": access_request,
        "system": asking["identifier_system"],
    }
    with serve(patients_browser(world)) as port:
        yield Outside(node, told | {"control": f"http://{HOST}:{port}"})


def register_app(world: World, asking: dict[str, Any]) -> dict[str, Any]:
    """An accredited SMART app of the asking establishment, with its private key."""
    key = ECKey.generate_key("P-384", {"kid": "app", "alg": "ES384"})
    with serve(Flask("probe")) as port:
        redirect_uri = f"http://{HOST}:{port}/callback"
    item = {
        "client_id": "app-smart", "name": "App", "version": "1", "establishment": asking["renipress"],
        "authority": "test", "accredited_from": "2026-01-01", "accredited_until": "2036-12-31", "profile": "smart",
        "jwks": {"keys": [key.as_dict(private=False)]}, "redirect_uris": [redirect_uri], "scopes": SCOPES,
    }  # fmt: skip
    with world.renhice.database.unit_of_work() as session:
        entries, faults = parse(json.dumps({"record_systems": [item]}).encode())
        report = load(Desk(session, world.renhice.sealer, "tests"), entries)
        assert not faults + report.faults
    private = key.as_dict(private=True)
    return {"client_id": "app-smart", "private_jwk": private, "redirect_uris": [redirect_uri]}


def patients_browser(world: World) -> Flask:
    """What only people and holders have: the patient's consent in her browser, and the token a holder was shown."""
    control = Flask("control")
    visitor = Visitor(world.base_url, world.sandbox)
    visitor.sign_in("/ingresar?nivel=2&volver=/mi-historia", story.PATIENT)

    @control.post("/consent")
    def consent() -> ResponseReturnValue:
        page = visitor.open(request.get_json()["url"].removeprefix(world.base_url))
        assert page.has_form("/autorizar/"), page.text
        form = page.form("/autorizar/")
        values = form.fields | {"decision": "permitir"}
        answer = visitor.browser._http.post(f"{world.base_url}{form.action}", data=values)
        assert answer.status_code == 303, answer.text
        return jsonify(location=answer.headers["location"])

    @control.post("/held-token")
    def held_token() -> ResponseReturnValue:
        scheme, _, token = world.holder.shown[-1].partition(" ")
        assert scheme == "DPoP"
        return jsonify(token=token)

    return control
