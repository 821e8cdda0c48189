"""Consents as a record system may see them: those that name its establishment as the grantee, and no other.

That somebody objected, what they permit to others, or that a person exists can't be told from the answers: what is not
the caller's and what is not there look the same, and a search finds nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.directives import Kind
from consent_broker.consents.fhir_consent import STATES, STATES_OF_R4, STATUS, Json, consent
from consent_broker.consents.models import ConsentVersion
from consent_broker.consents.states import ConsentState, get_consent, list_consents, list_versions
from consent_broker.consents.vocabulary import Status
from registry.access import Caller
from registry.app import parts
from registry.audit.event import Event
from registry.audit.service import record
from registry.directory.service import list_establishments
from registry.errors import InvalidInput, NotFound
from registry.fhir import systems
from registry.fhir.history import History, Version
from registry.fhir.values import read_reference, read_token, read_uuid
from registry.identity.service import find_own_record, find_person, list_person_ids

READ, SEARCHED = "consent:directive:read", "consent:directive:searched"
_KNOWN = {systems.PERSON, systems.SOURCE_RECORD}


def read(session: Session, caller: Caller, consent_id: UUID, version: int | None = None) -> Json:
    """A consent that names the caller's establishment, or one version of it; raises NotFound. Audited."""
    found = own_consent(session, caller, consent_id)
    shown = found if version is None else _as_of(session, found, version)
    _account(session, caller, READ, found.terms.person_id, found.id)
    return _shown(session, [shown])[0]


def own_consent(session: Session, caller: Caller, consent_id: UUID) -> ConsentState:
    """The newest state of a consent that names the caller's establishment; raises NotFound, audited."""
    try:
        found = get_consent(session, consent_id)
    except NotFound:
        found = None
    if found is None or not _names(found, caller):
        refusal = Event(
            action=READ,
            outcome="refused",
            reason="unknown-consent",
            establishment_id=caller.establishment_id,
            client_id=caller.client_id,
            token_id=caller.token_id,
            actor_role="record-system",
        )
        raise NotFound("There is no such consent.", code="unknown-consent", audit=refusal)
    return found


def history(session: Session, caller: Caller, consent_id: UUID) -> History:
    """The versions of a consent that names the caller's establishment; raises NotFound. Audited."""
    found = own_consent(session, caller, consent_id)
    _account(session, caller, READ, found.terms.person_id, found.id)
    versions = [Version(one.version, one.recorded_at) for one in reversed(list_versions(session, consent_id))]
    return History(versions, lambda numbers: _shown(session, [_as_of(session, found, one) for one in numbers]))


def search(session: Session, caller: Caller, parameters: Mapping[str, str]) -> list[Json]:
    """Consents of one patient that name the caller's establishment (ITI-108); empty for an unknown patient. Audited.

    Understood are `patient`, `patient.identifier`, `actor` and `status`; others are ignored, as the profile asks.
    Raises InvalidInput without a patient, for a document number, which stays out of addresses, and for a status that is
    none of FHIR R4.
    """
    person_id = _patient(session, caller, parameters)
    statuses = _statuses(parameters.get("status", ""))
    actors = list(filter(None, parameters.get("actor", "").split(",")))
    found = list_consents(session, list_person_ids(session, person_id)) if person_id else []
    wanted = [one for one in found if _names(one, caller) and _matches(one, statuses, actors)]
    _account(session, caller, SEARCHED, person_id if wanted else None, None)
    return _shown(session, wanted)


def _names(state: ConsentState, caller: Caller) -> bool:
    return state.terms.kind is Kind.PERMISSION and state.terms.establishment_id == caller.establishment_id


def _matches(state: ConsentState, statuses: Collection[str], actors: Collection[str]) -> bool:
    named = (("Organization", state.terms.establishment_id), ("Practitioner", state.terms.professional_id))
    acting = any(read_reference(actor, kind) == str(one) for actor in actors for kind, one in named)
    return (not statuses or STATUS[state.status] in statuses) and (not actors or acting)


def _statuses(sent: str) -> set[str]:
    """The statuses a search is for; a word that is none would find nothing, which reads as no consent: InvalidInput."""
    tokens = [read_token(one) for one in filter(None, sent.split(","))]
    if not all(one.system in {None, "", STATES} and one.code in {None, *STATES_OF_R4} for one in tokens):
        words = ", ".join(sorted(STATES_OF_R4))
        raise InvalidInput(f"A status is one of {words}, alone or as {STATES}|code.", code="unknown-status")
    return set[str]().union(*({one.code} if one.code else STATES_OF_R4 for one in tokens))


def _patient(session: Session, caller: Caller, parameters: Mapping[str, str]) -> UUID | None:
    """The person a search is about, None for nobody known."""
    reference, identifier = parameters.get("patient"), parameters.get("patient.identifier")
    if (reference is None) == (identifier is None):
        raise InvalidInput("Name the patient by patient or by patient.identifier.", code="patient-missing")
    wanted = read_uuid(
        _identified(identifier) if identifier is not None else read_reference(reference or "", "Patient")
    )
    if wanted is None:
        return None
    own = find_own_record(session, parts().sealer, caller.establishment_id, wanted)
    person = find_person(session, own.person_id if own else wanted)
    return person.id if person else None


def _identified(identifier: str) -> str:
    system, _, value = identifier.rpartition("|")
    if system not in _KNOWN:
        raise InvalidInput(
            "Name the patient by an id of the registry.", code="patient-identifier", hint="Use POST Patient/$match."
        )
    return value


def _as_of(session: Session, state: ConsentState, version: int) -> ConsentState:
    row = session.get(ConsentVersion, (state.id, version)) if 0 < version < 2**31 else None
    if row is None:
        raise NotFound("There is no such version.", code="unknown-consent")
    terms = replace(
        state.terms,
        categories=_set(row.categories),
        purposes=_set(row.purposes),
        labels=_set(row.labels),
        sources=frozenset(row.sources) if row.sources is not None else None,
        items=_set(row.items),
        data_from=row.data_from,
        data_until=row.data_until,
        ends_at=row.ends_at,
    )
    return replace(
        state,
        version=row.version,
        status=Status(row.status),
        terms=terms,
        starts_at=row.starts_at,
        recorded_at=row.recorded_at,
        reason=row.reason,
    )


def _set(found: Iterable[str] | None) -> frozenset[str] | None:
    return None if found is None else frozenset(found)


def _shown(session: Session, states: Sequence[ConsentState]) -> list[Json]:
    places = {one.terms.establishment_id for one in states if one.terms.establishment_id}
    places |= {source for one in states for source in one.terms.sources or ()}
    codes = {place.id: place.renipress for place in list_establishments(session, places)}
    rows = [session.get_one(ConsentVersion, (one.id, one.version)) for one in states]
    base_url = parts().settings.base_url
    return [consent(state, row, base_url, codes) for state, row in zip(states, rows, strict=True)]


def _account(session: Session, caller: Caller, action: str, person_id: UUID | None, consent_id: UUID | None) -> None:
    record(
        session,
        Event(
            action=action,
            person_id=person_id,
            establishment_id=caller.establishment_id,
            client_id=caller.client_id,
            token_id=caller.token_id,
            actor_role="record-system",
            consent_id=consent_id,
        ),
    )
