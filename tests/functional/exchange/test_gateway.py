"""The gateway: fetches what is permitted from a guarded holder, names what is missing, and keeps nothing."""

from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse
from werkzeug.wrappers import Request, Response

from consent_broker.consents.decision import POLICY_VERSION
from consent_broker.consents.directives import AccessQuery, Kind
from consent_broker.consents.service import Terms, decide_access, list_consents, record_objection, revoke_consent
from consent_broker.exchange.service import ExchangeResult, fetch
from consent_broker.oauth.holder_tokens import Access
from registry.audit.models import AuditEvent
from registry.directory.models import Professional
from registry.errors import Forbidden
from registry.identity.models import Person, PossibleMatch, SourceRecord, Verification
from tests.functional.exchange.holder import FhirServer
from tests.functional.oauth.world import RECORDS, World


def read(world: World, token: str, kind: str = "AllergyIntolerance", **query: Any) -> TestResponse:
    parameters = {"patient": str(world.person_id)} | query
    return world.asking.get(f"/exchange/fhir/{kind}", token, query_string=parameters)


def grant(world: World, scope: str = " ".join(RECORDS)) -> str:
    request = world.request_access()
    return str(world.grant(launch=request["id"], scope=scope)["access_token"])


def events(world: World, **wanted: Any) -> list[AuditEvent]:
    query = select(AuditEvent).order_by(AuditEvent.recorded_at.desc())
    for name, value in wanted.items():
        query = query.where(getattr(AuditEvent, name) == value)
    return list(world.transact(lambda session: session.scalars(query).all()))


def revoke_newest(world: World) -> None:
    def act(session: Any) -> None:
        active = [one for one in list_consents(session, [world.person_id]) if one.status == "active"]
        revoke_consent(session, active[0].id, world.evidence(), "ya no")

    world.transact(act)


def issues(answer: TestResponse) -> list[str]:
    resources = [entry["resource"] for entry in answer.json.get("entry", [])]
    return [one["issue"][0]["code"] for one in resources if one["resourceType"] == "OperationOutcome"]


def test_a_record_of_another_establishment_arrives_with_its_origin(world: World, holder: FhirServer) -> None:
    answer = read(world, grant(world))
    assert (answer.status_code, answer.mimetype) == (200, "application/fhir+json")
    assert (answer.json["type"], answer.json["total"]) == ("searchset", 1)
    entry = answer.json["entry"][0]
    assert entry["resource"]["code"] == {"text": "Penicilina"}
    assert entry["resource"]["meta"]["source"] == f"{world.holding.endpoint}/AllergyIntolerance/1"
    asked = holder.requests[-1]
    assert asked.args["patient.identifier"].endswith(f"|{world.record_at_holder}")
    assert str(world.person_id) not in asked.url
    assert asked.environ["renhice.grant"].actor == "CMP 012345"
    assert asked.environ["renhice.grant"].purpose == "TREAT"


def test_the_reading_is_in_the_log_and_the_content_is_nowhere(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    read(world, grant(world))
    newest = events(world, action="exchange:records:read")[0]
    assert (newest.outcome, newest.person_id, newest.purpose) == ("success", world.person_id, "TREAT")
    assert newest.holder_id == world.holding.establishment_id
    assert newest.professional_id == world.professional_id
    assert newest.detail["counts"] == ["AllergyIntolerance: 1"]
    with world.renhice.database.engine.connect() as connection:
        tables = connection.exec_driver_sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        ).scalars()
        dump = "".join(str(connection.exec_driver_sql(f'SELECT * FROM "{table}"').all()) for table in list(tables))
    assert "Penicilina" not in dump
    assert "Penicilina" not in "".join(capfd.readouterr())


def test_after_revocation_the_same_fetch_is_refused_with_the_reason_and_logged(world: World) -> None:
    token = grant(world)
    assert read(world, token).status_code == 200
    revoke_newest(world)
    answer = read(world, token)
    assert answer.status_code == 403
    assert answer.json["resourceType"] == "OperationOutcome"
    assert answer.json["issue"][0]["details"]["coding"][0]["code"] == "consent-revoked"
    refused = events(world, action="consent:access:decided", outcome="refused")[0]
    assert (refused.reason, refused.person_id) == ("consent-revoked", world.person_id)


@pytest.mark.parametrize("act", ["revoke", "hide"])
def test_what_is_taken_back_while_its_holder_is_asked_is_not_released(
    world: World, holder: FhirServer, act: str
) -> None:
    token, hiding = grant(world), list[UUID]()

    def answer(request: Request) -> Response:
        if act == "revoke":
            revoke_newest(world)
        else:
            objection = Terms(
                person_id=world.person_id, establishment_id=None, categories=None, purposes=None, ends_at=None,
                kind=Kind.OBJECTION, sources=frozenset({world.holding.establishment_id}), hides=True,
                items=frozenset({"AllergyIntolerance/1"}),
            )  # fmt: skip
            hiding.append(world.transact(lambda session: record_objection(session, objection, world.evidence())).id)
        return holder.searchset(request)

    holder.answer = answer
    holder.go_careless()
    found = read(world, token)
    for one in hiding:
        world.transact(lambda session, one=one: revoke_consent(session, one, world.evidence()))
    assert "Penicilina" not in found.text
    assert events(world, action="exchange:records:read")[0].detail["withheld"] == 1


def test_a_token_is_for_its_patient_and_types_only(world: World) -> None:
    token = grant(world, RECORDS[0])
    others = (world.other_person_id, uuid4())
    for patient in others:
        answer = read(world, token, patient=str(patient))
        assert answer.status_code == 403
        assert answer.json["issue"][0]["details"]["coding"][0]["code"] == "another-patient"
    assert read(world, token, "Encounter").status_code == 403
    assert read(world, token, "Patient").status_code == 404
    assert {one.person_id for one in events(world, reason="another-patient")} == set(others)


@pytest.mark.parametrize(
    "query",
    [
        {"patient": "x"},
        {"patient": ""},
        {"_include": "*"},
        {"patient": "' OR 1=1"},
        {"code": "1"},
        {"patient": "ñ" * 500},
    ],
)
def test_what_is_not_understood_is_refused(world: World, query: dict[str, str]) -> None:
    answer = read(world, grant(world), **query)
    assert answer.status_code == 400
    assert answer.json["resourceType"] == "OperationOutcome"


def test_a_search_may_be_posted(world: World) -> None:
    token, form = grant(world), {"patient": f"Patient/{world.person_id}"}
    found = world.asking.call("POST", "/exchange/fhir/AllergyIntolerance/_search", token, data=form)
    assert found.json["total"] == 1
    split = world.asking.call("POST", "/exchange/fhir/AllergyIntolerance/_search?patient=1", token, data=form)
    assert split.status_code == 400


@pytest.mark.parametrize("doubt", ["names-differ", "document-conflict"])
def test_a_holder_whose_record_is_contested_is_named_and_not_asked(
    world: World, holder: FhirServer, doubt: str
) -> None:
    token, asked = grant(world), len(holder.requests)
    world.transact(lambda session: session.add(contested(world, doubt)))
    try:
        answer = read(world, token)
    finally:
        world.transact(lambda session: settle(session, world))
    assert (issues(answer), answer.json["total"], len(holder.requests)) == (["conflict"], 0, asked)
    assert "Hospital 00000002" in answer.json["entry"][0]["resource"]["issue"][0]["details"]["text"]
    assert read(world, token).json["total"] == 1


def contested(world: World, doubt: str) -> Verification | PossibleMatch:
    record = world.record_at_holder
    if doubt == "names-differ":
        return Verification(source_record_id=record, version=1, status=doubt, source="test")
    return PossibleMatch(
        source_record_id=record, version=1, rivals=[], reason=doubt, weight=0.0, contributions=[], model_hash=""
    )


def settle(session: Any, world: World) -> None:
    """The establishment corrects its record, and a steward closes the case."""
    session.execute(update(PossibleMatch).values(status="dismissed"))
    session.execute(update(SourceRecord).where(SourceRecord.id == world.record_at_holder).values(version=2))


def test_a_professional_who_may_no_longer_practise_reads_nothing(world: World) -> None:
    token = grant(world)
    mine = update(Professional).where(Professional.id == world.professional_id)
    world.transact(lambda session: session.execute(mine.values(able_to_practise=False)))
    try:
        answer = read(world, token)
    finally:
        world.transact(lambda session: session.execute(mine.values(able_to_practise=True)))
    assert answer.json["issue"][0]["details"]["coding"][0]["code"] == "not-able-to-practise"


def test_a_person_merged_into_another_is_not_read_under_the_old_consent(world: World) -> None:
    token = grant(world)
    mine = update(Person).where(Person.id == world.person_id)
    world.transact(lambda session: session.execute(mine.values(status="replaced", replaced_by=world.other_person_id)))
    try:
        answer = read(world, token)
    finally:
        world.transact(lambda session: session.execute(mine.values(status="active", replaced_by=None)))
    assert answer.json["issue"][0]["details"]["coding"][0]["code"] == "patient-replaced"


def test_one_fetch_too_many_is_turned_away_so_that_holders_questions_find_a_thread(world: World) -> None:
    token = grant(world)
    with ExitStack() as busy:
        for number in range(world.broker.settings.exchange_concurrency):
            busy.enter_context(world.broker.slots.hold(f"sihce-{number}"))
        answer = read(world, token)
        assert (answer.status_code, answer.json["resourceType"]) == (503, "OperationOutcome")
    assert read(world, token).status_code == 200


def test_one_client_does_not_keep_the_others_out(world: World) -> None:
    token = grant(world)
    slots = world.broker.slots
    with ExitStack() as busy:
        for _ in range(slots.share):
            busy.enter_context(slots.hold(world.asking.client_id))
        assert slots.share < slots.total
        assert read(world, token).status_code == 503
        assert portal_fetch(world, ["AllergyIntolerance"]).records
    assert read(world, token).status_code == 200


def portal_fetch(world: World, types: list[str]) -> ExchangeResult:
    access = Access(
        establishment_id=world.asking.establishment_id,
        professional_id=world.professional_id,
        person_id=world.person_id,
        purpose="TREAT",
    )
    return world.transact(lambda session: fetch(session, world.broker, access, types))


def test_the_portal_reads_by_the_consents_alone(world: World) -> None:
    grant(world)
    result = portal_fetch(world, ["AllergyIntolerance", "Encounter", "Condition"])
    assert [(one.holder.name, one.resource["id"]) for one in result.records] == [("Hospital 00000002", "1")]
    assert [(one.resource_type, one.fault) for one in result.missing] == [("Condition", "suppressed")]


def test_the_portal_is_refused_once_every_consent_is_revoked(world: World) -> None:
    def revoke_all(session: Any) -> None:
        for one in list_consents(session, [world.person_id]):
            if one.status == "active":
                revoke_consent(session, one.id, world.evidence())

    grant(world)
    world.transact(revoke_all)
    with pytest.raises(Forbidden) as refused:
        portal_fetch(world, ["AllergyIntolerance"])
    assert refused.value.error_code == "consent-revoked"
    assert refused.value.audit is not None


def test_a_decision_is_in_the_log_with_its_policy_its_consents_and_why(world: World) -> None:
    """IHE BALP AuthZconsent: whoever asks later why it flowed, or didn't, finds the function's own words."""
    token = grant(world)
    world.asking.get("/exchange/fhir/AllergyIntolerance", token, query_string={"patient": str(world.person_id)})
    permitted = events(world, action="consent:access:decided", outcome="success")[0]
    assert permitted.detail["policy"] == POLICY_VERSION
    assert permitted.detail["consents"] == [str(permitted.consent_id)]
    assert permitted.detail["explanation"] == [f"allergies: permitted {permitted.consent_id}"]
    revoke_newest(world)
    world.asking.get("/exchange/fhir/AllergyIntolerance", token, query_string={"patient": str(world.person_id)})
    closed = world.transact(lambda session: decide_access(session, query_of(permitted)))
    assert closed.explanation == [f"allergies: consent-revoked {permitted.consent_id}"]


def query_of(event: AuditEvent) -> AccessQuery:
    assert event.person_id is not None
    assert event.establishment_id is not None
    return AccessQuery(
        person_id=event.person_id, establishment_id=event.establishment_id, professional_id=event.professional_id,
        purpose=event.purpose or "", categories=frozenset({"allergies"}),
    )  # fmt: skip
