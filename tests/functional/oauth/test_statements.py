"""What the busiest calls ask of the database: each statement more is time in every read of every record."""

from collections.abc import Callable

import pytest

from tests.functional.oauth.test_token_exchange import ACCESS, exchange, permit
from tests.functional.oauth.world import RECORDS, World
from tests.functional.statements import counted

BUDGET = {
    "client credentials": 5,
    "refresh": 9,
    "exchange for a holder": 14,
    "introspection": 4,
    "gateway": 10,
}
"""Statements: to find the client and use its assertion and proof up, to decide, to audit, to record."""


@pytest.fixture(scope="module")
def calls(world: World) -> dict[str, Callable[[], object]]:
    """The calls, each already made once: what a process caches is in place."""
    permit(world, ["allergies"])
    grant = world.grant(scope=f"{RECORDS[0]} offline_access")
    token, refresh = grant["access_token"], grant["refresh_token"]

    def to_holder() -> dict[str, str]:
        return dict(exchange(world, token, ACCESS, audience=world.holding.endpoint).json)

    holder = to_holder()["access_token"]
    made: dict[str, Callable[[], object]] = {
        "client credentials": lambda: world.asking.client_token("system/Patient.rs"),
        "refresh": lambda: world.asking.refresh(refresh).json["access_token"],
        "exchange for a holder": lambda: to_holder()["access_token"],
        "introspection": lambda: world.holding.introspect(holder)["active"],
        "gateway": lambda: world.asking.get(f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}", token).json,
    }
    for call in made.values():
        assert call()
    return made


@pytest.mark.parametrize("name", BUDGET)
def test_a_call_stays_within_its_statements(world: World, calls: dict[str, Callable[[], object]], name: str) -> None:
    with counted(world.renhice.database.engine) as statements:
        assert calls[name]()
    assert len(statements) <= BUDGET[name], "\n".join(statements)
