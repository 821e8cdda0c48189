"""Who would read whom, in one statement: what stands in the way besides the consents, and who asks."""

from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy.orm import Session

from consent_broker.oauth.grants import Reader
from registry.database import now
from registry.directory.parties import PARTIES, Party, party_of
from registry.directory.service import STANDS, standing_fault
from registry.errors import NotFound
from registry.identity.models import Person
from registry.questions import Question

REPLACED = "patient-replaced"
_READER = Question(
    PARTIES.outerjoin(Person, Person.id == bindparam("person_id")).add_columns(*STANDS, Person.status == "active")
)


def find_party(session: Session, reader: Reader, person_id: UUID) -> tuple[Party, str | None]:
    """Who asks, and why they may not act now, or not for this person; raises NotFound for who is in no directory.

    A person merged into another, or emptied, is not read under the old consents until they are looked at anew.
    """
    where = {"establishment_id": reader.establishment_id, "professional_id": reader.professional_id}
    found = _READER.ask_one(session, **where, person_id=person_id, moment=now())
    if found is None:
        raise NotFound("There is no such establishment in the directory.", code="unknown-establishment")
    *party, able_to_practise, active, affiliated, current = found
    if reader.professional_id is not None:
        if able_to_practise is None:
            raise NotFound("There is no such professional in the directory.", code="unknown-professional")
        fault = standing_fault(able_to_practise, active, affiliated)
        if fault:
            return party_of(*party), fault
    return party_of(*party), None if current else REPLACED
