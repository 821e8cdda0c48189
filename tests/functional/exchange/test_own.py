"""A person's own reading at a guarded holder: a token for them alone, that nobody else's road can make."""

import json

import pytest
from sqlalchemy import update
from werkzeug.wrappers import Request, Response

from consent_broker.consents.directives import Kind
from consent_broker.consents.service import Terms, record_objection, revoke_consent
from consent_broker.exchange.own import read_own
from consent_broker.exchange.service import ExchangeResult
from registry.database import new_id
from registry.errors import Forbidden, NotFound
from registry.identity.models import SourceRecord
from tests.functional.exchange.holder import FhirServer, bundle
from tests.functional.exchange.test_gateway import grant
from tests.functional.exchange.test_summary import HELD, holds, summarise
from tests.functional.oauth.world import World, claims_of

NOTED = {"resourceType": "Encounter", "id": "9", "reasonReference": [{"reference": "AllergyIntolerance/7"}]}


def read(world: World) -> ExchangeResult:
    with world.renhice.database.unit_of_work() as session:
        return read_own(session, world.broker, world.evidence(), world.record_at_holder)


def shown_token(holder: FhirServer) -> str:
    return holder.requests[-1].headers["Authorization"].partition(" ")[2]


def test_the_holder_answers_its_patient_whatever_they_limit(world: World, holder: FhirServer) -> None:
    everything = Terms(
        person_id=world.person_id, kind=Kind.OBJECTION, establishment_id=None, categories=None, purposes=None,
        ends_at=None,
    )  # fmt: skip
    put = world.transact(lambda session: record_objection(session, everything, world.evidence()))
    holder.answer = holds
    found = read(world)
    assert {one.resource["id"] for one in found.records} == {one["id"] for one in HELD.values()}
    assert found.missing == []
    claims = claims_of(shown_token(holder))
    assert (claims["sub"], "act" in claims) == (str(world.record_at_holder), False)
    assert claims["extensions"]["ihe_iua"]["purpose_of_use"][0]["code"] == "PATRQT"
    assert world.holding.introspect(shown_token(holder))["active"] is True
    assert put.status == "active"
    world.transact(lambda session: revoke_consent(session, put.id, world.evidence()))


def test_the_token_falls_with_the_death_of_its_patient(world: World, holder: FhirServer) -> None:
    read(world)
    token = shown_token(holder)
    died = update(SourceRecord).where(SourceRecord.id == world.record_at_holder)
    world.transact(lambda session: session.execute(died.values(deceased_confirmed=True)))
    assert world.holding.introspect(token) == {"active": False}
    world.transact(lambda session: session.execute(died.values(deceased_confirmed=False)))
    assert world.holding.introspect(token)["active"] is True


def test_anothers_record_is_not_read(world: World, holder: FhirServer) -> None:
    with world.renhice.database.unit_of_work() as session:
        with pytest.raises(NotFound):
            read_own(session, world.broker, world.evidence(), new_id())
        with pytest.raises(NotFound):
            read_own(session, world.broker, world.evidence(new_id()), world.record_at_holder)
        with pytest.raises(Forbidden):
            read_own(session, world.broker, world.evidence(acr=1), world.record_at_holder)
    assert holder.requests == []


def test_a_hidden_item_and_what_names_it_are_in_no_summary(world: World, holder: FhirServer) -> None:
    def answer(request: Request) -> Response:
        return Response(json.dumps(bundle(NOTED))) if request.path.endswith("Encounter") else holds(request)

    holder.answer = answer
    hiding = Terms(
        person_id=world.person_id, kind=Kind.OBJECTION, establishment_id=None, categories=None, purposes=None,
        ends_at=None, sources=frozenset({world.holding.establishment_id}), items=frozenset({"AllergyIntolerance/7"}),
        hides=True,
    )  # fmt: skip
    put = world.transact(lambda session: record_objection(session, hiding, world.evidence()))
    for careless in (False, True):
        if careless:
            holder.go_careless()
        made = summarise(world, grant(world))
        assert made.status_code == 200
        assert "AllergyIntolerance/7" not in made.text
        assert "Amoxicilina" in made.text
    world.transact(lambda session: revoke_consent(session, put.id, world.evidence()))
