"""What the two sides hold beside the first things: one of each that a path can name, so that somebody may do it."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent_broker.consents.access_requests import Asking, request_access
from consent_broker.consents.directives import Kind
from consent_broker.consents.representatives import Proposal, Recorder, appoint
from consent_broker.consents.service import Terms, grant_consent, propose_consent, record_objection, revoke_consent
from consent_broker.desk.assisted import Statement, record_statement
from consent_broker.desk.attendance import Stating, state_attendance
from consent_broker.desk.attendance_policy import set_policy
from consent_broker.desk.models import SmsCode
from consent_broker.desk.short_codes import issue_short_code
from consent_broker.desk.sms_codes import secret_code, send_code
from consent_broker.emergency.models import EmergencySuspension
from consent_broker.exchange.documents import name_of
from consent_broker.oauth.models import AuthorizationRequest
from consent_broker.oauth.opaque import digest
from consent_broker.signals.models import Subscription, SubscriptionVersion
from matching.records import Demographics
from matching.records import Document as Identified
from portal.models import Passkey, PortalSession
from portal.session import Identity, life_of, open_session, subject_of
from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.database import new_id, now
from registry.directory.representatives import Basis, Paper, Power
from registry.identity.contests import Claim, Claimant, contest
from registry.identity.models import PossibleMatch
from registry.identity.service import engine_of
from registry.identity.stewardship import Grounds, Judgement, Steward, decide
from registry.locator.documents import Document, find_document
from registry.locator.submitting import NewDocument, Submission, submit
from tests.functional.oauth.world import Party, World
from tests.functional.portal.steward_world import doubtful, human

PDF = b"%PDF-1.7"
DAY = timedelta(days=1)
PAPER = Paper(kind="notarial-power", reference="K-1", sha256="ab" * 32)
Ids = dict[str, Any]
Whose = dict[str, Any]
Register = Callable[[Demographics, Party], tuple[UUID, UUID]]


def rights(world: World, session: Session, whose: Whose, terms: Terms, limit: Terms) -> Ids:
    """What the patient gave and took back."""
    proof = world.evidence(whose["person_id"])
    given = grant_consent(session, propose_consent(session, terms, proof.as_record()), proof)
    put = record_objection(session, limit, proof)
    for one in (given, put):
        revoke_consent(session, one.id, proof)
    return {"withdrawn_id": given.id, "lifted_id": put.id}


def roads(world: World, session: Session, whose: Whose, person: Identified) -> Ids:
    """Requests that wait: for a code by SMS, for whoever was there, for a record system's page."""
    sealer, settings = world.renhice.sealer, world.renhice.settings

    def ask(category: str) -> UUID:
        return request_access(session, Asking(**whose, purpose="TREAT", categories=frozenset({category}))).request.id

    by_sms, helped, shown = ask("encounters"), ask("immunizations"), ask("medications")
    send_code(session, sealer, by_sms)
    code = session.scalars(select(SmsCode).where(SmsCode.access_request_id == by_sms)).one()
    said = Statement(
        evidence="signed-form", form_sha256="ab" * 32, document_type=person.type.value, document_number=person.number,
        categories=frozenset({"immunizations"}), ends_at=now() + timedelta(hours=8),
    )  # fmt: skip
    challenge = f"challenge-{whose['client_id']}"
    session.add(
        AuthorizationRequest(
            challenge_hash=digest(challenge), client_id=whose["client_id"],
            establishment_id=whose["establishment_id"], redirect_uri=Party.redirect_uri,
            scopes=["patient/MedicationStatement.rs"], code_challenge="x" * 43, access_request_id=shown,
            expires_at=now() + DAY,
        )
    )  # fmt: skip
    proof = world.evidence(whose["person_id"])
    set_policy(session, whose["person_id"], frozenset({"allergies"}), proof)
    attended = Stating(**whose, encounter="E-0", identified_by="DNI", categories=frozenset({"allergies"}))
    return {
        "sms_request_id": by_sms,
        "sms_code": secret_code(sealer, code.id),
        "assisted_id": record_statement(session, sealer, helped, said).id,
        "challenge": challenge,
        "code": issue_short_code(session, sealer, shown).code,
        "attendance_id": state_attendance(session, sealer, settings, attended).attendance.id,
    }


def representation(world: World, session: Session, acting: Identified, person_id: UUID) -> UUID:
    """The patient may act for somebody."""
    proposal = Proposal(
        person_id=person_id, document=acting, name="-", basis=Basis.POWER, powers=frozenset({Power.SEE}), paper=PAPER,
        until=now() + DAY,
    )  # fmt: skip
    return appoint(session, world.renhice.sealer, proposal, Recorder(role="operator", detail={"operator": "t"})).id


def claim(session: Session, person_id: UUID, record_id: UUID) -> UUID:
    """The patient said of a record that it isn't theirs."""
    return contest(
        session, Claim(claimant=Claimant(person_id=person_id), source_record_id=record_id, reason="never-attended")
    ).id


def document(world: World, session: Session, party: Party, record_id: UUID) -> Document:
    """One that the establishment keeps of its patient, signed."""
    url = f"{party.endpoint}/Binary/{new_id()}"
    described = {
        "resource": {
            "resourceType": "DocumentReference", "status": "current",
            "type": {"coding": [{"system": "http://loinc.org", "code": "57833-6"}]},
            "content": [{"attachment": {"contentType": "application/pdf", "url": url}}],
        },
        "sha256": b64encode(sha256(PDF).digest()).decode(),
        "provenance": {"resourceType": "Provenance", "target": [{"reference": "#"}], "recorded": now().isoformat(),
                       "agent": [{"who": {"display": "-"}}]},
        "signature": {"state": "unverified", "reason": "no-signature", "signer": None, "certificate": None,
                      "judged": now().isoformat()},
    }  # fmt: skip
    handed_in = Submission(
        party.establishment_id, record_id, party.client_id, f"urn:set|{url}",
        {"resource": {"resourceType": "List", "status": "current", "mode": "working"}},
        (NewDocument(f"urn:doc|{url}", described),), url.encode(),
    )  # fmt: skip
    made = submit(session, world.renhice.sealer, handed_in).document_ids[0]
    found = find_document(session, world.renhice.sealer, made)
    assert found is not None
    return found


def hidden(world: World, session: Session, person_id: UUID, one: Document) -> UUID:
    """A document and an item that the patient hides."""
    limit = Terms(
        person_id=person_id, kind=Kind.OBJECTION, establishment_id=None, categories=None, purposes=None, ends_at=None,
        sources=frozenset({one.establishment_id}), items=frozenset({name_of(one), "AllergyIntolerance/1"}), hides=True,
    )  # fmt: skip
    record_objection(session, limit, world.evidence(person_id))
    return one.id


def systems(session: Session, party: Party, submitted: Document) -> Ids:
    """What a record system has here: a document, a subscription, what was done for it."""
    wanted = Subscription(
        id=new_id(), establishment_id=party.establishment_id, client_id=party.client_id, topic="link",
        endpoint=f"{party.endpoint}/hook", reason="-", status="active", created_at=now(), changed_at=now(),
    )  # fmt: skip
    session.add(wanted)
    session.flush()
    session.add(SubscriptionVersion(subscription_id=wanted.id, version=1, status="active", changed_at=now()))
    event = select(AuditEvent.id).where(AuditEvent.client_id == party.client_id).limit(1)
    return {
        "reference_id": submitted.id, "submission_id": submitted.submission_id, "provenance_id": submitted.id,
        "subscription_id": wanted.id, "event_id": session.scalar(event),
    }  # fmt: skip


def suspended(session: Session, professional_id: UUID, emergency_id: UUID) -> None:
    """A colleague who may declare no emergencies."""
    session.add(EmergencySuspension(professional_id=professional_id, emergency_id=emergency_id))


def account(renhice: Renhice, who: Identity) -> Ids:
    """Another session of somebody, and a passkey of theirs."""
    with renhice.database.unit_of_work() as session:
        open_session(session, renhice.sealer, who, "Firefox/1", life_of(renhice.settings, staff=who.staff))
        subject = subject_of(renhice.sealer, who)
        newest = select(PortalSession.id).where(PortalSession.subject == subject).order_by(PortalSession.id.desc())
        key = Passkey(
            id=new_id(), subject=subject_of(renhice.sealer, replace(who, staff=True)), credential_id=new_id().bytes,
            public_key=b"-", sign_count=0, acr=2, copied=False, sealed_identity=b"-", name="Celular",
        )  # fmt: skip
        session.add(key)
        session.flush()
        return {"session_id": session.scalars(newest).first(), "passkey_id": key.id}


def stewards(world: World, register: Register, other: Steward) -> Ids:
    """For a steward: an open case, a decision a colleague made, and one that waits for a second steward."""
    cases = []
    for seed in (3, 4, 5):
        facts = replace(human(seed), documents=())
        home = register(facts, world.asking)
        placed = register(doubtful(facts), world.holding)
        query = select(PossibleMatch.id).where(PossibleMatch.source_record_id == placed[1])
        cases.append((world.transact(lambda session, query=query: session.scalars(query).one()), home[0]))
    strict = replace(engine_of(world.renhice), four_eyes_above=1)

    def judge(case_id: UUID, verdict: Any) -> UUID:
        judgement = Judgement(verdict=verdict, grounds=Grounds(reason="other", note="x"))
        return world.transact(lambda session: decide(session, strict, other, case_id, judgement)).id

    return {
        "case_id": cases[0][0], "decision_id": judge(cases[1][0], "different"),
        "waiting_id": judge(cases[2][0], "same"), "joinable_id": cases[0][1],
    }  # fmt: skip
