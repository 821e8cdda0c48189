"""The patient identity feed: conditional update by the establishment's own number (IHE PIXm ITI-104)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qs
from uuid import UUID

from registry.access import Caller
from registry.database import session
from registry.directory.service import get_establishment
from registry.errors import Conflict, InvalidInput
from registry.fhir.patient_answers import get_own, unknown
from registry.fhir.patient_links import replacement_of
from registry.fhir.patient_reading import local_numbers, to_content
from registry.fhir.preconditions import ANY_VERSION, Preconditions
from registry.fhir.systems import is_document_system
from registry.fhir.validation import validate
from registry.fhir.wire import Json, fail, is_text
from registry.identity.duplicates import Duplicate, resolve_duplicate
from registry.identity.records import find_own_id
from registry.identity.service import (
    Content,
    Engine,
    Outcome,
    OwnRecord,
    Registration,
    VersionMismatch,
    find_own_record,
    register_source_record,
)

MAX_NUMBER = 64
REVISED = "identity:record:received"


class AlreadyThere(Conflict):
    """A record of that local number is kept; it is revised with PUT."""

    code = "record-exists"
    fhir_code = "duplicate"

    def __init__(self) -> None:
        hint = "Revise it with PUT /fhir/Patient?identifier=, or send If-None-Exist."
        super().__init__("Your establishment has a record of that local number.", hint=hint)


def parse_identifier(query: str | None, own_system: str) -> str:
    """The local number out of `identifier=system|value`; raises InvalidInput for all but the caller's own system."""
    if not query:
        raise InvalidInput(
            "Say whose record this is: PUT /fhir/Patient?identifier=<your system>|<local number>.",
            code="identifier-missing",
        )
    system, bar, number = query.partition("|")
    if not bar or not system or not number.strip() or "|" in number or len(number) > MAX_NUMBER or not is_text(query):
        raise InvalidInput("identifier must be <system>|<value>.", code="identifier-malformed")
    if is_document_system(system):
        raise InvalidInput(
            "An identity document never stands in a URL, and is no local number.",
            code="identifier-is-a-document",
            hint="Send it in the body, and your own local number in the URL.",
        )
    if system != own_system:
        raise InvalidInput("This identifier system is not your establishment's.", code="identifier-system-unknown")
    return number.strip()


def refuse_documents(queries: Iterable[str]) -> None:
    """Refuse the number of a document in an address; raises InvalidInput."""
    for query in queries:
        for value in query.split(","):
            system, _, number = value.partition("|")
            if number and is_document_system(system):
                raise InvalidInput(
                    "An identity document never stands in a URL.",
                    code="identifier-is-a-document",
                    hint="Search with POST /fhir/Patient/_search or POST /fhir/Patient/$match.",
                )


def create(engine: Engine, caller: Caller, patient: Json, if_none_exist: str | None) -> Outcome:
    """Register the patient of a local number that is new here (FHIR R4 create).

    One that is there already is left as it is: named in `If-None-Exist`, it is the answer (conditional create), else
    AlreadyThere is raised.
    """
    validate(patient, "Patient")
    system = _system(caller)
    numbers = local_numbers(patient, system)
    if len(numbers) != 1:
        fail("Patient.identifier", f"must hold one local number of the system {system}")
    if if_none_exist is not None:
        named = parse_qs(if_none_exist.lstrip("?"))
        if set(named) != {"identifier"} or [parse_identifier(one, system) for one in named["identifier"]] != numbers:
            raise InvalidInput("If-None-Exist must be identifier=<system>|<local number>, the one in the body.")
        known = _known(engine, caller, numbers[0])
        if known is not None:
            return known
    try:
        return _take(engine, caller, (system, numbers[0]), patient, Preconditions(None, "*"))
    except VersionMismatch:
        raise AlreadyThere from None


def _known(engine: Engine, caller: Caller, number: str) -> Outcome | None:
    record_id = find_own_id(session(), engine.sealer, caller.establishment_id, number)
    if record_id is None:
        return None
    own = get_own(caller, record_id)
    if own is None:
        return None
    member = own.member
    return Outcome(record_id, own.person_id, member.version, member.received_at, "unchanged", created=False)


def feed_by_identifier(
    engine: Engine, caller: Caller, query: str | None, patient: Json, preconditions: Preconditions
) -> Outcome:
    """Add or revise the record of a local number, or say that it is a duplicate; the body carries the same number."""
    return feed_number(engine, caller, parse_identifier(query, _system(caller)), patient, preconditions)


def feed_number(
    engine: Engine, caller: Caller, number: str, patient: Json, preconditions: Preconditions = ANY_VERSION,
    said_at: datetime | None = None,
) -> Outcome:  # fmt: skip
    """The same for a local number that was read already; `said_at` is when the sender last changed the patient."""
    return _take(engine, caller, (_system(caller), number), patient, preconditions, said_at)


def feed_by_id(engine: Engine, caller: Caller, record_id: UUID, patient: Json, preconditions: Preconditions) -> Outcome:
    """The same for one's own record by its id; raises NotFound for one that is not there or not the caller's."""
    own = _own(engine, caller, record_id)
    if patient.get("id") != str(record_id):
        fail("Patient.id", "must be the id in the URL")
    content = own.member.content
    return _take(engine, caller, (content.local_system, content.local_number), patient, preconditions)


def remove_by_identifier(engine: Engine, caller: Caller, query: str | None, preconditions: Preconditions) -> Outcome:
    """Take the record of a local number out of use (ITI-104, remove); it is kept as inactive, nothing is deleted."""
    number = parse_identifier(query, _system(caller))
    record_id = find_own_id(session(), engine.sealer, caller.establishment_id, number)
    if record_id is None:
        raise unknown(caller, REVISED, None)
    return remove_by_id(engine, caller, record_id, preconditions)


def remove_by_id(engine: Engine, caller: Caller, record_id: UUID, preconditions: Preconditions) -> Outcome:
    """The same for one's own record by its id; raises NotFound."""
    member = _own(engine, caller, record_id).member
    removal = _registration(caller, member.content, preconditions)
    return register_source_record(session(), engine, replace(removal, active=False, replaced_by=member.replaced_by))


def _system(caller: Caller) -> str:
    return get_establishment(session(), caller.establishment_id).identifier_system


def _own(engine: Engine, caller: Caller, record_id: UUID) -> OwnRecord:
    own = find_own_record(session(), engine.sealer, caller.establishment_id, record_id)
    if own is None:
        raise unknown(caller, REVISED, record_id)
    return own


def _take(
    engine: Engine, caller: Caller, key: tuple[str, str], patient: Json, preconditions: Preconditions,
    said_at: datetime | None = None,
) -> Outcome:  # fmt: skip
    system, number = key
    validate(patient, "Patient")
    if local_numbers(patient, system) != [number]:
        fail("Patient.identifier", "must hold the local number of the URL, once")
    survivor = replacement_of(caller, patient, system)
    if survivor is not None:
        return _resolve(engine, caller, number, survivor, preconditions)
    registration = _registration(caller, to_content(patient, system, number), preconditions)
    taken = replace(registration, active=patient.get("active", True), said_at=said_at)
    return register_source_record(session(), engine, taken)


def _resolve(engine: Engine, caller: Caller, number: str, survivor: UUID, preconditions: Preconditions) -> Outcome:
    duplicate = Duplicate(
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        local_number=number,
        survivor_id=survivor,
        token_id=caller.token_id,
        expected_version=preconditions.expected_version(),
    )
    return resolve_duplicate(session(), engine, duplicate)


def _registration(caller: Caller, content: Content, preconditions: Preconditions) -> Registration:
    return Registration(
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        content=content,
        token_id=caller.token_id,
        expected_version=preconditions.expected_version(),
    )
