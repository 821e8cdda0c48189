"""The search parameters of Patient (IHE PDQm ITI-78) and what they ask of demographics; pure.

Names are compared as they are written, from their beginning and without accents, or by how they sound in Peru; with
`:exact` letter by letter. What is sealed is found by blocking keys, so a search needs enough of them: an identifier, or
a name with another name, a birth date or a telephone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice, product
from types import MappingProxyType

from matching.normalise import normalise
from matching.phonetics import phonetic, phonetic_given
from matching.records import Demographics, Document, Sex
from matching.text import fold, fold_name
from registry.fhir.resources import SearchParameter
from registry.fhir.searching import Criterion, Search
from registry.fhir.values import read_date, read_token
from registry.identity.contents import Content

MOST_READINGS = 20
WHOLE_DAY = len("1984-07-19")
NEEDS = "needs a second fact, such as a name with a birth date"
TEXT = frozenset({"exact", "contains"})
BEGINS = "begins"
"""How HL7 v2 asks with a wildcard: FHIR needs no word for it, and takes none."""

PARTS = frozenset({"contains", BEGINS})
"""What only narrows what other facts find."""

GENDERS: Mapping[str, Sex] = MappingProxyType({"male": "M", "female": "F"})
_OWN = "of one's own record only; " + NEEDS
_PLACE = "words of the address, or the first digits of the ubigeo; " + _OWN


def _text(name: str, means: str) -> SearchParameter:
    return SearchParameter(name=name, type="string", means=means, modifiers=TEXT)


PARAMETERS = (
    SearchParameter(name="_id", type="token", means="the id of one's own record, or of a person"),
    SearchParameter(name="active", type="token"),
    SearchParameter(
        name="identifier",
        type="token",
        means="system|value; system| shows identifiers of these domains only. A document by POST, with a name or birth "
        "date: it never stands in a URL, and finds nobody alone",
    ),
    _text("family", f"any surname; {NEEDS}"),
    _text("given", NEEDS),
    _text("name", f"any part of the name; {NEEDS}"),
    SearchParameter(name="birthdate", type="date", means=f"with any prefix; {NEEDS}"),
    SearchParameter(name="gender", type="token", means=NEEDS),
    SearchParameter(name="telecom", type="token", means=_OWN),
    SearchParameter(name="phone", type="token", means=_OWN),
    _text("address", _PLACE),
    _text("address-city", _PLACE),
    _text("address-state", _PLACE),
    _text("address-postalcode", _PLACE),
    _text("address-country", _PLACE),
    _text("mothersMaidenName", f"the second surname; {NEEDS}"),
    SearchParameter(
        name="mothersIdentifier",
        type="token",
        means="the mother's number, of one's own: finds one's own records that give it",
    ),
    _text("mothersGivenName", "with mothersMaidenName: one's own records that give the number of a mother so called"),
)
_FACTS = frozenset(one.name for one in PARAMETERS) - {
    "_id", "active", "identifier", "mothersIdentifier", "mothersGivenName",
}  # fmt: skip
CONTACT = frozenset(one.name for one in PARAMETERS if one.name.startswith("address")) | {"telecom", "phone"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a search asks of demographics, beside identifiers."""

    criteria: tuple[Criterion, ...]

    def __bool__(self) -> bool:
        return bool(self.criteria)

    @property
    def of_contact(self) -> bool:
        """Whether it asks for what only the record's own establishment may see."""
        return any(one.name in CONTACT for one in self.criteria)

    @property
    def of_whole_day(self) -> bool:
        """Whether no year or month of birth stands for a day in the readings."""
        return all(
            len(value.removeprefix("eq")) >= WHOLE_DAY
            for one in self.criteria
            if one.name == "birthdate"
            for value in one.values
        )

    def met_by(self, facts: Demographics, born: str | None) -> bool:
        """Whether demographics are what every criterion asks for; `born` is their birth date as it was said."""
        return all(any(_meets(facts, born, one, value) for value in one.values) for one in self.criteria)

    def readings(self, documents: Iterable[Document]) -> Iterator[Demographics]:
        """What a record that meets the search may say, to find candidates by: one reading for each choice of values."""
        base = Demographics(documents=tuple(documents))
        usable = [one for one in self.criteria if one.modifier not in PARTS and one.name in _READINGS]
        for choice in islice(product(*(one.values for one in usable)), MOST_READINGS):
            reading = base
            for criterion, value in zip(usable, choice, strict=True):
                reading = _READINGS[criterion.name](reading, value)
            yield reading


def facts_of(search: Search) -> Facts:
    """The demographic part of a search; raises InvalidInput for a date that is none."""
    for criterion in search.of("birthdate"):
        for value in criterion.values:
            read_date(value)
    return Facts(tuple(one for one in search.criteria if one.name in _FACTS))


def split_mother(search: Search, facts: Facts) -> tuple[Facts, Facts]:
    """What a search asks of a patient's mother, where it gives her given names, and what of the patient."""
    given = search.of("mothersGivenName")
    if not given:
        return Facts(()), facts
    surnames = [one for one in facts.criteria if one.name == "mothersMaidenName"]
    asked = [*(replace(one, name="family") for one in surnames), *(replace(one, name="given") for one in given)]
    return Facts(tuple(asked)), Facts(tuple(one for one in facts.criteria if one.name != "mothersMaidenName"))


def _meets(facts: Demographics, born: str | None, criterion: Criterion, value: str) -> bool:
    if criterion.name == "birthdate":
        return born is not None and read_date(value).accepts_date(born)
    return _TESTS[criterion.name](facts, value, criterion.modifier)


def _name_test(parts: Callable[[Demographics], Iterable[str | None]], code: Callable[[str], str]) -> "_Test":
    def test(facts: Demographics, value: str, modifier: str | None) -> bool:
        return any(_agrees(part, value, modifier, code) for part in parts(facts) if part)

    return test


def _agrees(part: str, value: str, modifier: str | None, code: Callable[[str], str]) -> bool:
    if modifier == "exact":
        return part == value
    kept, wanted = fold_name(part), fold_name(value)
    if not wanted:
        return False
    if modifier == "contains":
        return wanted in kept
    words = [kept, *kept.split()]
    if modifier == BEGINS:
        return any(word.startswith(wanted) for word in words)
    return any(word.startswith(wanted) for word in words) or code(wanted.replace(" ", "")) in {
        code(word.replace(" ", "")) for word in words
    }


def _family(facts: Demographics) -> Iterable[str | None]:
    paternal, maternal = facts.paternal_surname, facts.maternal_surname
    return paternal, maternal, facts.married_surname, f"{paternal} {maternal}" if paternal and maternal else None


def _given(facts: Demographics) -> Iterable[str | None]:
    return facts.given_names, *(facts.given_names or "").split()


def _any_name(facts: Demographics) -> Iterable[str | None]:
    return *_family(facts), *_given(facts)


def _name(facts: Demographics, value: str, modifier: str | None) -> bool:
    """A part of the name, or several, each of them a part."""
    test = _name_test(_any_name, phonetic)
    wanted = [value] if modifier else value.split()
    return all(test(facts, word, modifier) for word in wanted)


def _gender(facts: Demographics, value: str, _modifier: str | None) -> bool:
    code = read_token(value).code
    return facts.sex == GENDERS.get(code or "") if code in GENDERS else facts.sex is None


def _phone(facts: Demographics, value: str, _modifier: str | None) -> bool:
    wanted, kept = (normalise(Demographics(phone=one)).phone for one in (_number(value), facts.phone))
    return bool(wanted) and wanted == kept


def placed(content: Content) -> Demographics:
    """What a record says, its address with all parts, a line each."""
    facts, aside = content.demographics, content.aside
    parts = (facts.address, aside.district, aside.city, aside.state, aside.postal_code)
    return replace(facts, address="\n".join(filter(None, parts)))


def _place(facts: Demographics, value: str, modifier: str | None) -> bool:
    lines = (facts.address or "").split("\n")
    if modifier == "exact" or value in lines:
        return value in lines
    if value.isascii() and value.isdigit():
        return normalise(facts).ubigeo.startswith(value)
    kept, wanted = fold(facts.address or ""), fold(value)
    return bool(wanted) and (wanted in kept if modifier == "contains" else set(wanted.split()) <= set(kept.split()))


def _number(value: str) -> str:
    return read_token(value).code or ""


_Test = Callable[[Demographics, str, str | None], bool]
_TESTS: dict[str, _Test] = {
    "family": _name_test(_family, phonetic),
    "given": _name_test(_given, phonetic_given),
    "name": _name,
    "mothersMaidenName": _name_test(lambda facts: (facts.maternal_surname,), phonetic),
    "gender": _gender,
    "telecom": _phone,
    "phone": _phone,
} | {name: _place for name in CONTACT if name.startswith("address")}


def _add_given(reading: Demographics, value: str) -> Demographics:
    """A whole name that stands alone is taken apart by the engine."""
    return replace(reading, given_names=f"{reading.given_names or ''} {value}".strip())


def _add_family(reading: Demographics, value: str) -> Demographics:
    """A second one is the second surname."""
    if reading.paternal_surname is None:
        return replace(reading, paternal_surname=value)
    return replace(reading, maternal_surname=value)


def _add_birth(reading: Demographics, value: str) -> Demographics:
    """A day; of a year or month the first of January, which the engine takes for the year alone. A span is no fact."""
    plain = value.removeprefix("eq")
    try:
        born = date.fromisoformat(plain) if len(plain) == WHOLE_DAY else date(int(plain[:4]), 1, 1)
    except ValueError:
        return reading
    return replace(reading, birth_date=born)


_READINGS: dict[str, Callable[[Demographics, str], Demographics]] = {
    "family": _add_family,
    "given": _add_given,
    "name": _add_given,
    "mothersMaidenName": lambda reading, value: replace(reading, maternal_surname=value),
    "birthdate": _add_birth,
    "telecom": lambda reading, value: replace(reading, phone=_number(value)),
    "phone": lambda reading, value: replace(reading, phone=_number(value)),
    "address": lambda reading, value: replace(reading, address=value),
    "gender": lambda reading, value: replace(reading, sex=GENDERS.get(_number(value))),
}
