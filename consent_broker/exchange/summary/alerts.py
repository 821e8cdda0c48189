"""Alerts: an allergy against a medicine, the same therapy twice. Few: only what is of today, the gravest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from consent_broker.exchange.summary.items import Item
from consent_broker.exchange.summary.substances import atc_of, classes_of

MOST = 10
SUBSTANCE, CLASS = 7, 5
"""Characters of an ATC code that name a substance, and a chemical subgroup."""

Kind = Literal["ALGY", "DUPTHPGEN", "DUPTHPCLS"]
"""HL7 v3 ActCode: allergy alert, duplicate generic, duplicate therapeutic class."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something two items mean together: FHIR severity, what it is, the items, and words for the reader."""

    kind: Kind
    severity: Literal["high", "moderate"]
    items: tuple[Item, Item]
    text: str


def alerts_of(items: Sequence[Item]) -> list[Alert]:
    """The alerts in a summary, the gravest first, one for each pair of items at most."""
    medicines = [one for one in items if one.type == "MedicationStatement" and one.active]
    allergies = [one for one in items if one.type == "AllergyIntolerance" and one.active]
    found = [alert for allergy in allergies for medicine in medicines for alert in _allergic(allergy, medicine)]
    found += [alert for one, other in combinations(medicines, 2) for alert in _twice(one, other)]
    return sorted(found, key=lambda one: one.severity != "high")[:MOST]


def _allergic(allergy: Item, medicine: Item) -> Iterator[Alert]:
    pair, taken = (allergy, medicine), atc_of(medicine)
    if allergy.codes & medicine.codes or (taken & atc_of(allergy)):
        text = f"Registra alergia («{allergy.text}») y toma ese mismo medicamento: {medicine.text}."
        yield Alert("ALGY", "high", pair, text)
        return
    for one in classes_of(allergy):
        if any(code.startswith(one.atc) for code in taken):
            text = f"Registra «{allergy.text}» y toma {medicine.text}, que es de la misma clase ({one.name})."
            yield Alert("ALGY", "high", pair, text)
            return


def _twice(one: Item, other: Item) -> Iterator[Alert]:
    taken, also = atc_of(one), atc_of(other)
    if {code for code in taken & also if len(code) >= SUBSTANCE} or one.codes & other.codes:
        text = f"El mismo medicamento figura dos veces: {one.text} y {other.text}."
        yield Alert("DUPTHPGEN", "moderate", (one, other), text)
    elif {code[:CLASS] for code in taken if len(code) >= CLASS} & {code[:CLASS] for code in also if len(code) >= CLASS}:
        text = f"Dos medicamentos de la misma clase: {one.text} y {other.text}."
        yield Alert("DUPTHPCLS", "moderate", (one, other), text)
