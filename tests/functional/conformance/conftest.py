"""A candidate and the kit, each on a port of loopback, as a vendor runs them."""

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from joserfc.jwk import ECKey

from conformance.cli import conformance
from deploy.readiness import is_free
from sandbox import story
from sandbox.archive import keep_records
from sandbox.clinical import keep_history
from sandbox.establishment.app import Configuration, create_app
from sandbox.patient import to_patient
from sandbox.places import BY_RENIPRESS
from sandbox.population import Population
from sandbox.serving import bind

Json = dict[str, Any]
CODE = story.HOLDING.renipress
CLIENT = f"sihce-{CODE}"
CONTROL = "control"


def free_port() -> int:
    """A port below those that outgoing connections take: it is bound a while later."""
    return next(port for port in random.sample(range(12_000, 30_000), 100) if is_free(port))


@contextmanager
def serving(application: Any, port: int) -> Iterator[None]:
    server = bind(application, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def patients(renipress: str = CODE) -> Iterator[tuple[Json, str, list[Json]]]:
    """Invented patients of one establishment who hold something, one of them something sensitive."""
    records = [one for one in keep_records(Population(3).people(60)) if one.renipress == renipress]
    for record in [story.holding_record(), *records[:3]]:
        held = list(keep_history(record))
        held[0]["meta"]["security"] = [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY"}]
        yield to_patient(record), record.local_number, held


@dataclass(frozen=True)
class Kit:
    """Where everything of one session is, and the command as a vendor types it."""

    folder: Path
    issuer: str
    base: str
    jwk: Json

    @property
    def out(self) -> Path:
        return self.folder / "report"

    def run(self, *more: str) -> Result:
        jwks = self.folder / "jwks.json"
        public = {name: value for name, value in self.jwk.items() if name != "d"}
        jwks.write_text(json.dumps({"keys": [public]}))
        words = [self.base, "--client-id", CLIENT, "--jwks", str(jwks), "--listen", self.issuer.removeprefix("http://")]
        words += [
            "--key",
            str(self.folder / "key.jwk"),
            "--out",
            str(self.out),
            "--samples",
            "5",
            "--wait",
            "20",
            "--settle",
            "1",
        ]
        result = CliRunner().invoke(conformance, [*words, *more])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def report(self) -> Json:
        found: Json = json.loads((self.out / "report.json").read_text(encoding="utf-8"))
        return found

    def statuses(self, *wanted: str) -> dict[str, str]:
        """What was seen of the lines that ended so."""
        return {line["id"]: line["seen"] for line in self.report()["lines"] if line["status"] in wanted}


def new_kit(folder: Path) -> Kit:
    key = ECKey.generate_key("P-256", {"kid": "2026-11"}, private=True)
    issuer, base = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    return Kit(folder, issuer, f"{base}/fhir", dict(key.as_dict(private=True)))


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    return new_kit(tmp_path_factory.mktemp("kit"))


@pytest.fixture(scope="module")
def establishment(kit: Kit) -> Iterator[str]:
    """One of the sandbox's establishments that takes the kit for its registry; gives its address."""
    configuration = Configuration(
        renipress=CODE, registry=kit.issuer, fhir_endpoint=kit.base, client_id=CLIENT, private_jwk=kit.jwk,
        control_token=CONTROL, database=kit.folder / "place.sqlite",
    )  # fmt: skip
    app = create_app(configuration)
    parts = app.extensions["sandbox"]
    parts["store"].add(patients())
    queue = parts["queue"].start()
    assert BY_RENIPRESS[CODE].client_id == CLIENT
    with serving(app, httpx.URL(kit.base).port or 0):
        yield kit.base.removesuffix("/fhir")
    parts["queue"].stop()
    queue.join()
    parts["store"].close()
