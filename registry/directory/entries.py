"""One item of a directory file put into its table: added, changed or the same; a change writes an audit event."""

from dataclasses import replace
from typing import Literal

from sqlalchemy import select

from registry.audit.event import Event
from registry.database import Base, new_id, now
from registry.directory.administration import STANDING_LOST, Desk, assign, grant_role
from registry.directory.affiliations import put_affiliations
from registry.directory.canonical import dump
from registry.directory.certificates import put_certificates
from registry.directory.documents import document_token
from registry.directory.models import Establishment, Professional, RecordSystem
from registry.directory.schemas import EstablishmentItem, ProfessionalItem, RecordSystemItem, StaffItem
from registry.directory.service import PROFESSIONAL_CONTEXT, find_record_system, get_establishment
from registry.outbox import publish

Put = Literal["added", "changed", "same"]


def put_establishment(desk: Desk, item: EstablishmentItem) -> Put:
    """Upsert by RENIPRESS code."""
    row = desk.session.scalar(select(Establishment).where(Establishment.renipress == item.renipress))
    values = item.model_dump()
    if row is None:
        row = Establishment(id=new_id(), **values)
        return _added(desk, row, Event(action="directory:establishment:added", establishment_id=row.id))
    event = Event(action="directory:establishment:changed", establishment_id=row.id)
    return _changed(desk, assign(row, values), event)


def put_record_system(desk: Desk, item: RecordSystemItem) -> Put:
    """Upsert by client id; a suspension is left as it is. Raises NotFound for an unknown establishment."""
    establishment = get_establishment(desk.session, item.establishment)
    values = item.model_dump(exclude={"establishment", "certificates"}) | {"establishment_id": establishment.id}
    row = find_record_system(desk.session, item.client_id)
    event = Event(action="directory:record-system:changed", client_id=item.client_id, establishment_id=establishment.id)
    if row is None:
        row = RecordSystem(id=new_id(), **values)
        outcome = _added(desk, row, replace(event, action="directory:record-system:added"))
    else:
        outcome = _changed(desk, assign(row, values), event)
    moved = item.certificates is not None and put_certificates(desk, row, item.certificates)
    return "changed" if moved and outcome == "same" else outcome


def put_professional(desk: Desk, item: ProfessionalItem) -> Put:
    """Upsert by college and number, affiliations with it: those the item does not name end now."""
    query = select(Professional).where(Professional.college == item.college, Professional.number == item.number)
    row = desk.session.scalar(query)
    if row is None:
        row = _new_professional(desk, item)
        outcome = _added(desk, row, Event(action="directory:professional:added", professional_id=row.id))
    else:
        changed = _assign_professional(desk, row, item)
        outcome = _changed(desk, changed, Event(action="directory:professional:changed", professional_id=row.id))
    moved = put_affiliations(desk, row.id, item.affiliations)
    return "changed" if moved and outcome == "same" else outcome


def put_staff(desk: Desk, item: StaffItem) -> Put:
    """Grant the role until the date given; a role an operator ended is granted again."""
    place = get_establishment(desk.session, item.establishment).id if item.establishment else None
    return "changed" if grant_role(desk, item.document.document(), item.role, item.until, place) else "same"


def _new_professional(desk: Desk, item: ProfessionalItem) -> Professional:
    identity = new_id()
    return Professional(
        id=identity,
        document_token=document_token(desk.sealer, item.document.document()),
        sealed=desk.sealer.seal(desk.session, identity, _personal(item), PROFESSIONAL_CONTEXT),
        college=item.college,
        number=item.number,
        able_to_practise=item.able_to_practise,
    )


def _assign_professional(desk: Desk, row: Professional, item: ProfessionalItem) -> list[str]:
    token = document_token(desk.sealer, item.document.document())
    changed = assign(row, {"able_to_practise": item.able_to_practise, "document_token": token})
    if "able_to_practise" in changed and not item.able_to_practise:
        publish(desk.session, STANDING_LOST, f"{row.id} {now().isoformat()}", {"professional_id": str(row.id)})
    personal = _personal(item)
    if desk.sealer.open(desk.session, row.id, row.sealed, PROFESSIONAL_CONTEXT) != personal:
        row.sealed = desk.sealer.seal(desk.session, row.id, personal, PROFESSIONAL_CONTEXT)
        changed.append("personal_data")
    return changed


def _personal(item: ProfessionalItem) -> bytes:
    return dump(
        {
            "document_type": item.document.type,
            "document_number": item.document.number,
            "document_country": item.document.country,
            "names": item.names,
            "paternal_surname": item.paternal_surname,
            "maternal_surname": item.maternal_surname,
        }
    )


def _added(desk: Desk, row: Base, event: Event) -> Put:
    desk.session.add(row)
    desk.session.flush()
    desk.audit(event)
    return "added"


def _changed(desk: Desk, fields: list[str], event: Event) -> Put:
    if not fields:
        return "same"
    desk.audit(replace(event, detail={"fields": fields}))
    return "changed"
