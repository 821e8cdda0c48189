"""The content of a source record version: its canonical bytes, sealed under the record's own data key."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from pydantic_core import from_json, to_json

from matching.records import Demographics, Document, DocumentType

T = TypeVar("T")
_TYPES: Mapping[str, DocumentType] = {kind.value: kind for kind in DocumentType}


@dataclass(frozen=True, slots=True)
class Aside:
    """What a record says that tells nobody apart: given back to its own establishment, and compared with nothing."""

    district: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    work_phone: str | None = None
    mother_given_names: str | None = None


NOTHING_ASIDE = Aside()
_ASIDE = sorted(field.name for field in fields(Aside))


@dataclass(frozen=True, slots=True)
class Content:
    """What a record system says of a patient under its local number."""

    local_system: str
    local_number: str
    demographics: Demographics
    deceased: str | None = None
    """That the patient has died: the day or moment as FHIR writes it, or `true` where only that is known."""
    born_in: str | None = None
    """The year or month of birth as FHIR writes it, where no more is known; the birth date is then 1 January."""
    mother_number: str | None = None
    """The mother's local number in the same establishment."""
    aside: Aside = NOTHING_ASIDE

    @property
    def born(self) -> str | None:
        """The birth date as it was said, as FHIR writes it."""
        day = self.demographics.birth_date
        return self.born_in or (day.isoformat() if day else None)


def seal_context(version: int) -> str:
    """What binds sealed bytes to their row."""
    return f"source-record:{version}"


def local_domain(establishment_id: UUID) -> str:
    """The blind domain of local numbers: the same number in two establishments gives two tokens."""
    return f"local:{establishment_id}"


def to_bytes(content: Content) -> bytes:
    """Canonical JSON, its names in alphabetical order: equal contents give equal bytes."""
    facts = content.demographics
    body = {
        "address": facts.address,
        **_if_said("aside", _aside(content.aside)),
        "birth_date": facts.birth_date.isoformat() if facts.birth_date else None,
        **_if_said("born_in", content.born_in),
        **_if_said("deceased", content.deceased),
        "documents": [_document(document) for document in facts.documents],
        "given_names": facts.given_names,
        "married_surname": facts.married_surname,
        "maternal_surname": facts.maternal_surname,
        "mother_document": _document(facts.mother_document) if facts.mother_document else None,
        **_if_said("mother_number", content.mother_number),
        "multiple_birth_order": facts.multiple_birth_order,
        "number": content.local_number,
        "paternal_surname": facts.paternal_surname,
        "phone": facts.phone,
        "sex": facts.sex,
        "system": content.local_system,
        "ubigeo": facts.ubigeo,
    }
    return to_json(body)


def from_bytes(plaintext: bytes) -> Content:
    """The content `to_bytes` wrote."""
    body: dict[str, Any] = from_json(plaintext)
    born, mother = body["birth_date"], body["mother_document"]
    demographics = Demographics(
        documents=tuple([_read_document(item) for item in body["documents"]]),
        paternal_surname=body["paternal_surname"],
        maternal_surname=body["maternal_surname"],
        married_surname=body["married_surname"],
        given_names=body["given_names"],
        sex=body["sex"],
        birth_date=date.fromisoformat(born) if born else None,
        ubigeo=body["ubigeo"],
        address=body["address"],
        phone=body["phone"],
        mother_document=_read_document(mother) if mother else None,
        multiple_birth_order=body["multiple_birth_order"],
    )
    return Content(
        body["system"],
        body["number"],
        demographics,
        body.get("deceased"),
        body.get("born_in"),
        body.get("mother_number"),
        Aside(**body["aside"]) if "aside" in body else NOTHING_ASIDE,
    )


def _if_said(name: str, value: T | None) -> dict[str, T]:
    return {} if value is None else {name: value}


def _aside(aside: Aside) -> dict[str, str] | None:
    if aside is NOTHING_ASIDE:
        return None
    return {name: value for name in _ASIDE if (value := getattr(aside, name)) is not None} or None


def _document(document: Document) -> dict[str, str]:
    return {"country": document.country, "number": document.number, "type": document.type.value}


def _read_document(body: Mapping[str, str]) -> Document:
    return Document(_TYPES[body["type"]], body["number"], body["country"])
