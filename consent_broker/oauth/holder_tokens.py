"""Who holds records of a person, and the token each of them is shown: one a holder, for its own patient id only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import and_
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.consents.decision import Decision
from consent_broker.consents.policy import policy_uri
from consent_broker.consents.residual import as_claim, residual
from consent_broker.consents.vocabulary import ALL_CATEGORIES, FHIR_TYPES, PATIENT_REQUEST, scope_of
from consent_broker.oauth.grants import Reader
from consent_broker.oauth.rfc9068_tokens import IssuedToken, TokenSpec, issue_token, issue_tokens
from consent_broker.oauth.rfc9396_rar import load_details
from consent_broker.oauth.standing import PORTAL_CLIENT
from registry.audit.event import Event
from registry.directory.models import Establishment
from registry.directory.parties import ADDRESS, Party, get_party
from registry.fhir.systems import RENIPRESS
from registry.identity.models import SourceRecord
from registry.locator.service import HOLDERS
from registry.questions import Question

PURPOSE_SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_SERVED = and_(Establishment.id == SourceRecord.establishment_id, Establishment.active)
_HOLDERS = Question(HOLDERS.join(Establishment, _SERVED).add_columns(*ADDRESS))


@dataclass(frozen=True, slots=True)
class Holder:
    """An establishment that holds records of a person, under the id both sides know them by.

    `contested` when the record's document may be somebody else's: such a holder is named and not asked.
    """

    establishment_id: UUID
    renipress: str
    name: str
    endpoint: str | None
    source_record_id: UUID
    contested: bool = False
    pide_service: str | None = None
    """By which service of PIDE it is asked; None: at `endpoint` itself."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A holder, the token it will be shown, the FHIR types it is asked for, and what of them is to be withheld."""

    holder: Holder
    token: IssuedToken
    types: tuple[str, ...]
    residual: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who reads whom, for what. `grant_id` and its `consent_id` for an OAuth grant, `client_id` None for the portal."""

    establishment_id: UUID
    professional_id: UUID | None
    person_id: UUID
    purpose: str
    client_id: str | None = None
    grant_id: UUID | None = None
    consent_id: UUID | None = None
    details: Mapping[str, Any] | None = None
    """What was granted exactly, when it was asked so (RFC 9396)."""

    @property
    def reader(self) -> Reader:
        """The reader the decision is about."""
        return Reader(
            establishment_id=self.establishment_id,
            professional_id=self.professional_id,
            purpose=self.purpose,
            client_id=self.client_id,
            consent_id=self.consent_id,
        )


@dataclass(frozen=True, slots=True)
class Permitted:
    """A decision that permits something, who asks as holders may know them, and what is still to be audited of it."""

    decision: Decision
    party: Party
    unrecorded: Sequence[Event] = ()


def find_holders(session: Session, person_id: UUID) -> list[Holder]:
    """Every active establishment with a source record of the person, one entry a record."""
    return [
        Holder(
            establishment_id=establishment_id,
            renipress=renipress,
            name=name,
            endpoint=endpoint,
            source_record_id=source_record_id,
            contested=contested,
            pide_service=pide_service,
        )
        for establishment_id, source_record_id, _, contested, renipress, name, endpoint, pide_service in _HOLDERS.ask(
            session, person_id=person_id
        )
    ]


def issue_ticket(
    session: Session, broker: Broker, access: Access, decision: Decision, holder: Holder, *, jkt: str | None = None
) -> Ticket:
    """A holder token: aud its FHIR base, patient its source record, scopes what is permitted of it, act who reads.

    Bound to `jkt` where a client presents it itself, else to the gateway's key.
    """
    permitted = Permitted(decision, get_party(session, access.establishment_id, access.professional_id))
    return issue_tickets(session, broker, access, permitted, [holder], jkt=jkt)[0]


def issue_tickets(
    session: Session,
    broker: Broker,
    access: Access,
    permitted: Permitted,
    holders: Sequence[Holder],
    *,
    jkt: str | None = None,
) -> list[Ticket]:
    """`issue_ticket` for each of the holders, in their order, with as many statements as one takes."""
    drafts = [_draft(broker, access, permitted.decision, holder, permitted.party) for holder in holders]
    specs = [replace(draft.spec, jkt=jkt) if jkt else draft.spec for draft in drafts]
    tokens = issue_tokens(session, broker, specs, permitted.unrecorded)
    return [
        Ticket(draft.holder, token, draft.types, tuple(draft.spec.residual or ()))
        for draft, token in zip(drafts, tokens, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Draft:
    """What a token for a holder will say, and the types it is for."""

    holder: Holder
    spec: TokenSpec
    types: tuple[str, ...]


def _draft(broker: Broker, access: Access, decision: Decision, holder: Holder, party: Party) -> _Draft:
    categories = decision.categories_at(holder.establishment_id)
    forbidden = as_claim(residual(decision, holder.establishment_id), categories)
    claims = _decided_claims(broker, access, decision, holder, party, forbidden)
    if access.details is not None:
        claims["authorization_details"] = [_details(access.details, categories, holder)]
    spec = _spec(broker, access, decision, holder, claims)
    spec = replace(spec, scopes=frozenset(map(scope_of, categories)), residual=forbidden)
    return _Draft(holder, spec, tuple(sorted(FHIR_TYPES[category] for category in categories)))


def issue_document_ticket(
    session: Session, broker: Broker, access: Access, decision: Decision, holder: Holder, resource_type: str
) -> Ticket:
    """A holder token that reads one type by id, for a document that was decided whole; the gateway alone presents it.

    It says nothing of a residual, since nobody can take anything out of a document; it stands while what is withheld
    of the document's categories stays the same.
    """
    party = get_party(session, access.establishment_id, access.professional_id)
    claims = _decided_claims(broker, access, decision, holder, party, [])
    spec = _spec(broker, access, decision, holder, claims)
    withheld = as_claim(residual(decision, holder.establishment_id), decision.categories)
    scopes = frozenset({f"patient/{resource_type}.r"})
    spec = replace(spec, scopes=scopes, residual=withheld, categories=decision.categories)
    return Ticket(holder, issue_token(session, broker, spec), (resource_type,), ())


def issue_own_ticket(session: Session, broker: Broker, person_id: UUID, holder: Holder) -> Ticket:
    """A holder token for the patient's own reading: all categories, nothing withheld, and nobody acts but they."""
    patient = str(holder.source_record_id)
    claims = {
        "patient": patient,
        "extensions": {
            "ihe_iua": {"purpose_of_use": [_purpose(PATIENT_REQUEST)], "person_id": patient},
            "ihe_pcf": {"patient_id": patient, "acp": [policy_uri(broker.issuer)], "residual": []},
        },
    }
    spec = TokenSpec(
        kind="holder",
        client_id=PORTAL_CLIENT,
        establishment_id=holder.establishment_id,
        audience=holder.endpoint or "",
        scopes=frozenset(map(scope_of, ALL_CATEGORIES)),
        subject=patient,
        jkt=broker.prover.thumbprint,
        person_id=person_id,
        purpose=PATIENT_REQUEST,
        patient=patient,
        holder_id=holder.establishment_id,
        source_record_id=holder.source_record_id,
        residual=[],
        claims=claims,
    )
    return Ticket(holder, issue_token(session, broker, spec), tuple(sorted(FHIR_TYPES.values())), ())


def _purpose(code: str) -> dict[str, str]:
    return {"system": PURPOSE_SYSTEM, "code": code}


def _spec(broker: Broker, access: Access, decision: Decision, holder: Holder, claims: Mapping[str, Any]) -> TokenSpec:
    """What every holder token says; its scopes are still to be said."""
    patient = str(holder.source_record_id)
    return TokenSpec(
        kind="holder",
        client_id=access.client_id or PORTAL_CLIENT,
        establishment_id=access.establishment_id,
        audience=holder.endpoint or "",
        scopes=frozenset(),
        subject=patient,
        jkt=broker.prover.thumbprint,
        grant_id=access.grant_id,
        person_id=access.person_id,
        professional_id=access.professional_id,
        purpose=access.purpose,
        patient=patient,
        holder_id=holder.establishment_id,
        consent_id=decision.consent_ids[0],
        source_record_id=holder.source_record_id,
        claims=claims,
    )


def _decided_claims(
    broker: Broker, access: Access, decision: Decision, holder: Holder, party: Party, forbidden: list[dict[str, Any]]
) -> dict[str, Any]:
    """Who reads whose record, by which consents and policy, and what is to be withheld (IHE IUA, PCF)."""
    patient = str(holder.source_record_id)
    organisation = f"{RENIPRESS}|{party.renipress}"
    iua: dict[str, Any] = {
        "subject_organization": party.name,
        "subject_organization_id": organisation,
        "purpose_of_use": [_purpose(access.purpose)],
        "person_id": patient,
    }
    if party.registration:
        iua["national_provider_identifier"] = party.registration
    pcf = {
        "patient_id": patient,
        "doc_id": [str(one) for one in decision.consent_ids],
        "acp": [policy_uri(broker.issuer)],
        "residual": forbidden,
    }
    actor = {"sub": party.registration or organisation}
    return {"patient": patient, "act": actor, "extensions": {"ihe_iua": iua, "ihe_pcf": pcf}}


def _details(granted: Mapping[str, Any], categories: frozenset[str], holder: Holder) -> dict[str, Any]:
    """What of the granted details one holder is to serve; of the others it learns nothing."""
    return replace(load_details(granted), categories=categories, establishments=(holder.renipress,)).as_json()
