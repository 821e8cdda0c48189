"""The model as data: how often each level occurs in each class of pairs, how frequent names are, where to decide.

A pair is one of five classes: `match` (one person), `unrelated`, and three kinds of relatives (`sibling`, `twin`,
`parent`), which agree on surnames, home and telephone without being one person. That is why a field's weight alone
can't decide: relatives are weighed as their own alternative (see `matching.score`).
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from importlib import resources
from pathlib import Path, PurePath
from typing import Any

from matching.levels import FIELDS, LEVELS
from matching.lexicon import GIVEN_RANKS, SURNAME_RANKS
from matching.schema import FileSchema

MODELS = resources.files("matching.models")
DEFAULT_MODEL = "peru-1.json"
CLASSES = ("match", "unrelated", "sibling", "twin", "parent")
KIN = CLASSES[2:]
SMALLEST = 1e-12

Bits = tuple[float, float, float, float, float]


class ModelError(ValueError):
    """A model file that does not say what a model must say."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Weights in bits: above `link` one person, above `review` a human decides.

    `same_establishment` is asked on top of `link` for two local numbers of one establishment; a second candidate within
    `margin` of the first sends both to review; the mean over a person's members must reach `consistency`. `pair` is
    what a pair needs to be considered when a whole file is linked at once.
    """

    link: float
    review: float
    same_establishment: float
    margin: float
    consistency: float
    pair: float


@dataclass(frozen=True)
class Model:
    """A loaded model; `hash` covers the file and the name lists, and is stored with every decision.

    `schema` says how files of the population it is for are read.
    """

    version: str
    hash: str
    prior: Bits
    levels: Mapping[str, Mapping[str, Bits]]
    frequency_levels: Mapping[str, frozenset[str]]
    thresholds: Thresholds
    surnames: Mapping[str, float] = field(repr=False)
    given_names: Mapping[str, float] = field(repr=False)
    unlisted_surname: float
    unlisted_given: float
    schema: FileSchema = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)

    @classmethod
    def load(cls, path: str | Path | None = None) -> "Model":
        """Read a model file, the Peruvian one by default. Raises `ModelError` naming what is wrong with it."""
        source = Path(path) if path is not None else MODELS.joinpath(DEFAULT_MODEL)
        try:
            return cls.from_document(json.loads(source.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ModelError(f"can't read model {path or DEFAULT_MODEL}: {error}") from error

    @classmethod
    def shipped(cls, name: str) -> "Model":
        """A model that comes with the engine. Raises `ModelError`."""
        return cls.load(str(MODELS.joinpath(f"{name}.json")))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Model":
        """Build a model from its document, on top of the shipped model it may name as `base`. Raises `ModelError`."""
        try:
            return _build(_whole(document))
        except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
            raise ModelError(f"model is incomplete or malformed: {error!r}") from error

    def for_population(self, population: float) -> "Model":
        """The same model for records drawn from so many people: only the odds before any evidence change."""
        return Model.from_document({**self.document, "population": population})

    @cached_property
    def tables(self) -> tuple[Mapping[str, Bits], ...]:
        """The levels of every field, in the order of `FIELDS`."""
        return tuple(self.levels[name] for name in FIELDS)

    @cached_property
    def patterns(self) -> dict[tuple[str, ...], Bits]:
        """What `score` has added up of the levels of pairs, remembered."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """What it consists of; what was remembered stays here."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def surname_bits(self, name: str) -> float:
        """log2 of a surname's frequency."""
        return self.surnames.get(name, self.unlisted_surname)

    def given_bits(self, name: str) -> float:
        """log2 of a given name's frequency."""
        return self.given_names.get(name, self.unlisted_given)

    def name_table(self, index: int) -> Callable[[str], float]:
        """log2 of the frequency of a name in the field of this index."""
        return self.given_bits if FIELDS[index] == "given" else self.surname_bits


def _whole(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a document says, on top of what its base says."""
    if "base" not in document:
        return document
    base = json.loads(MODELS.joinpath(f"{PurePath(document['base']).name}.json").read_text(encoding="utf-8"))
    return _merged(base, {name: value for name, value in document.items() if name != "base"})


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    return dict(under) | {
        name: _merged(under[name], value)
        if isinstance(value, Mapping) and isinstance(under.get(name), Mapping)
        else value
        for name, value in over.items()
    }


def _build(document: Mapping[str, Any]) -> Model:
    names = document["names"]
    return Model(
        version=str(document["version"]),
        hash=_hash(document),
        prior=_prior(float(document["population"]), document["relatives_per_person"]),
        levels={name: _levels(name, document["fields"][name]["levels"]) for name in FIELDS},
        frequency_levels={name: frozenset(spec["frequency_levels"]) for name, spec in document["fields"].items()},
        thresholds=Thresholds(**{name: float(value) for name, value in document["thresholds"].items()}),
        surnames=_frequencies(SURNAME_RANKS, names["surname"]),
        given_names=_frequencies(GIVEN_RANKS, names["given"]),
        unlisted_surname=math.log2(names["surname"]["unlisted"]),
        unlisted_given=math.log2(names["given"]["unlisted"]),
        schema=FileSchema.from_document(document.get("schema")),
        document=document,
    )


def _hash(document: Mapping[str, Any]) -> str:
    facts = [document, SURNAME_RANKS, GIVEN_RANKS]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _prior(population: float, relatives: Mapping[str, float]) -> Bits:
    """log2 of each class's share among random pairs of records."""
    one = 1 / population
    kin = [float(relatives[name]) * one for name in KIN]
    shares = (one, 1 - one - sum(kin), *kin)
    match, unrelated, sibling, twin, parent = (math.log2(max(share, SMALLEST)) for share in shares)
    return match, unrelated, sibling, twin, parent


def _levels(name: str, levels: Mapping[str, Mapping[str, float]]) -> dict[str, Bits]:
    if set(levels) != set(LEVELS[name]):
        raise ValueError(f"{name} must have the levels {', '.join(LEVELS[name])}")
    bits: dict[str, Bits] = {}
    for level in LEVELS[name]:
        values = [float(levels[level][kind]) for kind in CLASSES]
        if not all(0 <= value <= 4 for value in values):
            raise ValueError(f"{name}.{level} holds a share out of range")
        match, unrelated, sibling, twin, parent = (math.log2(max(value, SMALLEST)) for value in values)
        bits[level] = (match, unrelated, sibling, twin, parent)
    return bits


def _frequencies(ranks: Mapping[str, int], law: Mapping[str, Any]) -> dict[str, float]:
    """log2 frequencies: a Zipf-Mandelbrot law over the ranks, or the counts of a trained table on top of it."""
    offset, exponent = float(law["offset"]), float(law["exponent"])
    weights = {name: (rank + offset) ** -exponent for name, rank in ranks.items()}
    scale = float(law["mass"]) / sum(weights.values())
    table = {name: weight * scale for name, weight in weights.items()}
    table.update({name: float(share) for name, share in law.get("counted", {}).items()})
    floor = float(law["floor"])
    return {name: math.log2(max(share, floor)) for name, share in table.items()}
