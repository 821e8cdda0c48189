"""The lines of a file read as registrations, or refused by line and code; nothing of what they said is repeated."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, NamedTuple
from uuid import UUID

from matching.files import BadRow, Reading, Row, read_each
from matching.records import Demographics
from matching.schema import DEFAULT_SCHEMA, FileSchema, check_telling
from registry.calendar import read_instant
from registry.errors import DomainError
from registry.fhir.patient_feed import MAX_NUMBER
from registry.fhir.patient_reading import local_numbers, to_content
from registry.fhir.plain_patient import read_plain
from registry.fhir.validation import validate
from registry.fhir.wire import MAX_RESOURCE_BYTES, Json, fail, is_text, parse
from registry.identity.arrivals import Registration
from registry.identity.contents import Content

MOST_EXPRESSION = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Whose file it is, and when it was sent: a record that doesn't say when it was changed is as old as that."""

    establishment_id: UUID
    client_id: str
    token_id: str | None
    system: str
    sent_at: datetime
    code: str = ""
    """The establishment's RENIPRESS code, which each row of a CSV names."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that can't be registered: the code of why, and the element at fault where there is one."""

    line: int
    code: str
    expression: str | None = None


class Line(NamedTuple):
    """A line of the file as it was found: where the file goes on after it, and its bytes or what was made of them.

    Cheap to send to another process.
    """

    number: int
    after: int
    content: bytes | Registration | Refusal | None
    last: int
    """The last of its lines: a row of a CSV may have several."""


def split(file: BinaryIO, position: int, number: int) -> Iterator[Line]:
    """The lines of an NDJSON file that stands at `position`, after line `number`; a line too long is skipped whole."""
    while raw := file.readline(MAX_RESOURCE_BYTES + 2):
        position, number = position + len(raw), number + 1
        content: bytes | Refusal = raw
        if not raw.endswith(b"\n") and len(raw) > MAX_RESOURCE_BYTES:
            content = Refusal(number, "too-large")
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(MAX_RESOURCE_BYTES)
                position += len(raw)
        yield Line(number, position, content, number)


def read_line(source: Source, number: int, raw: bytes) -> Registration | Refusal | None:
    """What one NDJSON line says; None for an empty one."""
    if not raw.strip():
        return None
    try:
        plain = read_plain(raw)
        patient = validate(parse(raw), "Patient") if plain is None else plain
        return _registration(source, patient, plain=plain is not None)
    except DomainError as error:
        found = next((one["expression"] for one in error.details), None)
        return Refusal(number, error.error_code, found[:MOST_EXPRESSION] if found else None)


def _registration(source: Source, patient: Json, *, plain: bool) -> Registration:
    numbers = local_numbers(patient, source.system)
    if len(numbers) != 1 or len(numbers[0]) > MAX_NUMBER:
        fail("Patient.identifier", "must hold one local number of your establishment")
    if any(one.get("type") == "replaced-by" for one in patient.get("link") or []):
        fail("Patient.link", "a duplicate is resolved by the feed, one at a time")
    content = to_content(patient, source.system, numbers[0], plain=plain)
    return _make(source, content, active=patient.get("active", True), said_at=_said_at(patient, source))


def _said_at(patient: Json, source: Source) -> datetime:
    said = (patient.get("meta") or {}).get("lastUpdated")
    if not isinstance(said, str):
        return source.sent_at
    moment = read_instant(said)
    if moment is None:
        fail("Patient.meta.lastUpdated", "is not an instant")
    return min(moment, source.sent_at)


def read_rows(
    file: BinaryIO, source: Source, position: int, number: int, schema: FileSchema = DEFAULT_SCHEMA
) -> Iterator[Line]:
    """The rows of a CSV behind `position`, which is after line `number`, as `./renhice match` reads it; or FileError.

    Each is there as soon as it is read, bad ones and blank lines too: however many there are, none waits in memory.
    """
    reading = Reading(position=position, line=number)
    for one in read_each(file, schema.required, reading):
        check_telling(schema, reading)
        content = Refusal(one.line, "bad-row") if isinstance(one, BadRow) else _row(source, one, schema)
        yield Line(one.line, reading.position, content, reading.line)


def _row(source: Source, row: Row, schema: FileSchema) -> Registration | Refusal | None:
    if not row.cells:
        return None
    line, (establishment, local_id) = row.line, schema.identifiers(row)
    if establishment != source.code:
        return Refusal(line, "other-establishment", "establishment")
    if not local_id or len(local_id) > MAX_NUMBER or not is_text(local_id):
        return Refusal(line, "local-number-malformed", "local_id")
    demographics = schema.demographics(row)
    if not all(is_text(one) for one in _texts(demographics)):
        return Refusal(line, "control-characters")
    content = Content(source.system, local_id, demographics)
    return _make(source, content, active=True, said_at=source.sent_at)


def _texts(said: Demographics) -> Iterator[str]:
    """All that a row's columns may hold as free text."""
    named = (said.paternal_surname, said.maternal_surname, said.married_surname, said.given_names)
    for one in (*named, said.address, said.ubigeo, said.phone):
        yield one or ""
    for document in (*said.documents, said.mother_document):
        yield document.number if document else ""


def _make(source: Source, content: Content, *, active: bool, said_at: datetime) -> Registration:
    return Registration(
        establishment_id=source.establishment_id,
        client_id=source.client_id,
        token_id=source.token_id,
        content=content,
        active=active,
        said_at=said_at,
    )
