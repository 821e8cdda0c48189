"""A Peruvian population of households: the truth behind the benchmark's records.

Nothing here knows the engine. Shares are rounded demographic facts or harsher; each is a named constant.
"""

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path

NAMES = Path(__file__).parents[2] / "matching" / "models"
TODAY = date(2026, 1, 15)
STREETS = (
    "AV LOS INCAS", "JR AYACUCHO", "CA LAS FLORES", "AV GRAU", "JR JUNIN", "CA BOLOGNESI", "AV EL SOL", "JR LIMA",
    "PSJ SAN MARTIN", "AV TUPAC AMARU", "CA LOS PINOS", "JR TACNA", "AV LA CULTURA", "CA UNION", "AV PROGRESO",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Society:
    """Shares that make a population; `villages` is how many surnames make up most of a district, 0 for no limit."""

    foreign: float = 0.04
    single_mothers: float = 0.12
    twin_births: float = 0.02
    twins_alike: float = 0.4
    named_after_parent: float = 0.10
    one_surname: float = 0.01
    no_document: float = 0.03
    villages: int = 0


@dataclass(frozen=True, slots=True)
class Person:
    """One true person; `household` and `relation` say who the relatives are."""

    id: int
    household: int
    relation: str
    document_type: str
    document_number: str
    paternal: str
    maternal: str
    given: tuple[str, ...]
    sex: str
    birth_date: date
    ubigeo: str
    address: str
    phone: str
    husband: str = ""


class NameLaw:
    """Names drawn by a Zipf-Mandelbrot law over their rank."""

    def __init__(self, names: list[str], offset: float, exponent: float) -> None:
        self.names = names
        self.weights = list(accumulate((rank + offset) ** -exponent for rank in range(1, len(names) + 1)))

    def draw(self, rng: random.Random) -> str:
        """One name."""
        return rng.choices(self.names, cum_weights=self.weights)[0]


def _read(name: str, column: str, **equal: str) -> list[str]:
    with (NAMES / name).open(encoding="utf-8") as lines:
        return [
            row[column]
            for row in csv.DictReader(lines)
            if len(row[column]) > 2 and all(row[key] == value for key, value in equal.items())
        ]


class Population:
    """Households drawn from one seed; the same seed gives the same people."""

    def __init__(self, seed: int, persons: int, society: Society = Society()) -> None:
        self.rng = random.Random(seed)
        self.size = persons
        self.society = society
        self.surnames = NameLaw(_read("surnames_pe.csv", "surname"), 4.0, 0.95)
        self.given = {sex: NameLaw(_read("given_names_pe.csv", "given_name", sex=sex), 5.0, 0.9) for sex in ("M", "F")}
        self.districts = [f"{self.rng.randint(1, 25):02d}{self.rng.randint(1, 12):02d}{d:02d}" for d in range(1, 60)]
        self.lima = [f"1501{district:02d}" for district in range(1, 44)]
        self.next_id = 0
        self.used: set[str] = set()

    def people(self) -> Iterator[Person]:
        """Households one after another until there are enough people."""
        made = 0
        household = 0
        while made < self.size:
            household += 1
            for person in self._household(household)[: self.size - made]:
                made += 1
                yield person

    def _household(self, number: int) -> list[Person]:
        rng = self.rng
        home = self._home()
        mother = self._adult(number, "mother", "F", home)
        single = rng.random() < self.society.single_mothers
        father = None if single else self._adult(number, "father", "M", home)
        if father is not None and rng.random() < 0.5:
            mother = replace(mother, husband=father.paternal)
        members = [mother] if father is None else [father, mother]
        for _ in range(rng.choices(range(5), (25, 22, 28, 16, 9))[0]):
            members += self._birth(number, father, mother, home)
        return members

    def _home(self) -> tuple[str, str, str]:
        rng = self.rng
        ubigeo = rng.choice(self.lima) if rng.random() < 0.33 else rng.choice(self.districts)
        address = f"{rng.choice(STREETS)} {rng.randint(100, 1999)}"
        if rng.random() < 0.3:
            address = f"MZ {rng.choice('ABCDEFGHJK')} LT {rng.randint(1, 40)} {rng.choice(STREETS[:8])[3:]}"
        return ubigeo, address, f"9{rng.randint(10_000_000, 99_999_999)}"

    def _adult(self, household: int, relation: str, sex: str, home: tuple[str, str, str]) -> Person:
        rng = self.rng
        born = TODAY - timedelta(days=int(rng.triangular(19, 88, 34) * 365.25))
        kind, number = self._document(born)
        maternal = self._surname(home[0])
        if (kind in {"CE", "PASSPORT", "PTP"} and rng.random() < 0.4) or rng.random() < self.society.one_surname:
            maternal = ""
        phone = home[2] if rng.random() < 0.3 else f"9{rng.randint(10_000_000, 99_999_999)}"
        return Person(
            self._id(), household, relation, kind, number, self._surname(home[0]), maternal, self._given(sex), sex,
            born, home[0], home[1], phone,
        )  # fmt: skip

    def _birth(self, household: int, father: Person | None, mother: Person, home: tuple[str, str, str]) -> list[Person]:
        rng = self.rng
        latest = min(TODAY, mother.birth_date + timedelta(days=int(44 * 365.25)))
        earliest = mother.birth_date + timedelta(days=int(15 * 365.25))
        born = earliest + timedelta(days=rng.randint(0, max((latest - earliest).days, 1)))
        if rng.random() < 0.05:
            born = TODAY - timedelta(days=rng.randint(0, 60))
        first = self._child(household, father, mother, home, min(born, TODAY))
        return [first, self._twin(first)] if rng.random() < self.society.twin_births else [first]

    def _child(
        self, household: int, father: Person | None, mother: Person, home: tuple[str, str, str], born: date
    ) -> Person:
        rng = self.rng
        sex = rng.choice("MF")
        kind, number = self._document(born)
        given = self._given(sex)
        namesake = father if sex == "M" else mother
        if namesake is not None and rng.random() < self.society.named_after_parent:
            given = namesake.given if rng.random() < 0.4 else (namesake.given[0], *given[1:])
        paternal = father.paternal if father else mother.paternal
        maternal = mother.paternal if father else mother.maternal
        phone = home[2] if TODAY.year - born.year < 18 else f"9{rng.randint(10_000_000, 99_999_999)}"
        return Person(
            self._id(), household, "child", kind, number, paternal, maternal, given, sex, born, home[0], home[1], phone
        )

    def _twin(self, first: Person) -> Person:
        """Born the same day (or the next), numbers one after another, names alike four times in ten."""
        rng = self.rng
        sex = first.sex if rng.random() < 0.65 else ("M" if first.sex == "F" else "F")
        given = self._given(sex)
        if rng.random() < self.society.twins_alike:
            given = (first.given[0], *given[-1:]) if sex == first.sex else (*given[:1], *first.given[1:])
        if given == first.given:
            given = (*given, self.given[sex].draw(rng))
        number = first.document_number
        if number.isdigit() and rng.random() < 0.9:
            number = str(int(number) + rng.choice((1, 1, 1, 2))).zfill(len(number))
        elif number:
            number = self._document(first.birth_date)[1]
        self.used.add(number)
        return replace(first, id=self._id(), relation="twin", document_number=number, given=given, sex=sex)

    def _surname(self, ubigeo: str) -> str:
        """A surname of the country, or in a society of villages mostly one of the few the district's people bear."""
        if not self.society.villages or self.rng.random() < 0.25:
            return self.surnames.draw(self.rng)
        local = random.Random(ubigeo)
        names = [self.surnames.draw(local) for _ in range(self.society.villages)]
        return names[min(int(self.rng.expovariate(6 / len(names))), len(names) - 1)]

    def _given(self, sex: str) -> tuple[str, ...]:
        rng = self.rng
        count = rng.choices((1, 2, 3), (38, 56, 6))[0]
        return tuple(dict.fromkeys(self.given[sex].draw(rng) for _ in range(count)))

    def _document(self, born: date) -> tuple[str, str]:
        rng = self.rng
        draw = rng.random()
        if draw < self.society.no_document:
            return "", ""
        if draw < self.society.no_document + self.society.foreign:
            kind = rng.choice(("CE", "CE", "PASSPORT", "PTP"))
            number = f"{rng.randint(100_000, 9_999_999):09d}"
            return kind, f"{rng.choice('ABCDEFG')}{number[-8:]}" if kind == "PASSPORT" else number
        while True:
            low, high = (60_000_000, 93_000_000) if born.year >= 1992 else (1_000_000, 48_000_000)
            number = f"{rng.randint(low, high):08d}"
            if number not in self.used:
                self.used.add(number)
                return "DNI", number

    def _id(self) -> int:
        self.next_id += 1
        return self.next_id
