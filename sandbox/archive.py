"""Which establishments a person has visited, and the record each of them keeps."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator

from sandbox.clerks import Record, careless, newborn, write_down
from sandbox.geography import BY_UBIGEO
from sandbox.places import ESTABLISHMENTS, Establishment
from sandbox.population import Person

RECORDS_A_PERSON = ((1, 2, 3, 4), (50, 33, 14, 3))
TWICE_AT_ONE_PLACE = 0.03
NEIGHBOUR, STRANGER = 1.0, 0.08


def keep_records(people: Iterable[Person], seed: int = 2026) -> Iterator[Record]:
    """Yield every record of everybody, about 1.7 a person; same seed and people, same records."""
    given: Counter[str] = Counter()
    for person in people:
        rng = random.Random(f"{seed}:records:{person.id}")
        for visit, place in enumerate(_visits(rng, person)):
            given[place.renipress] += 1
            local_number = place.local_number(given[place.renipress] + 100)
            yield _record(rng, person, place, local_number, first=visit == 0)


def _record(rng: random.Random, person: Person, place: Establishment, local_number: str, *, first: bool) -> Record:
    record = write_down(person, place.renipress, local_number)
    if first and person.age == 0 and rng.random() < 0.8:
        return newborn(record, f"1{rng.randrange(10**9):09d}")
    return careless(rng, record)


def _visits(rng: random.Random, person: Person) -> list[Establishment]:
    number = rng.choices(*RECORDS_A_PERSON)[0]
    places: list[Establishment] = []
    while len(places) < number:
        place = rng.choices(ESTABLISHMENTS, weights=_weights(person))[0]
        if place not in places:
            places.append(place)
    if rng.random() < TWICE_AT_ONE_PLACE:
        places.append(places[0])
    return places


def _weights(person: Person) -> list[float]:
    home = BY_UBIGEO[person.ubigeo].region
    return [place.attends * (NEIGHBOUR if place.region == home else STRANGER) for place in ESTABLISHMENTS]
