"""The operations on Patient: `$match` (ITI-119), `$ihe-pix` (ITI-83) and `$patient-location`."""

from uuid import UUID, uuid4

from matching.records import Document
from registry.access import Caller
from registry.app import parts
from registry.database import session
from registry.directory.service import get_establishment, list_establishments
from registry.errors import DomainError, Forbidden
from registry.fhir import systems
from registry.fhir.parameters import MatchQuery, PixQuery
from registry.fhir.patient_answers import account, refused, unknown
from registry.fhir.patient_identifiers import OURS, establishment_of, own_members, tellable_identifiers
from registry.fhir.patient_reading import to_demographics
from registry.fhir.patient_writing import recognisable
from registry.fhir.searching import searchset_of
from registry.fhir.wire import Json
from registry.identity.budgets import SearchBudgetSpent, Searcher, spend_search
from registry.identity.canaries import watch
from registry.identity.service import (
    LoadedPerson,
    Match,
    engine_of,
    find_by_local_number,
    find_own_record,
    find_person,
    load_person,
    match,
)
from registry.locator.hiding import hidden_links
from registry.locator.service import locate_for

MATCHED = "identity:person:matched"
LOCATED = "locator:person:located"


class UnknownAuthority(DomainError):
    """ITI-83 case 4: the source domain is not one of the registry's."""

    code = "unknown-assigning-authority"
    fhir_code = "code-invalid"


class UnknownTarget(DomainError):
    """ITI-83 case 5: a target domain is not one of the registry's."""

    code = "unknown-target-system"
    status = 403
    fhir_code = "code-invalid"


def match_patients(caller: Caller, query: MatchQuery) -> Json:
    """Persons like the Patient sent, best first, with score and grade (ITI-119); each is audited.

    Whoever sends a document number must also know a surname or the birth date of its holder: the registry is no
    directory of numbers. Otherwise the answer is empty, with a hint. Each number is a search of the budget. Raises
    SearchBudgetSpent.
    """
    refusal = refused(caller, MATCHED, SearchBudgetSpent.code, None)
    searcher = Searcher("client", caller.client_id)
    local_system = get_establishment(session(), caller.establishment_id).identifier_system
    wanted = to_demographics(query.patient, query.root, local_system)
    spend_search(session(), parts().settings, searcher, refusal, max(1, len(wanted.documents)))
    watch(session(), parts().settings, searcher, wanted.documents, refusal)
    found = match(
        session(), engine_of(parts()), wanted, count=query.count, only_certain=query.only_certain, corroborated=True
    )
    for one in found:
        account(caller, MATCHED, one.person.person_id)
    if not found:
        account(caller, MATCHED, None, count=0)
    entries = [_entry(one, wanted.documents) for one in found]
    says_more = found or wanted.birth_date or wanted.paternal_surname or wanted.maternal_surname
    hints = [] if says_more else [document_alone()]
    return searchset_of(entries + hints, total=len(entries))


def document_alone() -> Json:
    """Why a search found nobody, in the form FHIR has for it (R4 §3.1.1.5.4)."""
    issue = {
        "severity": "information",
        "code": "incomplete",
        "details": {"text": "A document number alone finds nobody: send a surname or the birth date too."},
    }
    return {
        "fullUrl": uuid4().urn,
        "resource": {"resourceType": "OperationOutcome", "issue": [issue]},
        "search": {"mode": "outcome"},
    }


def _entry(found: Match, sent: tuple[Document, ...]) -> Json:
    return {
        "fullUrl": f"{parts().settings.base_url}/fhir/Patient/{found.person.person_id}",
        "resource": recognisable(found.person, sent),
        "search": {
            "extension": [{"url": systems.MATCH_GRADE, "valueCode": found.grade}],
            "mode": "match",
            "score": round(found.score, 6),
        },
    }


def cross_reference(caller: Caller, query: PixQuery) -> Json:
    """The other identifiers of the person a patient identifier names (ITI-83).

    Raises UnknownAuthority (400), UnknownTarget (403) and NotFound (404) with the texts of the profile. The source is
    the caller's own number, its record's id, or a person's: another establishment's number is as unknown as none.
    """
    person = _source(caller, query)
    _check_targets(query.targets)
    if person is None:
        raise unknown(caller, MATCHED, None, "sourceIdentifier Patient Identifier not found")
    account(caller, MATCHED, person.person_id)
    identifiers = tellable_identifiers(caller, person, hidden_links(session(), person.person_id))
    wanted = [one for one in identifiers if _is_target(one, query)]
    references = [str(person.person_id), *(str(one.record_id) for one in own_members(caller, person))]
    parameters = [{"name": "targetIdentifier", "valueIdentifier": one} for one in wanted]
    parameters += [{"name": "targetId", "valueReference": {"reference": f"Patient/{one}"}} for one in references]
    return {"resourceType": "Parameters", "parameter": parameters} if wanted else {"resourceType": "Parameters"}


def _is_target(identifier: Json, query: PixQuery) -> bool:
    source = identifier["system"] == query.system and identifier["value"] == query.value
    return not source and (not query.targets or identifier["system"] in query.targets)


def _source(caller: Caller, query: PixQuery) -> LoadedPerson | None:
    if query.system in {systems.PERSON, systems.SOURCE_RECORD}:
        return _source_by_id(caller, query)
    establishment = None if systems.is_document_system(query.system) else establishment_of(query.system)
    if establishment is None:
        raise UnknownAuthority(
            "sourceIdentifier Assigning Authority not found", hint="Search by an identity document with POST $match."
        )
    if establishment != caller.establishment_id:
        return None
    return find_by_local_number(session(), parts().sealer, establishment, query.value)


def _source_by_id(caller: Caller, query: PixQuery) -> LoadedPerson | None:
    try:
        wanted = UUID(query.value)
    except ValueError:
        return None
    sealer = parts().sealer
    if query.system == systems.SOURCE_RECORD:
        own = find_own_record(session(), sealer, caller.establishment_id, wanted)
        return load_person(session(), sealer, own.person_id) if own else None
    current = find_person(session(), wanted)
    return load_person(session(), sealer, current.id) if current else None


def _check_targets(targets: frozenset[str]) -> None:
    if any(target not in OURS and establishment_of(target) is None for target in targets):
        raise UnknownTarget("targetSystem not found")


def locate_patient(caller: Caller, patient_id: UUID) -> Json:
    """Establishments that hold records of a person, given its id or that of one's own record.

    Where somebody is treated is told only to an establishment that holds a record of the same person, and never where
    the person hides it. Raises NotFound, Forbidden (audited).
    """
    own = find_own_record(session(), parts().sealer, caller.establishment_id, patient_id)
    person = find_person(session(), own.person_id if own else patient_id)
    if person is None:
        raise unknown(caller, LOCATED, patient_id)
    places = {holder.establishment_id for holder in locate_for(session(), person.id, caller.establishment_id)}
    if own is None and caller.establishment_id not in places:
        raise _not_held(caller, person.id)
    account(caller, LOCATED, person.id)
    found = [
        {
            "name": "establishment",
            "part": [
                {"name": "identifier", "valueIdentifier": {"system": systems.RENIPRESS, "value": place.renipress}},
                {"name": "name", "valueString": place.name},
            ],
        }
        for place in list_establishments(session(), places)
    ]
    return {"resourceType": "Parameters", **({"parameter": found} if found else {})}


def _not_held(caller: Caller, person_id: UUID) -> Forbidden:
    return Forbidden(
        "Your establishment holds no record of this patient.",
        code="no-record-held",
        hint="Register the patient with PUT /fhir/Patient first.",
        audit=refused(caller, LOCATED, "no-record-held", person_id),
    )
