"""RFC 8693: a standing consent becomes a token for one audience, within what was asked, permitted and registered."""

import time
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from consent_broker.consents.directives import Kind, Terms
from consent_broker.consents.service import grant_consent, propose_consent, record_objection, revoke_consent
from consent_broker.consents.vocabulary import categories_of, scope_of
from consent_broker.oauth.clients import TOKEN_EXCHANGE
from consent_broker.oauth.models import AccessToken
from registry.audit.models import AuditEvent
from registry.database import new_id, now
from registry.directory.models import Professional, RecordSystem
from registry.identity.models import Membership, Person
from tests.functional.oauth.proofs import sign
from tests.functional.oauth.world import ISSUER, RECORDS, Party, World, _add_record, claims_of

JWT = "urn:ietf:params:oauth:token-type:jwt"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
HOLDER = "https://b.example/fhir"
CATEGORIES = st.sampled_from(["allergies", "medications", "encounters"])


def statement(world: World, party: Party | None = None, key: Any = None, **changes: Any) -> str:
    """What a record system states: this professional of ours acts now, for this person."""
    party = party or world.asking
    moment = int(time.time())
    claims = {
        "iss": party.client_id, "sub": str(world.person_id), "aud": party.audience, "iat": moment, "exp": moment + 60,
        "jti": uuid.uuid4().hex, "act": {"sub": "CMP 012345"}, "purpose_of_use": "TREAT",
    } | changes  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not None}
    header = {"alg": party.algorithm, "kid": party.key.kid}
    return sign(header, claims, key or party.key)


def exchange(world: World, token: str, kind: str = JWT, party: Party | None = None, **more: Any) -> TestResponse:
    form = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": kind} | more
    return (party or world.asking).post("/oauth/token", {name: one for name, one in form.items() if one is not None})


def permit(world: World, categories: Iterable[str], person_id: UUID | None = None, **changes: Any) -> UUID:
    """A standing consent, given in the portal: no client had a part in it."""
    person_id = person_id or world.person_id
    terms = {
        "person_id": person_id, "establishment_id": world.asking.establishment_id, "purposes": frozenset({"TREAT"}),
        "categories": frozenset(categories), "ends_at": now() + timedelta(days=30),
    } | changes  # fmt: skip
    proof = world.evidence(person_id)
    return world.transact(
        lambda session: grant_consent(session, propose_consent(session, Terms(**terms), proof.as_record()), proof).id
    )


def withdraw(world: World, consent_id: UUID, person_id: UUID | None = None) -> None:
    world.transact(lambda session: revoke_consent(session, consent_id, world.evidence(person_id)))


@pytest.fixture
def consent(world: World) -> Any:
    consent_id = permit(world, ["allergies", "medications"])
    yield consent_id
    try:
        withdraw(world, consent_id)
    except Exception:  # noqa: BLE001  # the test has withdrawn it
        return


def test_a_token_for_the_gateway(world: World, consent: UUID) -> None:
    answer = exchange(world, statement(world), scope=" ".join(RECORDS))
    assert answer.status_code == 200, answer.text
    body = answer.json
    assert body["issued_token_type"] == ACCESS
    assert body["token_type"] == "DPoP"
    assert set(body["scope"].split()) == {scope_of("allergies"), scope_of("medications")}, (
        "encounters was not permitted"
    )
    assert "refresh_token" not in body
    claims = claims_of(body["access_token"])
    assert (claims["aud"], claims["sub"]) == (f"{ISSUER}/exchange", str(world.person_id))
    assert claims["act"] == {"sub": str(world.professional_id)}
    assert claims["exp"] - claims["iat"] <= 300
    assert claims["cnf"] == {"jkt": world.asking.prover.thumbprint}


def test_a_token_for_one_holder(world: World, consent: UUID) -> None:
    answer = exchange(world, statement(world), audience=HOLDER, scope=RECORDS[0])
    assert answer.status_code == 200, answer.text
    claims = claims_of(answer.json["access_token"])
    assert claims["aud"] == HOLDER
    assert claims["sub"] == claims["patient"] == str(world.record_at_holder)
    assert claims["act"] == {"sub": "CMP 012345"}
    assert claims["cnf"] == {"jkt": world.asking.prover.thumbprint}
    assert str(world.person_id) not in str(claims)
    assert world.holding.introspect(answer.json["access_token"])["active"] is True
    assert world.asking.introspect(answer.json["access_token"]) == {"active": False}


def test_what_was_exchanged_ends_with_the_consent(world: World) -> None:
    consent_id = permit(world, ["allergies"])
    holder = exchange(world, statement(world), audience=HOLDER).json["access_token"]
    withdraw(world, consent_id)
    assert world.holding.introspect(holder) == {"active": False}
    refused = exchange(world, statement(world))
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_grant")


def test_a_grant_token_becomes_a_holders(world: World, consent: UUID) -> None:
    grant = world.grant(launch=world.request_access(categories=["encounters"])["id"], scope=scope_of("encounters"))
    answer = exchange(world, grant["access_token"], ACCESS, audience=HOLDER)
    assert answer.status_code == 200, answer.text
    assert answer.json["scope"] == scope_of("encounters"), "what the grant carries, not what another consent permits"
    wider = exchange(world, grant["access_token"], ACCESS, audience=HOLDER, scope=scope_of("allergies"))
    assert wider.json["error"] == "invalid_scope"


@pytest.mark.parametrize("audience", [None, HOLDER])
def test_nothing_exchanged_is_exchanged_again(world: World, consent: UUID, audience: str | None) -> None:
    first = exchange(world, statement(world), audience=audience).json["access_token"]
    again = exchange(world, first, ACCESS, audience=HOLDER)
    assert (again.status_code, again.json["error"]) == (400, "invalid_grant")


def test_a_subject_token_is_the_clients_own_and_alive(world: World, consent: UUID) -> None:
    grant = world.grant(launch=world.request_access(categories=["encounters"])["id"], scope=scope_of("encounters"))
    token = grant["access_token"]
    assert exchange(world, token, ACCESS, world.holding, audience=HOLDER).json["error"] == "invalid_grant"
    thief = Party(world.asking.client_id, world.asking.establishment_id, HOLDER, world.asking.http, world.asking.key)
    assert exchange(world, token, ACCESS, thief, audience=HOLDER).json["error"] == "invalid_grant"
    for other in (
        world.asking.client_token("access-request"),
        world.asking.client_token("system/Patient.rs"),
        "x",
        "é",
    ):
        assert exchange(world, other, ACCESS, audience=HOLDER).json["error"] == "invalid_grant"
    world.asking.post("/oauth/revoke", {"token": token})
    assert exchange(world, token, ACCESS, audience=HOLDER).json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "x"}, {"sub": None}, {"sub": 1}, {"sub": str(uuid.UUID(int=0))},
        {"act": None}, {"act": "CMP 012345"}, {"act": {"sub": "CMP 999999"}}, {"act": {"sub": "CMP"}}, {"act": {}},
        {"act": {"sub": "CMP \x00"}}, {"act": {"sub": "\ud800 1"}},
        {"act": {"sub": "CMP 012345", "act": {"sub": "x"}}}, {"act": {"sub": 12345}},
        {"purpose_of_use": None}, {"purpose_of_use": "BTG"}, {"purpose_of_use": "x"}, {"purpose_of_use": ["TREAT"]},
        {"aud": "https://other.example"}, {"aud": [ISSUER]}, {"exp": 1}, {"exp": 10_000_000_000}, {"iat": None},
        {"jti": None}, {"iss": "sihce-b"}, {"iss": None},
    ],
)  # fmt: skip
def test_a_statement_that_does_not_hold_yields_nothing(world: World, consent: UUID, changes: dict[str, Any]) -> None:
    answer = exchange(world, statement(world, **changes))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant"), answer.text


def test_a_statement_is_signed_by_its_client_and_used_once(world: World, consent: UUID) -> None:
    forged = statement(world, key=ECKey.generate_key("P-256"))
    assert exchange(world, forged).json["error"] == "invalid_grant"
    others = statement(world, world.holding)
    assert exchange(world, others).json["error"] == "invalid_grant"
    mine = statement(world)
    assert exchange(world, mine).status_code == 200
    assert exchange(world, mine).json["error"] == "invalid_grant"


def test_a_statement_is_no_assertion_and_an_assertion_no_statement(world: World, consent: UUID) -> None:
    form = {"grant_type": "client_credentials", "scope": "access-request"}
    as_client = {"client_assertion_type": world.asking.credentials()["client_assertion_type"]}
    mixed = world.asking.post("/oauth/token", form | as_client | {"client_assertion": statement(world)})
    assert (mixed.status_code, mixed.json["error"]) == (401, "invalid_client")
    assert exchange(world, world.asking.assertion()).json["error"] == "invalid_grant"


def test_a_professional_who_may_not_act_yields_nothing(world: World, consent: UUID) -> None:
    able = update(Professional).where(Professional.id == world.professional_id)
    world.transact(lambda session: session.execute(able.values(able_to_practise=False)))
    refused = exchange(world, statement(world))
    world.transact(lambda session: session.execute(able.values(able_to_practise=True)))
    assert refused.json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "target",
    [
        {"audience": "https://evil.example"}, {"audience": HOLDER + "/x"}, {"audience": f"{ISSUER}/fhir"},
        {"audience": "https://a.example/fhir"}, {"resource": f"{ISSUER}/api/v1"}, {"audience": "x" * 5000},
        {"audience": HOLDER, "resource": f"{ISSUER}/exchange"},
    ],
)  # fmt: skip
def test_another_audience_is_none(world: World, consent: UUID, target: dict[str, str]) -> None:
    answer = exchange(world, statement(world), **target)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")


def test_a_holder_of_somebody_elses_record_looks_like_any_stranger(world: World, consent: UUID) -> None:
    moved = update(Membership).where(Membership.source_record_id == world.record_at_holder)
    world.transact(lambda session: session.execute(moved.values(person_id=world.other_person_id)))
    answer = exchange(world, statement(world), audience=HOLDER)
    stranger = exchange(world, statement(world), audience="https://evil.example")
    world.transact(lambda session: session.execute(moved.values(person_id=world.person_id)))
    assert answer.json == stranger.json


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"scope": "patient/Observation.rs"}, "invalid_scope"), ({"scope": "offline_access"}, "invalid_scope"),
        ({"scope": f"{RECORDS[0]} offline_access"}, "invalid_scope"), ({"scope": "system/Patient.rs"}, "invalid_scope"),
        ({"scope": "launch"}, "invalid_scope"), ({"subject_token": None}, "invalid_request"),
        ({"subject_token_type": None}, "invalid_request"), ({"subject_token_type": "x"}, "invalid_request"),
        ({"requested_token_type": JWT}, "invalid_request"), ({"actor_token": "x"}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
    ],
)  # fmt: skip
def test_what_is_not_offered_is_refused(world: World, consent: UUID, more: dict[str, Any], error: str) -> None:
    assert exchange(world, statement(world), **more).json["error"] == error


def test_an_app_gets_no_holders_token_and_a_client_that_may_not_ask_gets_none(world: World, consent: UUID) -> None:
    app = world.app_client
    stated = statement(world, app)
    assert exchange(world, stated, party=app, audience=HOLDER).json["error"] == "invalid_target"
    this = RecordSystem.client_id == world.asking.client_id
    scopes = world.transact(lambda session: session.scalar(select(RecordSystem.scopes).where(this)))
    fewer = update(RecordSystem).where(this).values(scopes=[one for one in scopes if one != "access-request"])
    world.transact(lambda session: session.execute(fewer))
    refused = exchange(world, statement(world))
    world.transact(lambda session: session.execute(update(RecordSystem).where(this).values(scopes=scopes)))
    assert refused.json["error"] == "unauthorized_client"


def test_refusals_and_issues_are_in_the_log(world: World) -> None:
    def decided(session: Any) -> list[str]:
        query = select(AuditEvent.outcome).where(AuditEvent.action == "consent:access:decided")
        return list(session.scalars(query.where(AuditEvent.person_id == world.other_person_id)))

    assert exchange(world, statement(world, sub=str(world.other_person_id))).json["error"] == "invalid_grant"
    assert world.transact(decided)[-1] == "refused"


@given(
    permitted=st.lists(
        st.frozensets(st.sampled_from(["allergies", "medications", "encounters"]), min_size=1), max_size=3
    ),
    objected=st.frozensets(st.sampled_from(["allergies", "medications", "encounters"])),
    asked=st.frozensets(st.sampled_from(RECORDS), min_size=1),
    for_holder=st.booleans(),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[*HealthCheck])
def test_issued_is_within_asked_and_consented(
    world: World, permitted: list[frozenset[str]], objected: frozenset[str], asked: frozenset[str], for_holder: bool
) -> None:
    """Whatever the person permits and objects to, and whatever is asked."""
    person_id = new_id()

    def appear(session: Any) -> None:
        session.add(Person(id=person_id))
        session.flush()
        _add_record(session, new_id(), world.holding.establishment_id, person_id)

    world.transact(appear)
    for categories in permitted:
        permit(world, categories, person_id)
    if objected:
        terms = Terms(
            person_id=person_id, establishment_id=world.asking.establishment_id, categories=objected, purposes=None,
            ends_at=None, kind=Kind.OBJECTION,
        )  # fmt: skip
        world.transact(lambda session: record_objection(session, terms, world.evidence(person_id)))
    target = {"audience": HOLDER} if for_holder else {}
    count = select(func.count()).select_from(AccessToken).where(AccessToken.person_id == person_id)
    answer = exchange(world, statement(world, sub=str(person_id)), scope=" ".join(asked), **target)
    consented = frozenset().union(*permitted) - objected
    if answer.status_code == 200:
        issued = categories_of(answer.json["scope"].split())
        assert issued
        assert issued <= categories_of(asked) & consented
        assert world.transact(lambda session: session.scalar(count)) == 1
        return
    assert answer.json["error"] == "invalid_grant"
    assert not consented & categories_of(asked)
    assert not world.transact(lambda session: session.scalar(count))
