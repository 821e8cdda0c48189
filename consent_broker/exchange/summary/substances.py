"""Which medicines are of one class: by ATC code, or by the name where a record system sent words; data, not code."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from consent_broker.exchange.summary.items import SNOMED, Item, fold

ATC = "http://www.whocc.no/atc"
_FILE = Path(__file__).with_name("substances.json")


@dataclass(frozen=True, slots=True)
class SubstanceClass:
    """A class of medicines whoever does not tolerate one of them should not be given: its name and ATC prefixes."""

    name: str
    atc: tuple[str, ...]
    snomed: frozenset[str]
    words: tuple[str, ...]


def _read() -> tuple[tuple[SubstanceClass, ...], tuple[tuple[str, str], ...]]:
    said = json.loads(_FILE.read_text(encoding="utf-8"))
    classes = [
        SubstanceClass(one["name"], tuple(one["atc"]), frozenset(one["snomed"]), tuple(one["words"]))
        for one in said["classes"]
    ]
    return tuple(classes), tuple((word, code) for code, words in said["medicines"].items() for word in words)


CLASSES, NAMES = _read()


def atc_of(item: Item) -> frozenset[str]:
    """The ATC codes of a medicine: those it carries, else those of the names in its words."""
    coded = frozenset(code for system, code in item.codes if system == ATC)
    return coded or frozenset(code for word, code in NAMES if _named(word, item.text))


def classes_of(allergy: Item) -> Sequence[SubstanceClass]:
    """The classes an allergy is about, by its codes or its words."""
    snomed = {code for system, code in allergy.codes if system == SNOMED}
    coded = {code for system, code in allergy.codes if system == ATC}
    return [
        one
        for one in CLASSES
        if snomed & one.snomed
        or any(code.startswith(one.atc) for code in coded)
        or any(_named(word, allergy.text) for word in one.words)
    ]


def _named(word: str, text: str) -> bool:
    return f" {word} " in f" {fold(text)} "
