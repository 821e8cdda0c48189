"""The sections of a summary: what is known, what nobody could say, and what was not told; three different things."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from consent_broker.exchange.service import Missing
from consent_broker.exchange.summary.items import Item
from registry.fhir.ips import Section

EmptyReason = Literal["withheld", "unavailable", "notasked"]
WITHHELD = "suppressed"
STATUSES = {
    "active": "activa",
    "inactive": "inactiva",
    "resolved": "resuelta",
    "recurrence": "recurrente",
    "remission": "en remisión",
    "completed": "completada",
    "stopped": "suspendida",
    "on-hold": "en pausa",
    "intended": "prevista",
    "not-taken": "no la toma",
    "not-done": "no realizada",
}


@dataclass(frozen=True, slots=True)
class SummarySection:
    """A section with its items; without any, why: `empty_reason` (FHIR list-empty-reason). `notes` are for people."""

    section: Section
    items: tuple[Item, ...]
    empty_reason: EmptyReason | None
    notes: tuple[str, ...]

    @property
    def narrative(self) -> str:
        """The section as XHTML a person can read."""
        listed = "".join(f"<li>{escape(_line(one))}</li>" for one in self.items)
        told = "".join(f"<p>{escape(one)}</p>" for one in self.notes)
        body = (f"<ul>{listed}</ul>" if listed else "") + told
        return f'<div xmlns="http://www.w3.org/1999/xhtml" lang="es">{body}</div>'


def section_of(
    section: Section, items: Iterable[Item], missing: Iterable[Missing], asked: Collection[str]
) -> SummarySection:
    """One section. That there is none is said only where a holder says so, and nobody failed to answer.

    An empty answer of every holder says that nothing is on record, not that there is nothing.
    """
    about = [one for one in items if one.type in section.types]
    facts = tuple(one for one in about if not one.denies)
    denials = tuple(one for one in about if one.denies)
    absent = [one for one in missing if one.resource_type in section.types]
    if not set(section.types).intersection(asked):
        return SummarySection(section, (), "notasked", ("No se pidió esta parte.",))
    notes = tuple(_notes(facts, denials, absent))
    if facts:
        return SummarySection(section, facts, None, notes)
    if absent:
        withheld = all(one.fault == WITHHELD for one in absent)
        return SummarySection(section, (), "withheld" if withheld else "unavailable", notes)
    if denials:
        return SummarySection(section, denials, None, ())
    text = "Los establecimientos consultados no registran nada; no significa que no haya."
    return SummarySection(section, (), "unavailable", (text,))


def _notes(facts: Sequence[Item], denials: Sequence[Item], absent: Sequence[Missing]) -> Iterable[str]:
    for one in absent:
        if one.holder is None:
            yield "El paciente restringe esta parte: puede haber más."
        else:
            yield f"Falta lo que registra {one.holder.name}: no se sabe qué dice."
    if facts or absent:
        for denial in denials:
            yield f"{_holders(denial)} refiere: {denial.text}."


def _line(item: Item) -> str:
    parts = [item.text or "Sin nombre", STATUSES.get(item.status, item.status), item.day, _holders(item)]
    return " — ".join(filter(None, parts))


def _holders(item: Item) -> str:
    return ", ".join(dict.fromkeys(holder.name for holder, _ in item.origins))
