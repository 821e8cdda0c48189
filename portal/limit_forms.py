"""A limit as a person fills it in, read strictly: whom it is for, what it is about, and nothing that wasn't offered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from werkzeug.datastructures import MultiDict

from consent_broker.consents.directives import Kind, Terms
from consent_broker.consents.vocabulary import SENSITIVE
from portal.dates import read_day
from portal.errors import BadForm
from portal.texts import CATEGORIES

ANYONE, PLACE, LEVEL, SECTOR, PROFESSIONAL = "todos", "establecimiento", "nivel", "sector", "profesional"
LEVELS = {
    "I": "Postas y centros de salud (nivel I)",
    "II": "Hospitales (nivel II)",
    "III": "Hospitales e institutos (nivel III)",
}
ANY = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a form offers: names by the code that travels. Nothing else is taken."""

    places: Mapping[str, str]
    professionals: Mapping[str, str]
    sectors: Sequence[str]
    holders: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitForm:
    """A limit as typed; `terms` None where `problems` name what is missing or wrong, by field."""

    typed: Mapping[str, str] = field(default_factory=dict)
    categories: Sequence[str] = ()
    labels: Sequence[str] = ()
    terms: Terms | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


FIELDS = ("quien", PLACE, LEVEL, SECTOR, PROFESSIONAL, "origen", "desde", "hasta")


def read_limit(form: MultiDict[str, str], offer: Offer, person_id: UUID) -> LimitForm:
    """What was filled in; raises BadForm for what no form of ours sends."""
    typed = {name: form.get(name, "").strip()[:64] for name in FIELDS}
    categories, labels = form.getlist("categoria"), form.getlist("reservado")
    if not set(categories) <= CATEGORIES.keys() or not set(labels) <= SENSITIVE:
        raise BadForm("No entendimos lo que eligió.", hint="Vuelva atrás y elija otra vez.")
    problems: dict[str, str] = {}
    grantee = _towards(everything(person_id), typed, offer, problems)
    first, last = read_day(typed["desde"], "desde", problems), read_day(typed["hasta"], "hasta", problems)
    if first and last and last < first:
        problems["hasta"] = "La última fecha va después de la primera."
    if typed["origen"] != ANY and typed["origen"] not in offer.holders:
        problems["origen"] = "Elija de dónde vienen los datos."
    shown = LimitForm(typed=typed, categories=categories, labels=labels, problems=problems)
    if problems:
        return shown
    terms = replace(
        grantee,
        categories=frozenset(categories) or None,
        labels=frozenset(labels) or None,
        sources=frozenset({UUID(typed["origen"])}) if typed["origen"] else None,
        data_from=first,
        data_until=last,
    )
    return LimitForm(typed=typed, categories=categories, labels=labels, terms=terms)


def as_form(terms: Terms) -> LimitForm:
    """A limit as its form would hold it, to be changed."""
    named = {
        PLACE: str(terms.establishment_id or ""),
        LEVEL: terms.establishment_category or "",
        SECTOR: terms.establishment_sector or "",
        PROFESSIONAL: str(terms.professional_id or ""),
    }
    who = next((name for name in (PROFESSIONAL, PLACE, LEVEL, SECTOR) if named[name]), ANYONE)
    typed = named | {
        "quien": who,
        "origen": str(next(iter(terms.sources))) if terms.sources else ANY,
        "desde": terms.data_from.isoformat() if terms.data_from else "",
        "hasta": terms.data_until.isoformat() if terms.data_until else "",
    }
    return LimitForm(typed=typed, categories=sorted(terms.categories or ()), labels=sorted(terms.labels or ()))


def everything(person_id: UUID) -> Terms:
    """The widest limit: nobody reads anything."""
    return Terms(
        person_id=person_id, kind=Kind.OBJECTION, establishment_id=None, categories=None, purposes=None, ends_at=None
    )


def _towards(wide: Terms, typed: Mapping[str, str], offer: Offer, problems: dict[str, str]) -> Terms:
    """The same limit, towards whom the form names."""
    who = typed["quien"]
    offered: Mapping[str, Sequence[str] | Mapping[str, str]] = {
        ANYONE: [""],
        PLACE: offer.places,
        LEVEL: LEVELS,
        SECTOR: offer.sectors,
        PROFESSIONAL: offer.professionals,
    }
    chosen = typed.get(who, "")
    if who not in offered:
        problems["quien"] = "Elija a quién le pone el límite."
    elif who != ANYONE and chosen not in offered[who]:
        problems[who] = "Elija uno de la lista."
    elif who == PLACE:
        return replace(wide, establishment_id=UUID(chosen))
    elif who == PROFESSIONAL:
        return replace(wide, professional_id=UUID(chosen))
    elif who == LEVEL:
        return replace(wide, establishment_category=chosen)
    elif who == SECTOR:
        return replace(wide, establishment_sector=chosen)
    return wide
