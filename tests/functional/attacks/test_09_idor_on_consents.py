"""Attack 9: reaching for consents that are not one's own, by id, by search, by verb and by the portal's service."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from werkzeug.test import TestResponse

from consent_broker.consents.access_requests import deny_request, grant_request
from consent_broker.consents.directives import Kind
from consent_broker.consents.service import (
    Terms,
    get_consent,
    grant_consent,
    propose_consent,
    record_objection,
    reject_consent,
    revoke_consent,
)
from registry.audit.models import AuditEvent
from registry.database import now
from registry.errors import DomainError
from tests.functional.oauth.world import Party, World

BASE = "/fhir/Consent"
READS = ["", "/_history", "/_history/1", "/_history/2"]


def give(world: World, **changes: Any) -> UUID:
    terms = replace(
        Terms(
            person_id=world.person_id, establishment_id=world.asking.establishment_id,
            categories=frozenset({"allergies"}), purposes=frozenset({"TREAT"}), ends_at=now() + timedelta(days=3),
        ),
        **changes,
    )  # fmt: skip

    def act(session: Any) -> UUID:
        proof = world.evidence(terms.person_id)
        if terms.kind is Kind.OBJECTION:
            return record_objection(session, terms, proof).id
        return grant_consent(session, propose_consent(session, terms, proof.as_record()), proof).id

    return world.transact(act)


def call(party: Party, method: str, path: str, **more: Any) -> TestResponse:
    return party.call(method, f"{BASE}{path}", party.client_token("system/Consent.rs system/Consent.cu"), **more)


def shape(answer: TestResponse) -> tuple[int, str, int]:
    """What an attacker can tell answers apart by; the correlation id is one length."""
    issue = answer.json["issue"][0]
    return answer.status_code, issue["details"]["text"], len(answer.data)


def not_theirs(world: World) -> dict[str, UUID]:
    """Consents the holding establishment has no business with."""
    holding = world.holding.establishment_id
    objection: dict[str, Any] = {"kind": Kind.OBJECTION, "categories": None, "purposes": None, "ends_at": None}
    return {
        "another establishment's": give(world),
        "to a professional": give(world, establishment_id=None, professional_id=world.professional_id),
        "to a kind": give(world, establishment_id=None, establishment_sector="MINSA"),
        "objection to them": give(world, **objection | {"establishment_id": holding}),
        "objection to all": give(world, **objection | {"establishment_id": None}),
        "hidden link to them": give(
            world, **objection | {"establishment_id": None, "sources": frozenset({holding}), "hides": True}
        ),
    }


def test_every_verb_on_anothers_consent_looks_like_an_unknown_one(world: World) -> None:
    for what, consent_id in not_theirs(world).items():
        for path in READS:
            theirs = call(world.holding, "GET", f"/{consent_id}{path}")
            unknown = call(world.holding, "GET", f"/{uuid4()}{path}")
            assert shape(theirs) == shape(unknown), (what, path)
            assert theirs.status_code == 404
        before = world.transact(lambda session, key=consent_id: get_consent(session, key).version)
        for target in (consent_id, uuid4()):
            assert call(world.holding, "POST", f"/{target}/$revokeConsent").status_code == 404
        assert world.transact(lambda session, key=consent_id: get_consent(session, key).version) == before


def test_a_search_tells_nothing_of_what_is_not_theirs_nor_who_exists(world: World) -> None:
    not_theirs(world)
    answers = [
        call(world.holding, "GET", "", query_string={"patient": str(patient)} | more)
        for patient in (world.person_id, world.other_person_id, uuid4(), "x")
        for more in ({}, {"status": "active"}, {"actor": f"Organization/{world.asking.establishment_id}"})
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.data for answer in answers}) == 1
    assert answers[0].json["total"] == 0


def test_an_attempt_is_in_the_log_and_a_search_that_found_nothing_names_nobody(world: World) -> None:
    consent_id = give(world)
    call(world.holding, "GET", f"/{consent_id}")
    call(world.holding, "GET", "", query_string={"patient": str(world.person_id)})
    query = select(AuditEvent).where(AuditEvent.client_id == world.holding.client_id)
    events = world.transact(lambda session: session.scalars(query).all())
    refused = [one for one in events if one.action == "consent:directive:read" and one.outcome == "refused"]
    assert refused
    assert {one.person_id for one in events if one.action == "consent:directive:searched"} == {None}


@pytest.mark.parametrize("scope", ["system/Patient.rs", "access-request", "system/Consent.rs"])
def test_each_verb_needs_its_scope(world: World, scope: str) -> None:
    consent_id = give(world)
    token = world.asking.client_token(scope)
    reads = scope == "system/Consent.rs"
    statuses = {
        world.asking.call("GET", f"{BASE}/{consent_id}", token).status_code == 200,
        world.asking.call("GET", f"{BASE}/{consent_id}/_history", token).status_code == 200,
    }
    assert statuses == {reads}
    assert world.asking.call("POST", f"{BASE}/{consent_id}/$revokeConsent", token).status_code in {401, 403}
    assert world.asking.http.get(f"{BASE}/{consent_id}").status_code == 401


ACTS: dict[str, Callable[..., Any]] = {
    "grant": grant_consent,
    "reject": reject_consent,
    "revoke": revoke_consent,
    "grant-request": grant_request,
    "deny-request": deny_request,
}


@pytest.mark.parametrize("name", sorted(ACTS))
def test_no_patient_decides_about_anothers_consent_or_request(world: World, name: str) -> None:
    stranger = world.evidence(world.other_person_id)
    asked = UUID(world.request_access(categories=["problems"])["id"])
    terms = Terms(
        person_id=world.person_id, establishment_id=world.asking.establishment_id, categories=frozenset({"problems"}),
        purposes=frozenset({"TREAT"}), ends_at=now() + timedelta(days=3),
    )  # fmt: skip
    proposed = world.transact(lambda session: propose_consent(session, terms, {"channel": "test"}))
    targets = {"grant": proposed, "reject": proposed, "revoke": give(world)}
    target = targets.get(name, asked)
    with pytest.raises(DomainError) as refused:
        world.transact(lambda session: ACTS[name](session, target, stranger))
    assert refused.value.status in {403, 404}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.uuids(), st.sampled_from(READS))
def test_random_ids_find_nothing(world: World, consent_id: UUID, path: str) -> None:
    assert call(world.holding, "GET", f"/{consent_id}{path}").status_code == 404
