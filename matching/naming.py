"""Names counted from the records themselves, for populations without a national list.

The counts weigh agreement, and tell a given name written in the surname's place.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from matching.model import Model
from matching.normalise import Normalised, normalise
from matching.records import Demographics

EXCHANGED_BITS = 4.0
"""How much likelier the names must be in each other's place before they are taken to be exchanged."""


def counted_names(model: Model, records: Iterable[Normalised]) -> dict[str, Any]:
    """The model's document with the frequencies of the names in these records; unseen names count as half of one."""
    surnames: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for record in records:
        surnames.update(filter(None, (record.paternal, record.maternal)))
        given.update(record.given)
    document: dict[str, Any] = deepcopy(dict(model.document))
    for kind, counts in (("surname", surnames), ("given", given)):
        document["names"][kind].update(_shares(counts))
    return document


def _shares(counts: Mapping[str, int]) -> dict[str, Any]:
    total = max(sum(counts.values()), 1)
    shares = {name: float(f"{count / total:.4g}") for name, count in sorted(counts.items())}
    return {"counted": shares, "mass": 1.0, "unlisted": 0.5 / total, "floor": 0.5 / total}


def in_place(model: Model, record: Demographics) -> Normalised:
    """The record normalised, given name and surname put back where the model's counts say they were exchanged."""
    normalised = normalise(record)
    if record.paternal_surname is None or record.given_names is None or not normalised.given:
        return normalised
    surname, given = normalised.paternal, "".join(normalised.given)
    as_written = model.surname_bits(surname) + model.given_bits(given)
    exchanged = model.surname_bits(given) + model.given_bits(surname)
    if exchanged - as_written < EXCHANGED_BITS:
        return normalised
    return normalise(replace(record, paternal_surname=record.given_names, given_names=record.paternal_surname))
