"""One served product a module, with its people; one ID Perú, RENIEC and operator of text messages a run."""

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from deploy.readiness import is_free
from registry.app import Renhice
from registry.directory.administration import Desk
from registry.directory.loading import load, parse
from registry.settings import Settings
from sandbox import story
from tests.functional.portal.world import (
    HOST,
    Holder,
    Visitor,
    World,
    holding_resources,
    prepare_sandbox,
    register,
    serve,
    state_services,
)

DUTY = "+51999888777"


@pytest.fixture(scope="session")
def ports() -> tuple[int, int]:
    """A free port for the product and the first of the sandbox's."""
    bases = random.sample(range(20_000, 30_000, 20), 200)
    base = next(base for base in bases if all(is_free(base + step) for step in range(20)))
    return base + 19, base


@pytest.fixture(scope="session")
def sandbox_files(
    ports: tuple[int, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, Any], dict[str, str], Path]]:
    """The running State: the sandbox's summary, settings for the product, and the directory file."""
    var = tmp_path_factory.mktemp("sandbox")
    files = prepare_sandbox(var, f"http://{HOST}:{ports[0]}", ports[1])
    with state_services(var):
        yield files


@pytest.fixture(scope="module")
def settings(
    host: str,
    ports: tuple[int, int],
    sandbox_files: tuple[dict[str, Any], dict[str, str], Path],
    database_url: str,
    broker_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    _, environment, _ = sandbox_files
    return Settings(
        environment="test",
        base_url=f"http://{host}:{ports[0]}",
        database_url=database_url,
        broker_url=broker_url,
        keys_dir=tmp_path_factory.mktemp("keys"),
        log_level="WARNING",
        oidc_issuer=environment["RENHICE_OIDC_ISSUER"],
        oidc_client_id=environment["RENHICE_OIDC_CLIENT_ID"],
        oidc_client_secret=environment["RENHICE_OIDC_CLIENT_SECRET"],
        staff_oidc_issuer=environment["RENHICE_STAFF_OIDC_ISSUER"],
        staff_oidc_client_id=environment["RENHICE_STAFF_OIDC_CLIENT_ID"],
        staff_oidc_client_secret=environment["RENHICE_STAFF_OIDC_CLIENT_SECRET"],
        pide_url=environment["RENHICE_PIDE_URL"],
        pide_official_dni=environment["RENHICE_PIDE_OFFICIAL_DNI"],
        pide_entity_ruc=environment["RENHICE_PIDE_ENTITY_RUC"],
        pide_password=environment["RENHICE_PIDE_PASSWORD"],
        privacy_officer_phone=DUTY,
        sms_url=environment["RENHICE_SMS_URL"],
        sms_token=environment["RENHICE_SMS_TOKEN"],
    )


@pytest.fixture(scope="module")
def world(
    app: Flask,
    renhice: Renhice,
    host: str,
    ports: tuple[int, int],
    sandbox_files: tuple[dict[str, Any], dict[str, str], Path],
) -> Iterator[World]:
    """The story's establishments, workers and patient, whose records are at both establishments."""
    sandbox, _, directory = sandbox_files
    holder = Holder(holding_resources())
    with ExitStack() as stack:
        endpoint = f"http://{HOST}:{stack.enter_context(serve(holder.app()))}/fhir"
        content = json.loads(directory.read_text())
        for place in content["establishments"]:
            holds = place["renipress"] == story.HOLDING.renipress
            place["fhir_endpoint"] = endpoint if holds else f"{endpoint}/empty"
        with renhice.database.unit_of_work() as session:
            entries, faults = parse(json.dumps(content).encode())
            report = load(Desk(session, renhice.sealer, "tests"), entries)
            assert not faults + report.faults
        register(renhice, story.asking_record(), story.ASKING.renipress)
        person_id = register(renhice, story.holding_record(), story.HOLDING.renipress)
        stack.enter_context(serve(app, ports[0]))
        yield World(f"http://{host}:{ports[0]}", renhice, sandbox, holder, person_id)


@pytest.fixture
def patient(world: World) -> Visitor:
    """The story's patient, signed in by two factors."""
    visitor = world.visitor()
    visitor.sign_in("/ingresar?nivel=2&volver=/mi-historia", story.PATIENT)
    return visitor


@pytest.fixture
def physician(world: World) -> Visitor:
    """The asking establishment's professional, signed in with the electronic DNI."""
    visitor = world.visitor()
    visitor.sign_in("/ingresar?como=profesional", story.PHYSICIAN.person)
    return visitor
