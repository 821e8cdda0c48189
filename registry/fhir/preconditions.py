"""Which version of a resource a change is meant for (RFC 9110 §13.1; FHIR R4, Managing Resource Contention)."""

import re
from dataclasses import dataclass

from registry.errors import InvalidInput

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


ANY_VERSION = Preconditions(None, None)
