"""Permitting less than was asked: fewer categories, an earlier end. Pure; it can never yield more."""

from dataclasses import dataclass
from datetime import datetime

from registry.errors import Unprocessable


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What a person permits of what was asked; None leaves that part as asked."""

    categories: frozenset[str] | None = None
    ends_at: datetime | None = None

    def of_categories(self, asked: frozenset[str] | None) -> frozenset[str] | None:
        """The categories permitted of those asked (None: all); raises Unprocessable for none, or for any not asked."""
        if self.categories is None:
            return asked
        if not self.categories or (asked is not None and not self.categories <= asked):
            raise Unprocessable("Permit at least one of the categories asked for, and no other.", code="not-narrower")
        return self.categories

    def of_end(self, asked: datetime | None) -> datetime | None:
        """The end permitted; raises Unprocessable for a later one than was asked."""
        if self.ends_at is None:
            return asked
        if asked is not None and self.ends_at > asked:
            raise Unprocessable("What is permitted ends no later than what was asked for.", code="not-narrower")
        return self.ends_at


AS_ASKED = Narrowing()
"""All that was asked for."""
