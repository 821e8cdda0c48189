"""Attack 17: a token gets more than was asked, registered, permitted or decided, at the first issue or a later one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from consent_broker.consents.decision import Kind
from consent_broker.consents.narrowing import AS_ASKED, Narrowing
from consent_broker.consents.service import Terms, list_consents, record_objection, revoke_consent
from consent_broker.consents.vocabulary import categories_of, scope_of
from consent_broker.oauth import authorizations
from registry.directory.models import RecordSystem
from registry.errors import DomainError
from tests.functional.oauth.world import RECORDS, SYSTEM, Party, World, answer_of, claims_of, pkce

CATEGORIES = sorted(categories_of(RECORDS))
some = st.sets(st.sampled_from(CATEGORIES), min_size=1)
any_of = st.sets(st.sampled_from(CATEGORIES))


@contextmanager
def registered(world: World, party: Party, categories: set[str]) -> Iterator[None]:
    """The client registered for those records, while something of its is under way."""
    mine = update(RecordSystem).where(RecordSystem.client_id == party.client_id)
    scopes = [*SYSTEM, "launch", "offline_access", *map(scope_of, sorted(categories))]
    world.transact(lambda session: session.execute(mine.values(scopes=scopes)))
    try:
        yield
    finally:
        usual = mine.values(scopes=[*SYSTEM, *RECORDS, "launch", "offline_access"])
        world.transact(lambda session: session.execute(usual))


@pytest.fixture(autouse=True)
def _nothing_said(world: World) -> None:
    """What the property's last example left does not count."""
    clear(world)


def clear(world: World) -> None:
    def act(session: Any) -> None:
        for consent in list_consents(session, [world.person_id]):
            if consent.status == "active":
                revoke_consent(session, consent.id, world.evidence())

    world.transact(act)


def object_to(world: World, categories: set[str]) -> None:
    terms = Terms(
        person_id=world.person_id, establishment_id=world.asking.establishment_id, categories=frozenset(categories),
        purposes=frozenset({"TREAT"}), ends_at=None, kind=Kind.OBJECTION,
    )  # fmt: skip
    world.transact(lambda session: record_objection(session, terms, world.evidence()))


def issued(body: dict[str, Any]) -> frozenset[str]:
    """The records of a token response; the answer and the token say the same."""
    said = categories_of(body["scope"].split())
    assert said == categories_of(claims_of(body["access_token"])["scope"].split())
    return said


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(asked=some, limits=st.tuples(any_of, any_of, any_of), wanted=any_of, app=st.booleans())
def test_what_is_issued_is_within_all_that_limits_it(
    world: World, asked: set[str], limits: tuple[set[str], set[str], set[str]], wanted: set[str], app: bool
) -> None:
    """Asked, permitted by the patient, registered for the client at that moment, and not objected to since."""
    permitted, withdrawn, objected = limits
    clear(world)
    party = world.app_client if app else world.asking
    verifier, code_challenge = pkce()
    scope = " ".join([*map(scope_of, sorted(asked)), "offline_access"])
    challenge, proof = world.challenge(party, scope=scope, code_challenge=code_challenge), world.evidence()
    narrowing = Narrowing(categories=frozenset(permitted)) if permitted else AS_ASKED
    try:
        url = world.transact(lambda session: authorizations.accept(session, world.broker, challenge, proof, narrowing))
    except DomainError:
        assert permitted - asked, "only a choice of what was not asked for is refused"
        return
    limit = asked & (permitted or asked)
    left = set(CATEGORIES) - withdrawn
    with registered(world, party, left):
        first = party.redeem(answer_of(url)["code"], verifier)
    if not limit & left:
        assert first.json["error"] == "invalid_grant"
        return
    assert issued(first.json) == limit & left
    if objected:
        object_to(world, objected)
    refresh = {"scope": " ".join(map(scope_of, sorted(wanted)))} if wanted else {}
    second = party.refresh(first.json["refresh_token"], **refresh)
    reach = limit & (wanted or limit)
    if wanted - limit:
        assert second.json["error"] == "invalid_scope"
    elif second.status_code == 200:
        assert issued(second.json) == reach - objected
    else:
        assert not reach - objected


def test_no_scope_of_another_kind_rides_along(world: World) -> None:
    for scope in ("system/Patient.rs", "system/Patient.cu", "access-request", "patient/*.rs", "user/*.cruds"):
        assert world.push(scope=f"{RECORDS[0]} {scope}").json["error"] == "invalid_scope"
        answer = world.asking.post(
            "/oauth/token", {"grant_type": "client_credentials", "scope": f"{RECORDS[0]} {scope}"}
        )
        assert answer.json["error"] == "invalid_scope"


def test_a_refresh_does_not_bring_back_what_a_narrower_one_left_out(world: World) -> None:
    """Narrowing is for that token; the grant's limit is what was granted, and nothing beyond it ever comes."""
    token = world.grant(scope=f"{RECORDS[0]} {RECORDS[1]} offline_access")
    narrower = world.asking.refresh(token["refresh_token"], scope=RECORDS[0]).json
    assert issued(narrower) == categories_of([RECORDS[0]])
    assert world.asking.refresh(token["refresh_token"], scope=" ".join(RECORDS)).json["error"] == "invalid_scope"
    assert issued(world.asking.refresh(token["refresh_token"]).json) == categories_of(RECORDS[:2])
