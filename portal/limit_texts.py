"""Limits in the words of the person who puts them; the same words are hashed with their evidence."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.directives import Terms
from consent_broker.consents.preview import Reading
from consent_broker.consents.service import ConsentState
from consent_broker.consents.vocabulary import Status
from portal import texts
from portal.dates import long_day
from portal.limit_forms import LEVELS
from portal.present import Directory, directory, in_order
from portal.views import Limit, WouldRead
from registry.sealing import Sealer

EVERYBODY = "Todos los establecimientos"


def limits(session: Session, sealer: Sealer, states: Sequence[ConsentState]) -> list[Limit]:
    """Limits as their owner reads them."""
    known = _directory(session, sealer, [state.terms for state in states])
    return [
        _limit(
            state.terms,
            known,
            id=state.id,
            since=state.starts_at,
            ended_at=None if state.status is Status.ACTIVE else state.recorded_at,
            state=state.status.value,
        )
        for state in states
    ]


def proposed(session: Session, sealer: Sealer, terms: Terms) -> Limit:
    """A limit that is not put yet."""
    return _limit(terms, _directory(session, sealer, [terms]))


def text(session: Session, sealer: Sealer, terms: Terms) -> str:
    """A limit in one line."""
    one = proposed(session, sealer, terms)
    if one.hides and not one.items:
        return f"Ocultar a todos que {one.source} tiene una historia suya."
    parts = [f"No podrán leer: {one.who}.", f"Qué: {one.what}.", f"De dónde: {one.source}.", f"De cuándo: {one.when}."]
    return " ".join(parts)


def standing(session: Session, sealer: Sealer, objections: Sequence[Terms]) -> list[str]:
    """What limits leave unread of a permission, a line each."""
    known = _directory(session, sealer, objections)
    return [_left_unread(one, _limit(one, known)) for one in objections]


def outranked(session: Session, sealer: Sealer, objections: Sequence[Terms]) -> list[str]:
    """Limits that a permission would prevail over, a line each."""
    known = _directory(session, sealer, objections)
    return [_prevailed_over(one, _limit(one, known)) for one in objections]


def _prevailed_over(terms: Terms, limit: Limit) -> str:
    act = "Usted oculta" if terms.hides else f"Usted no permite a {_lower_first(limit.who)}"
    return f"{act}: {_about(terms, limit)}. Este permiso es más preciso, así que vale igual."


def _lower_first(who: str) -> str:
    """Everybody is a common noun, a name isn't."""
    return who[0].lower() + who[1:] if who == EVERYBODY else who


def _about(terms: Terms, limit: Limit) -> str:
    where = f", de {limit.source}" if terms.sources else ""
    when = f", {limit.when.lower()}" if terms.data_from or terms.data_until else ""
    return f"{limit.what}{where}{when}"


def _left_unread(terms: Terms, limit: Limit) -> str:
    if terms.hides and not terms.items:
        return f"Nada de lo que guarda {limit.source}: usted lo oculta y nadie sabrá que existe."
    said = _about(terms, limit)
    return f"{said}: usted lo oculta y nadie sabrá que existe." if terms.hides else f"Por un límite suyo: {said}."


def readings(session: Session, sealer: Sealer, found: Sequence[Reading]) -> list[WouldRead]:
    """What each permission in force would still let its grantee read."""
    known = directory(
        session,
        sealer,
        establishments=[one.establishment_id for one in found],
        professionals=[one.professional_id for one in found],
    )
    return [
        WouldRead(
            id=one.consent_id,
            who=known.professional(one.professional_id) or known.establishment(one.establishment_id),
            establishment=known.establishment(one.establishment_id) if one.professional_id else "",
            before=in_order(one.before),
            after=in_order(one.after),
            partly=in_order(one.partly),
            changes=one.changes,
        )
        for one in found
    ]


def _directory(session: Session, sealer: Sealer, terms: Sequence[Terms]) -> Directory:
    places: list[UUID | None] = [one.establishment_id for one in terms]
    places += [source for one in terms for source in one.sources or ()]
    return directory(session, sealer, establishments=places, professionals=[one.professional_id for one in terms])


def _limit(terms: Terms, known: Directory, **more: object) -> Limit:
    return Limit(
        who=_who(terms, known),
        what=_what(terms),
        source=", ".join(sorted(map(known.establishment, terms.sources))) if terms.sources else "Cualquier lugar",
        when=_when(terms.data_from, terms.data_until),
        hides=terms.hides,
        items=_count(terms),
        **more,  # type: ignore[arg-type]
    )


def _who(terms: Terms, known: Directory) -> str:
    if terms.professional_id:
        where = f", en {known.establishment(terms.establishment_id)}" if terms.establishment_id else ""
        return f"{known.professional(terms.professional_id)}{where}"
    if terms.establishment_id:
        place = known.establishment(terms.establishment_id)
        return f"Quien me atiende en {place}" if terms.treating else place
    kinds = [LEVELS.get(terms.establishment_category or "", terms.establishment_category), terms.establishment_sector]
    return " de ".join(filter(None, kinds)) or EVERYBODY


def _what(terms: Terms) -> str:
    if terms.items:
        return "Un documento o dato" if _count(terms) == 1 else f"{_count(terms)} documentos o datos"
    named = ", ".join(map(texts.category, in_order(terms.categories))) if terms.categories else "Toda la historia"
    labels = ", ".join(texts.label(code) for code in texts.LABELS if code in (terms.labels or ()))
    return f"{named}; solo lo reservado: {labels}" if labels else named


def _count(terms: Terms) -> int:
    """How many items are named: one may have several names, and one by its id."""
    return sum("/" in one for one in terms.items or ())


def _when(first: date | None, last: date | None) -> str:
    if first and last:
        return f"Del {long_day(first)} al {long_day(last)}"
    if first:
        return f"Desde el {long_day(first)}"
    return f"Hasta el {long_day(last)}" if last else "Cualquier fecha"
