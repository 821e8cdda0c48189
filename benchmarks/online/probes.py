"""Who comes to be resolved: people of the index seen by another clerk, and strangers; the same for every size."""

import random
from itertools import groupby

from benchmarks.linkage.clerks import Clerk, Row
from benchmarks.linkage.population import Person, Population

STRANGERS = 5  # one probe in so many is of nobody in the index
SPREAD = 10_000  # people are taken from the first so many, whom an index of any size holds


def probes(seed: int, count: int) -> list[Row]:
    """`count` rows in a fixed order, each at an establishment that never saw the person."""
    rng = random.Random(seed + 1)
    known = count - count // STRANGERS
    rows = _seen(rng, Population(seed, SPREAD), known) + _seen(rng, Population(seed + 999, SPREAD), count - known)
    rng.shuffle(rows)
    return rows


def _seen(rng: random.Random, population: Population, count: int) -> list[Row]:
    clerk, rows = Clerk(rng), list[Row]()
    every = SPREAD // count
    for _, members in groupby(population.people(), key=lambda person: person.household):
        clerk.household = list(members)
        rows += [_write(clerk, person) for person in clerk.household if person.id % every == 0]
    return rows[:count]


def _write(clerk: Clerk, person: Person) -> Row:
    return clerk.write(person, f"{90 + person.id % 10:08d}", f"P{person.id:07d}")
