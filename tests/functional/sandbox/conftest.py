"""A prepared sandbox, and a stand-in for the registry's public interface, over real HTTP."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from joserfc import jwt
from joserfc.jwk import ECKey

from sandbox.files import read_json
from sandbox.layout import HOST, Layout
from sandbox.possession import Possession
from sandbox.prepare import Plan, prepare
from sandbox.serving import bind

Json = dict[str, Any]
ROOT = Path(__file__).parents[3]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(application: Any, port: int = 0) -> Iterator[str]:
    """Serve an application in this process; gives its base URL."""
    server = bind(application, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class FakeRegistry:
    """Takes registrations and vouches for the tokens it made; `broken` makes it answer 503."""

    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "r1", "use": "sig"}, private=True))
    gateway: Possession = field(default_factory=Possession)
    patients: dict[str, Json] = field(default_factory=dict)
    received: int = 0
    broken: bool = False
    revoked: bool = False
    url: str = ""

    def app(self) -> Flask:
        app = Flask("registry")
        app.add_url_rule("/oauth/token", view_func=self.token, methods=["POST"])
        app.add_url_rule("/oauth/jwks", view_func=self.jwks)
        app.add_url_rule("/oauth/introspect", view_func=self.introspect, methods=["POST"])
        app.add_url_rule("/fhir/Patient", view_func=self.put, methods=["PUT"])
        return app

    def token(self) -> ResponseReturnValue:
        if self.broken:
            return jsonify(error="temporarily_unavailable"), 503
        assertion = request.form["client_assertion"]
        assert assertion.count(".") == 2
        assert request.headers["DPoP"].count(".") == 2
        return jsonify(access_token="opaque", token_type="DPoP", expires_in=300)

    def jwks(self) -> ResponseReturnValue:
        return jsonify(keys=[self.key.as_dict(private=False)])

    def introspect(self) -> ResponseReturnValue:
        claims = jwt.decode(request.form["token"], self.key, ["ES256"]).claims
        return jsonify({"active": False} if self.revoked else claims | {"active": True})

    def put(self) -> ResponseReturnValue:
        self.received += 1
        assert request.headers["Authorization"] == "DPoP opaque"
        if self.broken:
            return jsonify(resourceType="OperationOutcome"), 503, {"Retry-After": "0"}
        identifier = request.args["identifier"]
        known = identifier in self.patients
        self.patients[identifier] = request.get_json()
        number = list(self.patients).index(identifier)
        headers = {"Location": f"{self.url}/fhir/Patient/sr-{number}/_history/1", "ETag": 'W/"1"'}
        return jsonify(id=f"sr-{number}"), 200 if known else 201, headers

    def grant(self, audience: str, patient: str, scope: str = "patient/AllergyIntolerance.rs", **changes: Any) -> Json:
        """The headers of a holder token, bound to the gateway's key."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": audience, "iat": now, "exp": now + 300, "jti": os.urandom(8).hex()} | {
            "client_id": "sihce-x", "sub": patient, "patient": patient, "scope": scope,
            "cnf": {"jkt": self.gateway.thumbprint},
        }  # fmt: skip
        header = {"alg": "ES256", "kid": "r1", "typ": "at+jwt"}
        return {"Authorization": f"DPoP {jwt.encode(header, claims | changes, self.key)}"}


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    fake = FakeRegistry()
    with serving(fake.app()) as url:
        fake.url = url
        yield fake


@pytest.fixture(scope="module")
def layout(registry: FakeRegistry, tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Thirty people, on ports that are free now."""
    plan = Plan(registry.url, 30, free_port(), tmp_path_factory.mktemp("var"))
    prepare(plan)
    return plan.layout


@pytest.fixture(scope="module")
def summary(layout: Layout) -> Json:
    found: Json = read_json(layout.summary)
    return found


Start = Callable[..., AbstractContextManager["subprocess.Popen[bytes]"]]


@pytest.fixture
def start(layout: Layout) -> Start:
    """Runs one program of the sandbox as its own process, ready when it answers."""

    @contextmanager
    def run(*arguments: str, url: str) -> Iterator["subprocess.Popen[bytes]"]:
        command = [sys.executable, "-m", *arguments, "--out", str(layout.var)]
        process = subprocess.Popen(command, cwd=ROOT)
        try:
            until = time.monotonic() + 90
            while not answers(url):
                assert process.poll() is None, "the program ended"
                assert time.monotonic() < until, "the program does not answer"
                time.sleep(0.05)
            yield process
        finally:
            process.kill()
            process.wait()

    return run


def answers(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.HTTPError:
        return False
    return True
