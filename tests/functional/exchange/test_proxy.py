"""The guard before a server in another language: the command and the server of the guide run here."""

import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import product
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import update
from werkzeug.wrappers import Response

from consent_broker.resource_server.proxy import NAMES, application
from registry.directory.models import Establishment
from tests.functional.exchange.conftest import free_port, served
from tests.functional.exchange.holder import FhirServer, allergy, bundle
from tests.functional.exchange.test_gateway import grant, issues, read
from tests.functional.oauth.world import World

GUIDE = (Path(__file__).parents[3] / "docs" / "resource-server.md").read_text(encoding="utf-8")
PSY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY"}


def block(kind: str) -> str:
    [found] = re.findall(rf"^```{kind}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def upstream() -> FhirServer:
    """A server that trusts whoever reaches it."""
    server = FhirServer()
    server.go_careless()
    return server


@pytest.fixture(scope="module")
def environment(
    world: World, upstream: FhirServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """What the proxy is told; its address is the holder's while this module runs."""
    key, ports = tmp_path_factory.mktemp("guard") / "key.jwk", (free_port(), free_port())
    key.write_text(json.dumps(world.holding.key.as_dict(private=True)))
    audience = f"http://127.0.0.1:{ports[0]}/fhir"
    values = (world.broker.issuer, audience, world.holding.client_id, str(key), f"http://127.0.0.1:{ports[1]}/fhir")
    mine = update(Establishment).where(Establishment.id == world.holding.establishment_id)
    world.transact(lambda session: session.execute(mine.values(fhir_endpoint=audience)))
    yield dict(zip(NAMES, values, strict=True))
    world.transact(lambda session: session.execute(mine.values(fhir_endpoint=world.holding.endpoint)))


def port_of(url: str) -> int:
    return int(url.removesuffix("/fhir").rpartition(":")[2])


@pytest.fixture(autouse=True)
def _closed(world: World, environment: dict[str, str], upstream: FhirServer) -> None:
    """Each test meets a server that answers and a closed circuit."""
    upstream.answer = upstream.searchset
    upstream.requests.clear()
    world.broker.breakers.report(environment["GUARD_AUDIENCE"], success=True)


@pytest.fixture
def proxied(environment: dict[str, str], upstream: FhirServer) -> Iterator[str]:
    with ExitStack() as stack:
        stack.enter_context(served(upstream, port_of(environment["GUARD_UPSTREAM"])))
        stack.enter_context(served(application(environment), port_of(environment["GUARD_AUDIENCE"])))
        yield environment["GUARD_AUDIENCE"]


def test_a_permitted_reading_passes_with_the_grant_and_nothing_else(
    world: World, upstream: FhirServer, proxied: str
) -> None:
    answer = read(world, grant(world))
    assert (answer.json["total"], issues(answer)) == (1, [])
    [asked] = upstream.requests
    said = {name: value for name, value in asked.headers.items() if name.startswith("X-Renhice-")}
    assert said.pop("X-Renhice-Token")
    assert said == {
        "X-Renhice-Patient": str(world.record_at_holder), "X-Renhice-Actor": "CMP 012345", "X-Renhice-Purpose": "TREAT",
    }  # fmt: skip
    assert "Authorization" not in asked.headers
    assert asked.args["patient.identifier"].endswith(f"|{world.record_at_holder}")


def test_what_is_restricted_is_withheld_before_it_leaves(world: World, upstream: FhirServer, proxied: str) -> None:
    sent = bundle(allergy(1), allergy(2) | {"meta": {"security": [PSY]}})
    upstream.answer = lambda _request: Response(json.dumps(sent), mimetype="application/fhir+json")
    assert [one["resource"]["id"] for one in read(world, grant(world)).json["entry"]] == ["1"]
    assert len(upstream.requests) == 1


def test_nobody_passes_without_a_token_or_under_a_header_of_their_own(upstream: FhirServer, proxied: str) -> None:
    forged = {"X-Renhice-Patient": "x"}
    assert httpx.get(f"{proxied}/AllergyIntolerance?patient=x", headers=forged).status_code == 401
    assert httpx.delete(f"{proxied}/AllergyIntolerance/1").status_code == 401
    assert upstream.requests == []
    assert httpx.get(f"{proxied}/metadata", headers=forged).status_code == 200
    assert "X-Renhice-Patient" not in upstream.requests[0].headers


def test_nothing_outside_the_base_passes(upstream: FhirServer, proxied: str) -> None:
    for method, path in product(("GET", "PUT"), ("/AllergyIntolerance/1", "/fhirs", "/x/../fhir/AllergyIntolerance/1")):
        with socket.create_connection(("127.0.0.1", port_of(proxied)), timeout=5) as raw:
            raw.sendall(f"{method} {path} HTTP/1.0\r\nHost: fhir\r\n\r\n".encode())
            assert (raw.recv(12), upstream.requests) == (b"HTTP/1.1 404", []), path


def test_an_accept_header_of_other_letters_is_not_passed_on(upstream: FhirServer, proxied: str) -> None:
    answer = httpx.get(f"{proxied}/metadata", headers={"Accept": "text/ñ".encode()})
    assert (answer.status_code, upstream.requests[0].headers["Accept"]) == (200, "application/fhir+json")


@pytest.mark.parametrize("sent", ["", "[]", "<html>"], ids=["empty", "a-list", "html"])
def test_what_can_not_be_checked_is_not_released(world: World, upstream: FhirServer, proxied: str, sent: str) -> None:
    upstream.answer = lambda _request: Response(sent)
    assert issues(read(world, grant(world))) == ["transient"]


def test_a_server_that_is_away_is_said_to_be(world: World, environment: dict[str, str]) -> None:
    with served(application(environment), port_of(environment["GUARD_AUDIENCE"])):
        assert issues(read(world, grant(world))) == ["transient"]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(SystemExit, match=r"GUARD_ISSUER.*GUARD_UPSTREAM"):
        application({})


def test_the_guide_names_every_variable_and_a_command_that_starts(
    world: World, environment: dict[str, str], upstream: FhirServer
) -> None:
    exports = dict(re.findall(r"^export (\w+)=(.+)$", block("sh"), re.MULTILINE))
    assert tuple(exports) == NAMES
    [command] = [shlex.split(line) for line in block("sh").splitlines() if line.startswith("gunicorn")]
    port = port_of(environment["GUARD_AUDIENCE"])
    command[command.index("--bind") + 1] = f"127.0.0.1:{port}"
    started = [sys.executable, "-m", *command, "--no-control-socket", "--log-level", "critical"]
    with served(upstream, port_of(environment["GUARD_UPSTREAM"])):
        process = subprocess.Popen(started, env=os.environ | environment)
        try:
            wait(f"http://127.0.0.1:{port}/fhir/metadata", process)
            assert read(world, grant(world)).json["total"] == 1
        finally:
            process.terminate()
            process.wait()


def test_the_guides_server_in_node_answers(world: World, environment: dict[str, str], tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("the guide's server in Node.js needs node, which is not installed here")
    (tmp_path / "server.mjs").write_text(block("js"))
    port = port_of(environment["GUARD_UPSTREAM"])
    process = subprocess.Popen([node, "server.mjs"], cwd=tmp_path, env=os.environ | {"PORT": str(port)})
    try:
        wait(f"http://127.0.0.1:{port}/fhir/metadata", process)
        with (
            httpx.Client() as http,
            served(application(environment, http), port_of(environment["GUARD_AUDIENCE"])),
        ):
            assert read(world, grant(world)).json["entry"][0]["resource"]["code"]["text"] == "Penicilina"
    finally:
        process.terminate()
        process.wait()


HOST, GUARD = "127.0.0.1", "127.0.0.1:9080"
FRAME = (
    "daemon off; master_process off; pid nginx.pid; error_log nginx.log warn; events {{}} http {{ access_log off; {} }}"
)
"""What a distribution's own nginx.conf says around the recipe, and no more than it needs to run here."""


def make_certificate(folder: Path) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 and its key under the names the recipe has for them; the context that trusts it."""
    key, name, today = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(today - timedelta(days=1)).not_valid_after(today + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=True)
    (folder / "hospital.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "hospital.key").write_bytes(key.private_bytes(*private))
    return ssl.create_default_context(cafile=folder / "hospital.pem")


@contextmanager
def behind_nginx(folder: Path, port: int, guard: int) -> Iterator[None]:
    """nginx as the guide has it, on a port of its own before a guard."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("the guide's TLS in front needs nginx, which is not installed here")
    recipe = block("nginx").replace("listen 443", f"listen {HOST}:{port}").replace("/etc/ssl", str(folder))
    (folder / "nginx.conf").write_text(FRAME.format(recipe.replace(GUARD, f"{HOST}:{guard}")))
    process = subprocess.Popen([nginx, "-p", folder, "-c", "nginx.conf", "-e", "stderr"], cwd=folder)
    try:
        wait(f"http://{HOST}:{port}/", process)
        yield
    finally:
        process.terminate()
        process.wait()


def test_the_guides_tls_in_front_leads_to_the_guard(
    world: World, environment: dict[str, str], upstream: FhirServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting, port, guard = make_certificate(tmp_path), free_port(), free_port()
    told = environment | {"GUARD_AUDIENCE": f"https://{HOST}:{port}/fhir"}
    mine = update(Establishment).where(Establishment.id == world.holding.establishment_id)
    monkeypatch.setattr(world.broker.holders, "_ssl_context", trusting)
    with ExitStack() as stack:
        stack.enter_context(served(upstream, port_of(told["GUARD_UPSTREAM"])))
        stack.enter_context(served(application(told), guard))
        stack.enter_context(behind_nginx(tmp_path, port, guard))
        stack.callback(world.broker.holders.close)
        http = stack.enter_context(httpx.Client(verify=trusting, base_url=f"https://{HOST}:{port}"))
        try:
            world.transact(lambda session: session.execute(mine.values(fhir_endpoint=told["GUARD_AUDIENCE"])))
            large = [allergy(number) | {"note": [{"text": "x" * 20_000}]} for number in range(100)]
            upstream.answer = lambda _: Response(json.dumps(bundle(*large)), mimetype="application/fhir+json")
            assert read(world, grant(world)).json["total"] == len(large)
        finally:
            world.transact(lambda session: session.execute(mine.values(fhir_endpoint=environment["GUARD_AUDIENCE"])))
        assert "DPoP" in http.get("/fhir/AllergyIntolerance").headers["WWW-Authenticate"]
        assert http.post("/events", content=b"nothing").status_code == 400
        sizes = {60_000: 400, 70_000: 413}
        asked = {size: http.post("/fhir/AllergyIntolerance/_search", content=b"x" * size) for size in sizes}
        assert {size: answer.status_code for size, answer in asked.items()} == sizes
        assert [http.get(path).status_code for path in ("/", "/fhir/metadata")] == [404, 200]
    assert "temporary file" not in (tmp_path / "nginx.log").read_text(), "what was read or asked was on the disk"


def wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 90
    while True:
        try:
            httpx.get(url, timeout=5)
        except httpx.HTTPError:
            assert process.poll() is None, "it ended"
            assert time.monotonic() < until, "it does not answer"
            time.sleep(0.05)
        else:
            return
