"""A person's mobile telephone, as far as whoever asks could not have written it there."""

import re
from uuid import UUID

from sqlalchemy.orm import Session

from registry.identity.service import load_person
from registry.locator.service import locate
from registry.sealing import Sealer

_SIGNS = re.compile(r"[^\d+]", re.ASCII)
_PREFIX = re.compile(r"(?:\+|00)?51(?=9\d{8}\Z)", re.ASCII)
_MOBILE = re.compile(r"9\d{8}", re.ASCII)


def mobile_number(text: str | None) -> str | None:
    """A Peruvian mobile in E.164 (`+519…`), however written; None for a land line, another country's, or none."""
    digits = _SIGNS.sub("", (text or "")[:40])
    digits = digits[found.end() :] if (found := _PREFIX.match(digits)) else digits
    return f"+51{digits}" if _MOBILE.fullmatch(digits) else None


def find_mobile(session: Session, sealer: Sealer, person_id: UUID, besides: UUID | None = None) -> str | None:
    """The mobile most recently stated by an active record of the person; None when there is none.

    Records of the establishment `besides`, the one that asks, don't count: no code goes to a number that whoever asks
    could have written for themselves. Nor do records that may be somebody else's.
    """
    person = load_person(session, sealer, person_id)
    doubtful = {holder.source_record_id for holder in locate(session, person_id) if holder.contested}
    stated = [
        (one.received_at, number)
        for one in (person.members if person else ())
        if one.active and one.establishment_id != besides and one.record_id not in doubtful
        if (number := mobile_number(one.content.demographics.phone)) is not None
    ]
    return max(stated)[1] if stated else None
