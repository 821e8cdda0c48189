"""The preferred demographics of a person out of what its sources say: RENIEC-verified, then trust, then recency."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from matching.normalise import Normalised, normalise
from matching.records import Demographics, Document, DocumentType, Sex

T = TypeVar("T")
NAME_FIELDS = frozenset({"paternal_surname", "maternal_surname", "given_names"})


@dataclass(frozen=True, slots=True)
class SourceView:
    """What one source says; `verified` names the `Demographics` fields RENIEC confirmed, a higher `trust` is better."""

    demographics: Demographics
    recorded_at: datetime
    verified: frozenset[str] = frozenset()
    trust: int = 0


@dataclass(frozen=True, slots=True)
class Ranked:
    """A view with its normalised form, which tells values from placeholders."""

    view: SourceView
    clean: Normalised

    def rank(self, field: str) -> tuple[bool, int, datetime, str]:
        """Sort key of this view for one field; the text at the end only makes the order total."""
        view = self.view
        return field in view.verified, view.trust, view.recorded_at, repr(view.demographics)

    def names_rank(self) -> tuple[bool, int, int, datetime, str]:
        """Sort key for the names as a whole: verified, trust, how many parts are there, recency."""
        view, clean = self.view, self.clean
        parts = sum(map(bool, (clean.paternal, clean.maternal, clean.given)))
        verified = not NAME_FIELDS.isdisjoint(view.verified)
        return verified, view.trust, parts, view.recorded_at, repr(view.demographics)


def preferred(views: Sequence[SourceView]) -> Demographics:
    """The best value of every field; an empty person for no views. The order of the views changes nothing.

    Surnames and given names come from one source, so that two spellings or a swap are never mixed; a part this source
    lacks is filled from the next one. A placeholder (`RN`, 1900-01-01) never outranks a value.
    """
    ranked = [Ranked(view, normalise(view.demographics)) for view in views]
    named = sorted(ranked, key=Ranked.names_rank, reverse=True)
    return Demographics(
        documents=_documents(ranked),
        paternal_surname=_first(named, lambda n: n.paternal, lambda d: d.paternal_surname),
        maternal_surname=_first(named, lambda n: n.maternal, lambda d: d.maternal_surname),
        given_names=_first(named, lambda n: n.given, lambda d: d.given_names)
        or _first(named, lambda n: n.newborn, lambda d: d.given_names),
        married_surname=_pick(ranked, "married_surname", lambda n: n.married, lambda d: d.married_surname),
        sex=_pick(ranked, "sex", lambda n: n.sex, _sex),
        birth_date=_pick(ranked, "birth_date", _full_birth, lambda d: d.birth_date)
        or _pick(ranked, "birth_date", lambda n: n.birth_date, lambda d: d.birth_date),
        ubigeo=_pick(ranked, "ubigeo", lambda n: n.ubigeo, lambda d: d.ubigeo),
        address=_pick(ranked, "address", lambda n: n.address, lambda d: d.address),
        phone=_pick(ranked, "phone", lambda n: n.phone, lambda d: d.phone),
        mother_document=_pick(ranked, "mother_document", lambda n: n.mother_document, lambda d: d.mother_document),
        multiple_birth_order=_pick(
            ranked, "multiple_birth_order", lambda n: n.birth_order, lambda d: d.multiple_birth_order
        ),
    )


def _pick(
    ranked: Sequence[Ranked],
    field: str,
    usable: Callable[[Normalised], object],
    value: Callable[[Demographics], T | None],
) -> T | None:
    return _first(sorted(ranked, key=lambda one: one.rank(field), reverse=True), usable, value)


def _first(
    ordered: Sequence[Ranked], usable: Callable[[Normalised], object], value: Callable[[Demographics], T | None]
) -> T | None:
    return next((value(one.view.demographics) for one in ordered if usable(one.clean)), None)


def _full_birth(clean: Normalised) -> bool:
    return clean.birth_date is not None and not clean.partial_birth


def _sex(record: Demographics) -> Sex | None:
    return record.sex


def _documents(ranked: Sequence[Ranked]) -> tuple[Document, ...]:
    """One document of each type and country, from the best source that has one."""
    best: dict[tuple[DocumentType, str], Document] = {}
    for one in sorted(ranked, key=lambda r: r.rank("documents"), reverse=True):
        for document in one.clean.documents:
            best.setdefault((document.type, document.country), document)
    return tuple(best[key] for key in sorted(best))
