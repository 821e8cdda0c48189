"""What careless clerks make of a true person: the error model, harsher than the rules the engine was written for."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from benchmarks.linkage.birth_dates import BIRTH_ERRORS
from benchmarks.linkage.population import STREETS, TODAY, Person

COLUMNS = (
    "establishment", "local_id", "document_type", "document_number", "paternal_surname", "maternal_surname",
    "given_names", "sex", "birth_date", "ubigeo", "address", "phone",
)  # fmt: skip
SOUNDS = (
    ("V", "B"), ("B", "V"), ("Z", "S"), ("S", "Z"), ("CE", "SE"), ("CI", "SI"), ("LL", "Y"), ("Y", "LL"),
    ("HUA", "GUA"), ("HUA", "WA"), ("QU", "K"), ("GE", "JE"), ("JI", "GI"), ("H", ""), ("CC", "C"),
    ("I", "E"), ("E", "I"), ("O", "U"), ("U", "O"), ("Y", "I"), ("I", "Y"), ("RR", "R"), ("NN", "N"),
    ("X", "S"), ("TH", "T"), ("J", "Y"), ("W", "HU"), ("K", "C"), ("SS", "S"), ("F", "PH"), ("M", "N"),
)  # fmt: skip
NICKNAMES = {
    "JOSE": "PEPE", "FRANCISCO": "PACO", "ROSARIO": "CHARO", "MARIA": "MARI", "LUIS": "LUCHO", "CARLOS": "CARLITOS",
    "ROSA": "ROSITA", "ENRIQUE": "KIKE", "EDUARDO": "LALO", "ALBERTO": "BETO", "ISABEL": "CHABELA", "JUANA": "JUANITA",
    "KATHERINE": "KATY", "ELIZABETH": "ELI", "MILAGROS": "MILI", "GUADALUPE": "LUPE", "VICTORIA": "VICKY",
    "MERCEDES": "MECHE", "DOLORES": "LOLA", "ALEXANDER": "ALEX", "DANIEL": "DANI", "ANTONIO": "TOÑO",
}  # fmt: skip
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Row:
    """One record as a record system exports it."""

    establishment: str
    local_id: str
    document_type: str
    document_number: str
    paternal_surname: str
    maternal_surname: str
    given_names: str
    sex: str
    birth_date: str
    ubigeo: str
    address: str
    phone: str

    def values(self) -> list[str]:
        """Cells in the order of `COLUMNS`."""
        return [getattr(self, column) for column in COLUMNS]


@dataclass(frozen=True, slots=True)
class Habits:
    """How careless clerks are: a factor on every error, the share of documents not asked for, of contacts left out."""

    careless: float = 1.0
    no_document: float = 0.12
    no_contact: float = 0.35


@dataclass(slots=True)
class Clerk:
    """Writes rows for persons, with the errors of one seed."""

    rng: random.Random
    habits: Habits = field(default_factory=Habits)
    household: Sequence[Person] = field(default_factory=tuple)

    def write(self, person: Person, establishment: str, local_id: str) -> Row:
        """One record of a person, errors included."""
        seen = self._seen_on(person)
        kind, number = self._document(person)
        paternal, maternal, given = self._names(person, seen)
        return Row(
            establishment, local_id, kind, number, paternal, maternal, given, self._sex(person.sex),
            self._birth(person.birth_date), *self._contact(person),
        )  # fmt: skip

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share * self.habits.careless

    def _seen_on(self, person: Person) -> date:
        age = (TODAY - person.birth_date).days
        recent = min(age, 3650)
        if age < 400 and self._chance(0.5):
            return person.birth_date + timedelta(days=self.rng.randint(0, min(20, age)))
        return TODAY - timedelta(days=self.rng.randint(0, max(recent, 1)))

    def _document(self, person: Person) -> tuple[str, str]:
        rng = self.rng
        kind, number = person.document_type, person.document_number
        minor = TODAY.year - person.birth_date.year < 12
        if self._chance(0.05 if minor else 0.01):
            return self._of_relative(person)
        if not number or rng.random() < self.habits.no_document:
            return rng.choice(
                (("", ""), ("", ""), ("DNI", ""), ("DNI", "00000000"), ("DNI", "99999999"), ("OTHER", "S/N"))
            )
        if self._chance(0.025):
            number = _slip(rng, number, "0123456789")
        if self._chance(0.003):
            number = f"{rng.randint(1_000_000, 79_999_999):08d}"
        if self._chance(0.012):
            kind = rng.choice(("DNI", "CE", "OTHER", "PASSPORT"))
        if self._chance(0.03) and number.startswith("0"):
            number = number.lstrip("0")
        return kind, number

    def _of_relative(self, person: Person) -> tuple[str, str]:
        relatives = [other for other in self.household if other.id != person.id and other.document_number]
        if not relatives:
            return "", ""
        other = self.rng.choice(relatives)
        return other.document_type, other.document_number

    def _names(self, person: Person, seen: date) -> tuple[str, str, str]:
        paternal, maternal = self._spelt(person.paternal), self._spelt(person.maternal)
        paternal, maternal = self._husband(person, paternal, maternal)
        if self._chance(0.015):
            paternal, maternal = maternal, paternal
        if self._chance(0.04):
            maternal = ""
        given = self._given(person, seen)
        layout = self.rng.random() / self.habits.careless
        if layout < 0.010 and maternal:
            paternal, maternal = f"{paternal} {maternal}", ""
        elif layout < 0.014 and maternal:
            paternal, maternal = f"{paternal}{maternal}".replace(" ", ""), ""
        elif layout < 0.020:
            paternal, maternal, given = "", "", f"{given} {paternal} {maternal}".strip()
        elif layout < 0.028:
            given = f"{given} {paternal}"
        return paternal, maternal, given

    def _husband(self, person: Person, paternal: str, maternal: str) -> tuple[str, str]:
        if not person.husband or not self._chance(0.25):
            return paternal, maternal
        written = self.rng.choice(("maternal DE", "maternal DE", "paternal DE", "VDA", "plain"))
        if written == "paternal DE":
            return f"{paternal} DE {person.husband}", maternal
        if written == "VDA":
            return paternal, f"{maternal} VDA DE {person.husband}"
        return paternal, f"DE {person.husband}" if written == "maternal DE" else person.husband

    def _given(self, person: Person, seen: date) -> str:
        rng = self.rng
        days = (seen - person.birth_date).days
        if days <= 28 and self.rng.random() < 0.75:
            if person.relation == "twin" and self._chance(0.4):
                return rng.choice(("RN 2", "RN GEMELAR II"))
            return rng.choice(("RN", "RECIEN NACIDO", "R.N.", f"HIJO DE {person.maternal}", "RN"))
        words = [self._spelt(word) for word in person.given]
        if len(words) > 1:
            words = self._second_names(words)
        if self._chance(0.03):
            words = [NICKNAMES.get(word, word) for word in words]
        if words[0] == "MARIA" and len(words) > 1 and self._chance(0.3):
            words[0] = rng.choice(("MA.", "MA", "M."))
        return " ".join(words)

    def _second_names(self, words: list[str]) -> list[str]:
        draw = self.rng.random() / self.habits.careless
        if draw < 0.14:
            return words[:1]
        if draw < 0.18:
            return words[1:]
        if draw < 0.20:
            return words[::-1]
        if draw < 0.235:
            return [words[0], *(word[:1] for word in words[1:])]
        if draw < 0.245:
            return ["".join(words)]
        return words

    def _spelt(self, name: str) -> str:
        """A name by ear (6 %), mistyped (3 %), with lost or broken accents (3 %), with its particles dropped."""
        rng = self.rng
        if not name:
            return name
        if self._chance(0.06):
            name = self._by_ear(name)
        if self._chance(0.03):
            name = _slip(rng, name, LETTERS)
        if self._chance(0.03):
            name = rng.choice((str.lower, str.title, _broken, _accented))(name)
        if name.startswith(("DE LA ", "DEL ", "DE ")) and self._chance(0.1):
            name = name.replace(" ", "") if self._chance(0.5) else name.split()[-1]
        return name

    def _by_ear(self, name: str) -> str:
        found = [pair for pair in SOUNDS if pair[0] in name]
        if not found:
            return name
        heard, written = self.rng.choice(found)
        return name.replace(heard, written, 1) or name

    def _sex(self, sex: str) -> str:
        draw = self.rng.random() / self.habits.careless
        if draw < 0.02:
            return ""
        return ("M" if sex == "F" else "F") if draw < 0.03 else sex

    def _birth(self, born: date) -> str:
        draw = self.rng.random() / self.habits.careless
        for limit, error in BIRTH_ERRORS:
            if draw < limit:
                return error(self.rng, born)
        return born.isoformat()

    def _contact(self, person: Person) -> tuple[str, str, str]:
        rng = self.rng
        ubigeo, address, phone = person.ubigeo, person.address, person.phone
        if self._chance(0.10):
            ubigeo = f"{ubigeo[:4]}{rng.randint(1, 30):02d}" if self._chance(0.6) else f"1501{rng.randint(1, 43):02d}"
            address = f"{rng.choice(STREETS)} {rng.randint(100, 1999)}"
        if self._chance(0.08):
            ubigeo = rng.choice(("", "", ubigeo[:4], "000000"))
        if rng.random() < self.habits.no_contact:
            address = rng.choice(("", "", "S/N", "SIN DATO"))
        elif self._chance(0.3):
            address = self._rewritten(address)
        if self._chance(0.2):
            phone = f"9{rng.randint(10_000_000, 99_999_999)}"
        if self._chance(0.02):
            phone = _slip(rng, phone, "0123456789")
        if rng.random() < self.habits.no_contact:
            phone = rng.choice(("", "", "999999999", "000000000"))
        return ubigeo, address, phone

    def _rewritten(self, address: str) -> str:
        changes: tuple[Callable[[str], str], ...] = (
            lambda text: text.replace("AV ", "AVENIDA "),
            lambda text: text.replace("JR ", "JIRON "),
            lambda text: _slip(self.rng, text, LETTERS),
            lambda text: f"{text} URB SANTA ROSA",
            lambda text: text.rsplit(" ", 1)[0],
        )
        return self.rng.choice(changes)(address)


def _slip(rng: random.Random, text: str, alphabet: str) -> str:
    """One typing slip: a character replaced, dropped, doubled, or two neighbours exchanged."""
    if len(text) < 2:
        return text
    at = rng.randrange(len(text) - 1)
    kind = rng.random()
    if kind < 0.45:
        return text[:at] + rng.choice(alphabet) + text[at + 1 :]
    if kind < 0.70:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + text[at + 1 :] if kind < 0.85 else text[: at + 1] + text[at:]


def _broken(name: str) -> str:
    return name.replace("Ñ", "Ã‘").replace("Á", "Ã\x81").replace("Í", "Ã\x8d")


def _accented(name: str) -> str:
    return name.replace("EZ", "ÉZ").replace("IA", "ÍA")
