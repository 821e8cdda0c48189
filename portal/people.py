"""What the portal asks of identity: who signed in, where their records are, whom a professional looks for."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from matching.records import Demographics, Document, DocumentType
from portal.dates import age, said_day
from portal.professional_views import Banner, Candidate
from portal.session import Identity
from portal.views import Holder
from registry.app import Renhice
from registry.calendar import LIMA
from registry.database import now
from registry.directory.documents import document_token
from registry.directory.representatives import list_of_representative
from registry.directory.service import find_professional, list_establishments
from registry.directory.staff import staff_roles
from registry.identity.persons import born_of, find_citizen, get_person, list_person_ids, load_person, preferred_of
from registry.identity.search import match
from registry.identity.service import engine_of
from registry.locator.hiding import hidden_links
from registry.locator.service import locate
from registry.pide.port import IdentityRegistry

MOST_CANDIDATES = 10
_SHOWN_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Hats:
    """What a human may act as at this moment."""

    handle: str = ""
    """The directory's blind token of their document, in hex: staff are known by it."""

    person_id: UUID | None = None
    professional_id: UUID | None = None
    roles: frozenset[str] = frozenset()


def hats_for(session: Session, parts: Renhice, identity: Identity) -> Hats:
    """All that a verified human may act as now; the document comes from the identity provider, never the browser.

    What the staff's provider says, or a passkey, makes nobody a patient; where staff has a provider of its own, ID
    Perú's word makes nobody staff.
    """
    apart = parts.settings.staff_oidc_issuer is not None
    document = Document(DocumentType.DNI, identity.document)
    names, confirmed = _names(identity)
    if identity.staff:
        return _staff_hats(session, parts, document)
    person_id = find_citizen(session, parts.sealer, document, names, confirmed=confirmed)
    cared_for = person_id is not None or bool(list_of_representative(session, parts.sealer, document))
    working = Hats() if apart else _staff_hats(session, parts, document)
    return Hats(
        handle=document_token(parts.sealer, document).hex(),
        person_id=person_id,
        professional_id=working.professional_id,
        roles=working.roles | ({"patient"} if cared_for else set()),
    )


def _staff_hats(session: Session, parts: Renhice, document: Document) -> Hats:
    """What the holder of a document may act as in the directory's eyes."""
    professional = find_professional(session, parts.sealer, document)
    able = professional is not None and professional.able_to_practise
    roles = staff_roles(session, parts.sealer, document, now()) | ({"professional"} if able else set())
    return Hats(
        handle=document_token(parts.sealer, document).hex(),
        professional_id=professional.id if professional and able else None,
        roles=frozenset(roles),
    )


def confirm_names(registry: IdentityRegistry, identity: Identity) -> Identity:
    """The identity with the names the State's registry holds for its document; unchanged when it can't tell."""
    check = registry.lookup(Document(DocumentType.DNI, identity.document))
    return replace(identity, state_names=check.names) if check.found and check.names else identity


def _names(identity: Identity) -> tuple[Demographics, bool]:
    """The names to recognise the citizen by, and whether the State's registry confirmed them."""
    known = identity.state_names
    if known is None:
        return Demographics(given_names=identity.name), False
    confirmed = Demographics(
        paternal_surname=known.paternal_surname, maternal_surname=known.maternal_surname, given_names=known.given_names
    )
    return confirmed, True


def current_id(session: Session, person_id: UUID) -> UUID:
    """The id the person goes by today; raises NotFound."""
    return get_person(session, person_id).id


def person_and_replaced(session: Session, person_id: UUID) -> list[UUID]:
    """The person and those it replaced: under all of them its history is written."""
    return list_person_ids(session, person_id)


def holders_of(session: Session, person_id: UUID) -> list[Holder]:
    """Where the person's records are: one entry an establishment, the latest first."""
    received = defaultdict(list)
    for located in locate(session, person_id):
        received[located.establishment_id].append(located.last_received)
    hidden = hidden_links(session, person_id)
    holders = [
        Holder(
            id=place.id,
            hidden=place.id in hidden,
            establishment=place.name,
            place=place.region.title(),
            kind=f"Categoría {place.category}",
            records=len(received[place.id]),
            last=max(received[place.id]),
        )
        for place in list_establishments(session, received)
    ]
    return sorted(holders, key=lambda holder: holder.last, reverse=True)


def search(session: Session, parts: Renhice, wanted: Demographics) -> list[Candidate]:
    """Up to ten persons like the one looked for, best first, masked; raises Unprocessable when it says too little."""
    found = match(session, engine_of(parts), wanted, count=MOST_CANDIDATES)
    return [_candidate(one.person.person_id, preferred_of(one.person), wanted) for one in found]


def banner(session: Session, parts: Renhice, person_id: UUID) -> Banner:
    """The person whose page is open; raises NotFound."""
    current = current_id(session, person_id)
    person = load_person(session, parts.sealer, current)
    known = preferred_of(person) if person else Demographics()
    born = (born_of(person, known) if person else None) or ""
    today = now().astimezone(LIMA).date()
    return Banner(
        id=current,
        name=_full_name(known) or "Nombre no registrado",
        born=said_day(born) if born else "",
        age=age(known.birth_date, today) if known.birth_date else None,
        vague=len(born) < len("1984-05-12"),
        sex=known.sex,
        document=_masked(known.documents),
    )


def _candidate(person_id: UUID, known: Demographics, wanted: Demographics) -> Candidate:
    """What was typed may be shown again; the rest only as far as it helps to tell people apart."""
    exact = bool(set(known.documents) & set(wanted.documents))
    return Candidate(
        id=person_id,
        name=_full_name(known) if exact else _short_name(known),
        born=str(known.birth_date.year) if known.birth_date else "No consta",
        sex=known.sex,
        document=_masked(known.documents),
    )


def _full_name(known: Demographics) -> str:
    surnames = " ".join(filter(None, (known.paternal_surname, known.maternal_surname)))
    return ", ".join(filter(None, (surnames, known.given_names)))


def _short_name(known: Demographics) -> str:
    """`QUISPE M., Rosa E.`: the first surname and name whole, the rest as initials."""
    maternal = f" {known.maternal_surname[0]}." if known.maternal_surname else ""
    first, *others = (known.given_names or "").split() or [""]
    given = " ".join([first, *(f"{other[0]}." for other in others)])
    return ", ".join(filter(None, (f"{known.paternal_surname or ''}{maternal}".strip(), given)))


def _masked(documents: Sequence[Document]) -> str:
    if not documents:
        return ""
    first = next((one for one in documents if one.type is DocumentType.DNI), documents[0])
    return f"{first.type} ····{first.number[-_SHOWN_DIGITS:]}"
