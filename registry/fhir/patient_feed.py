"""The patient identity feed: conditional update by the establishment's own number (IHE PIXm ITI-104)."""

import re
from dataclasses import dataclass
from uuid import UUID

from registry.access import Caller
from registry.database import session
from registry.directory.service import get_establishment
from registry.errors import InvalidInput, Unprocessable
from registry.fhir.patient_answers import unknown
from registry.fhir.patient_reading import local_numbers, to_deceased, to_demographics
from registry.fhir.systems import is_document_system
from registry.fhir.validation import validate_patient
from registry.fhir.wire import Json, fail, is_text
from registry.identity.service import Content, Engine, Outcome, Registration, find_own_record, register_source_record

MAX_NUMBER = 64
REVISED = "identity:record:received"
_ENTITY_TAG = re.compile(r'(?:W/)?"(\d{1,9})"')


@dataclass(frozen=True, slots=True)
class Preconditions:
    """If-Match and If-None-Match as they were sent."""

    if_match: str | None
    if_none_match: str | None

    def expected_version(self) -> int | None:
        """The version the caller wants to replace, 0 for none, None for any; raises InvalidInput."""
        if self.if_none_match is not None:
            if self.if_none_match.strip() != "*":
                raise InvalidInput("If-None-Match must be *.")
            return 0
        if self.if_match is None:
            return None
        found = _ENTITY_TAG.fullmatch(self.if_match.strip())
        if found is None:
            raise InvalidInput('If-Match must be the ETag of a version, such as W/"2".')
        return int(found[1])


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


def feed_by_identifier(
    engine: Engine, caller: Caller, query: str | None, patient: Json, preconditions: Preconditions
) -> Outcome:
    """Add or revise the record of a local number; the body must carry the same identifier."""
    system = get_establishment(session(), caller.establishment_id).identifier_system
    number = parse_identifier(query, system)
    return _register(engine, caller, _content(patient, system, number), patient, preconditions)


def feed_by_id(engine: Engine, caller: Caller, record_id: UUID, patient: Json, preconditions: Preconditions) -> Outcome:
    """Revise one's own record by its id; raises NotFound for one that is not there or not the caller's."""
    own = find_own_record(session(), engine.sealer, caller.establishment_id, record_id)
    if own is None:
        raise unknown(caller, REVISED, record_id)
    if patient.get("id") != str(record_id):
        fail("Patient.id", "must be the id in the URL")
    system, number = own.member.content.local_system, own.member.content.local_number
    return _register(engine, caller, _content(patient, system, number), patient, preconditions)


def _content(patient: Json, system: str, number: str) -> Content:
    validate_patient(patient)
    _refuse_resolution(patient)
    if local_numbers(patient, system) != [number]:
        fail("Patient.identifier", "must hold the local number of the URL, once")
    return Content(system, number, to_demographics(patient, local_system=system), to_deceased(patient))


def _refuse_resolution(patient: Json) -> None:
    links = [link for link in patient.get("link", []) if isinstance(link, dict)]
    if any(link.get("type") in {"replaced-by", "replaces"} for link in links):
        raise Unprocessable("Resolving duplicates by link is not offered yet.", code="not-offered")


def _register(engine: Engine, caller: Caller, content: Content, patient: Json, preconditions: Preconditions) -> Outcome:
    registration = Registration(
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        content=content,
        active=patient.get("active", True),
        token_id=caller.token_id,
        expected_version=preconditions.expected_version(),
    )
    return register_source_record(session(), engine, registration)
