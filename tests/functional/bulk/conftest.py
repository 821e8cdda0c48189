"""The world of the broker's tests, one a module, with a patient who is known where they are attended."""

import hashlib

import pytest
from flask import Flask

from registry.app import Renhice
from registry.database import new_id
from tests.functional.bulk.exporting import Json, put
from tests.functional.oauth.world import World, _add_record, build_world


@pytest.fixture(scope="module")
def world(app: Flask, renhice: Renhice) -> World:
    """Two establishments that each hold a record of the patient, and a professional of one."""
    made = build_world(app, renhice)
    made.transact(lambda session: _add_record(session, new_id(), made.asking.establishment_id, made.person_id))
    return made


@pytest.fixture
def number(request: pytest.FixtureRequest) -> str:
    """How local numbers of this test begin."""
    return hashlib.sha256(request.node.name.encode()).hexdigest()[:8]


@pytest.fixture(scope="module")
def records(world: World) -> list[Json]:
    """Five records of one establishment, as it reads them one by one; another has one too."""
    put(world.holding, "X-0", system="urn:hc:00000002", name=[{"family": "Ajena"}])
    return [put(world.asking, f"X-{number}", name=[{"family": f"Exporta{'aeiou'[number]}"}]) for number in range(5)]
