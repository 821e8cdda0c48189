"""What the engine is given of a person: demographics as a source wrote them, before any normalisation."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Literal

Sex = Literal["M", "F"]


class DocumentType(StrEnum):
    """Kinds of identity document in use in Peru (peruvian HIS codes map onto these)."""

    DNI = "DNI"
    CE = "CE"
    PASSPORT = "PASSPORT"
    PTP = "PTP"
    CNV = "CNV"
    FOREIGN_ID = "FOREIGN_ID"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Document:
    """A document number as evidence of identity; `country` is the issuer, ISO 3166 alpha-3."""

    type: DocumentType
    number: str
    country: str = "PER"

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is sent to another process: what a dataclass does by itself takes several times as long."""
        return Document, (self.type, self.number, self.country)


@dataclass(frozen=True, slots=True)
class Demographics:
    """One source's words about one patient; every field may be missing."""

    documents: tuple[Document, ...] = ()
    paternal_surname: str | None = None
    maternal_surname: str | None = None
    married_surname: str | None = None
    given_names: str | None = None
    sex: Sex | None = None
    birth_date: date | None = None
    ubigeo: str | None = None
    address: str | None = None
    phone: str | None = None
    mother_document: Document | None = None
    multiple_birth_order: int | None = None
