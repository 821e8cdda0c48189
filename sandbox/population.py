"""A Peruvian population: households, twins, foreigners, newborns, people without papers; same seed, same people."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count, islice

from sandbox.geography import REGIONS, District, districts_of
from sandbox.names import load_given_names, load_surnames

TODAY = date(2026, 6, 30)  # fixed, so that ages and newborns do not depend on the day the sandbox is made
# Far above the numbers in circulation: nobody's real DNI is used. Even numbers, so that a twin takes the next one.
DNI_BLOCK, DNI_STEP, DNI_COUNT = 95_000_000, 1_046_527, 2_500_000
REGION_WEIGHTS = {"LIMA": 40, "CUSCO": 20, "AREQUIPA": 16, "LORETO": 12, "PUNO": 6, "LA LIBERTAD": 3, "PIURA": 3}
STREETS = ("JR. ", "AV. ", "CALLE ", "PSJE. ", "AA.HH. ", "URB. ")


@dataclass(frozen=True, slots=True)
class Document:
    """An identity document: kind (dni, carne-extranjeria, ptp, passport, cnv), number, issuing country."""

    type: str
    number: str
    country: str = "PER"


@dataclass(frozen=True, slots=True)
class Person:
    """The truth about one invented human being."""

    id: str
    household: str
    document: Document | None
    given_names: str
    paternal_surname: str
    maternal_surname: str
    married_surname: str
    sex: str
    birth_date: date
    birth_ubigeo: str
    ubigeo: str
    address: str
    phone: str
    mother_document: Document | None = None
    birth_order: int | None = None

    @property
    def age(self) -> int:
        """Return the completed years at the population's fixed day."""
        return (TODAY - self.birth_date).days * 4 // 1461


@dataclass(frozen=True, slots=True)
class _Home:
    number: int
    rng: random.Random
    district: District
    address: str

    @property
    def id(self) -> str:
        return f"H{self.number:06d}"


class Population:
    """Draws households in turn; the first N people are the same whatever N is."""

    def __init__(self, seed: int = 2026) -> None:
        self._seed = seed
        self._surnames = load_surnames()
        self._given = {sex: load_given_names(sex) for sex in "MF"}
        self._numbers = count(seed % DNI_COUNT)
        self._ids = count(1)

    def people(self, size: int) -> list[Person]:
        """Return `size` people."""
        return list(islice(self._everyone(), size))

    def _everyone(self) -> Iterator[Person]:
        for number in count(1):
            yield from self._household(number)

    def _household(self, number: int) -> list[Person]:
        rng = random.Random(f"{self._seed}:household:{number}")
        region = rng.choices(REGIONS, weights=[REGION_WEIGHTS[name] for name in REGIONS])[0]
        street = rng.choice(STREETS) + self._surnames.draw(rng)
        home = _Home(number, rng, rng.choice(districts_of(region)), f"{street} {rng.randrange(100, 2000)}")
        kind = rng.choices(("family", "single", "mother", "foreign"), weights=(55, 22, 15, 8))[0]
        if kind == "single":
            return [self._adult(home, rng.choice("MF"), rng.randrange(18, 90))]
        if kind == "foreign":
            return self._foreigners(home)
        return self._family(home, with_father=kind == "family")

    def _family(self, home: _Home, *, with_father: bool) -> list[Person]:
        rng = home.rng
        mother = self._adult(home, "F", rng.randrange(19, 70))
        father = self._adult(home, "M", max(19, mother.age + rng.randrange(-3, 8)))
        if with_father and rng.random() < 0.45:
            mother = replace(mother, married_surname=father.paternal_surname)
        children = self._children(home, mother, father)
        return [*([father] if with_father else []), mother, *children]

    def _children(self, home: _Home, mother: Person, father: Person) -> list[Person]:
        rng, children = home.rng, list[Person]()
        for _ in range(rng.choices((0, 1, 2, 3, 4), weights=(15, 30, 32, 16, 7))[0]):
            youngest, oldest = max(0, mother.age - 42), mother.age - 17
            if oldest <= youngest:
                break
            birth = _birth_date(rng, rng.randrange(youngest, oldest))
            if mother.age < 42 and rng.random() < 0.07:
                birth = TODAY - timedelta(days=rng.randrange(1, 25))
            child = self._child(home, mother, father, birth)
            twins = rng.random() < 0.06
            children.extend((replace(child, birth_order=1), self._twin(home, child)) if twins else (child,))
        return children

    def _child(self, home: _Home, mother: Person, father: Person, birth: date) -> Person:
        rng, sex = home.rng, home.rng.choice("MF")
        child = self._person(home, sex, birth)
        namesake = sex == "M" and rng.random() < 0.08
        return replace(
            child,
            given_names=father.given_names if namesake else child.given_names,
            paternal_surname=father.paternal_surname,
            maternal_surname=mother.paternal_surname,
            mother_document=mother.document,
            phone=mother.phone,
        )

    def _twin(self, home: _Home, child: Person) -> Person:
        document = child.document
        following = replace(document, number=f"{int(document.number) + 1:08d}") if document else None
        sex = home.rng.choice((child.sex, child.sex, "M" if child.sex == "F" else "F"))
        names = next(n for _ in count() if (n := self._given_names(home.rng, sex)) != child.given_names)
        return replace(child, id=self._id(), document=following, sex=sex, given_names=names, birth_order=2)

    def _foreigners(self, home: _Home) -> list[Person]:
        rng = home.rng
        kind = rng.choice(("carne-extranjeria", "ptp", "passport"))
        country = rng.choices(("VEN", "COL", "ECU", "BOL"), weights=(75, 10, 8, 7))[0]
        people = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            person = self._adult(home, rng.choice("MF"), rng.randrange(18, 65))
            number = _foreign_number(rng, kind)
            single = rng.random() < 0.3
            document = Document(kind, number, country if kind == "passport" else "PER")
            maternal = "" if single else person.maternal_surname
            people.append(replace(person, document=document, maternal_surname=maternal, birth_ubigeo=""))
        return people

    def _adult(self, home: _Home, sex: str, age: int) -> Person:
        person = self._person(home, sex, _birth_date(home.rng, age))
        if age > 60 and home.rng.random() < 0.08:
            return replace(person, maternal_surname="")
        return person

    def _person(self, home: _Home, sex: str, birth: date) -> Person:
        rng = home.rng
        without_papers = rng.random() < 0.04
        number = f"{self._dni():08d}"
        return Person(
            id=self._id(),
            household=home.id,
            document=None if without_papers else Document("dni", number),
            given_names=self._given_names(rng, sex),
            paternal_surname=self._surnames.draw(rng),
            maternal_surname=self._surnames.draw(rng),
            married_surname="",
            sex=sex,
            birth_date=birth,
            birth_ubigeo=home.district.ubigeo,
            ubigeo=home.district.ubigeo,
            address=home.address,
            phone=f"9{rng.randrange(10**8):08d}",
        )

    def _given_names(self, rng: random.Random, sex: str) -> str:
        names = dict.fromkeys(self._given[sex].draw(rng) for _ in range(rng.choices((1, 2, 3), (28, 66, 6))[0]))
        return " ".join(names)

    def _dni(self) -> int:
        return DNI_BLOCK + 2 * (next(self._numbers) * DNI_STEP % DNI_COUNT)

    def _id(self) -> str:
        return f"P{next(self._ids):06d}"


def _birth_date(rng: random.Random, age: int) -> date:
    return TODAY - timedelta(days=int(age * 365.25) + rng.randrange(1, 365))


def _foreign_number(rng: random.Random, kind: str) -> str:
    if kind == "passport":
        return f"{rng.choice('ABCDEF')}{rng.randrange(10**8):08d}"
    return f"{rng.randrange(10**9):09d}"
