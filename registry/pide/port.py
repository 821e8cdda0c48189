"""The port to the State's identity registry, and what an answer of it is worth."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from matching.records import Document

_DEATH = re.compile(r"FALLEC|DEFUN|MUERT", re.IGNORECASE)


UNSUPPORTED = "unsupported-document"
"""Why a check is unverified for good: the registry does not know documents of that kind or form."""


class Status(StrEnum):
    """What a check established about a document number; never whether the patient is its holder."""

    VERIFIED = "verified"
    NOT_FOUND = "not-found"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Names:
    """The holder's names as the identity registry writes them; many people have one surname."""

    paternal_surname: str | None
    maternal_surname: str | None
    given_names: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityCheck:
    """One answer. `restriction` is RENIEC's word (a death, an interdiction); `reason` says why it is unverified."""

    status: Status
    fetched_at: datetime
    source: str
    names: Names | None = None
    restriction: str | None = None
    reason: str | None = None

    @property
    def deceased(self) -> bool:
        """Whether the restriction is a death."""
        return self.found and self.restriction is not None and _DEATH.search(self.restriction) is not None

    @property
    def found(self) -> bool:
        """Whether the number belongs to somebody."""
        return self.status is Status.VERIFIED


class IdentityRegistry(Protocol):
    """Confirms a document number; implementations answer `unverified` where they can't tell, and never raise."""

    def lookup(self, document: Document) -> IdentityCheck:
        """What is known of the holder of that document."""
