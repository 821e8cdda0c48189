from dataclasses import replace
from datetime import date

import pytest

from matching.compare import (
    ASPECTS,
    compare_address,
    compare_birth,
    compare_documents,
    compare_mother,
    compare_phone,
    compare_place,
)
from matching.compare_names import compare_given, compare_surnames
from matching.levels import FIELDS, LEVELS
from matching.normalise import Normalised, normalise
from matching.records import Demographics, Document, DocumentType


def named(**fields: object) -> Normalised:
    return normalise(Demographics(**fields))  # type: ignore[arg-type]


def papers(*documents: tuple[str, str]) -> Normalised:
    return Normalised(documents=tuple(Document(DocumentType(kind), number) for kind, number in documents))


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ([("DNI", "41238567")], [("DNI", "41238567")], "same"),
        ([("DNI", "41238567")], [("OTHER", "41238567")], "other_type"),
        ([("DNI", "41238567")], [("DNI", "41238576")], "slip"),
        ([("DNI", "41238567")], [("DNI", "41238467")], "slip"),
        ([("DNI", "01877143")], [("DNI", "00187143")], "slip"),
        ([("DNI", "41238567")], [("DNI", "41238568")], "adjacent"),
        ([("DNI", "41238569")], [("DNI", "41238571")], "adjacent"),
        ([("DNI", "41238567")], [("DNI", "71999111")], "different"),
        ([("DNI", "41238567")], [("CE", "001999111")], "missing"),
        ([("PASSPORT", "AB123456")], [("PASSPORT", "XY987654")], "missing"),
        ([("DNI", "41238567"), ("CE", "001999111")], [("DNI", "71999111"), ("CE", "001999111")], "same"),
        ([], [("DNI", "41238567")], "missing"),
    ],
)
def test_documents(one: list[tuple[str, str]], other: list[tuple[str, str]], level: str) -> None:
    assert compare_documents(papers(*one), papers(*other)) == level
    assert compare_documents(papers(*other), papers(*one)) == level


@pytest.mark.parametrize(
    ("one", "other", "levels", "order"),
    [
        (("QUISPE", "ROJAS"), ("QUISPE", "ROJAS"), ("same", "same"), "straight"),
        (("QUISPE", "ROJAS"), ("KISPE", "ROHAS"), ("phonetic", "typo"), "straight"),
        (("TAYPE", "ROJAS"), ("TAYME", "ROSAS"), ("typo", "near"), "straight"),
        (("QUISPE", "ROJAS"), ("ROJAS", "QUISPE"), ("same", "same"), "swapped"),
        (("QUISPE", None), ("ROJAS", "QUISPE"), ("same", "missing"), "swapped"),
        (("QUISPE", "ROJAS"), ("QUISPEROJAS", None), ("same", "same"), "straight"),
        (("QUISPE", "YAUYOSI"), ("QUISPEYAUYOSI", None), ("joined", "missing"), "straight"),
        (("QUISPE", "RIOS"), ("QUISPE", "RIO"), ("same", "typo"), "straight"),
        (("DE LA CRUZ", "ROJAS"), ("CRUZ", "ROJAS"), ("near", "same"), "straight"),
        (("QUISPE", "ROJAS"), ("LUNA", "VERA"), ("different", "different"), "missing"),
        (("QUISPE", None), (None, None), ("missing", "missing"), "missing"),
    ],
)
def test_surnames(
    one: tuple[str | None, ...], other: tuple[str | None, ...], levels: tuple[str, str], order: str
) -> None:
    a, b = (named(paternal_surname=pair[0], maternal_surname=pair[1]) for pair in (one, other))
    paternal, maternal, found = compare_surnames(a, b)
    assert ((paternal[0], maternal[0]), found[0]) == (levels, order)


def test_a_husbands_surname_in_place_of_the_mothers_is_no_difference() -> None:
    own = named(paternal_surname="QUISPE", maternal_surname="ROJAS", married_surname="LUNA", sex="F")
    other = named(paternal_surname="QUISPE", maternal_surname="LUNA", sex="F")
    assert compare_surnames(own, other)[1][0] == "husband"


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("ROSA ELVIRA", "ROSA ELVIRA", "same"),
        ("ROSA ELVIRA", "ELVIRA ROSA", "reordered"),
        ("YESSICA", "JESICA", "variant"),
        ("JOSE", "PEPE", "variant"),
        ("CARMEN", "CARMENCITA", "variant"),
        ("GUADALUPE", "LUPITA", "variant"),
        ("BLANCA", "BLANQUITA", "variant"),
        ("JUANA", "JUANA K", "subset"),
        ("JUAN CARLOS", "JUANCARLOS", "same"),
        ("ELEAZAR", "ELEAZXR", "typo"),
        ("ROSA ELVIRA", "ROSA", "subset"),
        ("ROSA ELVIRA", "ELVIRA", "subset"),
        ("ROSA ELVIRA", "ROSAELENA", "partial"),
        ("ROSA ELVIRA", "ROSA E", "initial"),
        ("MARIO", "MARIA", "near"),
        ("ROSA ELVIRA", "ROSA CARMEN", "partial"),
        ("ROSA", "CARMEN", "different"),
        ("RN", "CARMEN", "missing"),
    ],
)
def test_given_names(one: str, other: str, level: str) -> None:
    a, b = named(given_names=one), named(given_names=other)
    assert compare_given(a, b)[0] == compare_given(b, a)[0] == level


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        (date(1985, 3, 12), date(1985, 3, 12), "same"),
        (date(1985, 1, 1), date(1985, 1, 1), "same_partial"),
        (date(1985, 3, 12), date(1985, 12, 3), "swapped"),
        (date(1985, 3, 12), date(1985, 3, 22), "slip"),
        (date(1985, 3, 12), date(1975, 3, 12), "slip"),
        (date(1985, 3, 12), date(1985, 3, 21), "part"),
        (date(1985, 3, 12), date(1958, 3, 12), "part"),
        (date(1985, 3, 12), date(1985, 1, 1), "year_only"),
        (date(1985, 3, 12), date(1985, 7, 28), "year"),
        (date(1985, 3, 12), date(1987, 7, 28), "close"),
        (date(1985, 3, 12), date(1960, 7, 28), "generation"),
        (date(1985, 3, 12), date(1993, 7, 28), "different"),
        (date(1985, 3, 12), None, "missing"),
    ],
)
def test_birth_dates(one: date, other: date | None, level: str) -> None:
    a, b = named(birth_date=one), named(birth_date=other)
    assert compare_birth(a, b) == compare_birth(b, a) == level


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("150101", "150101", "district"),
        ("150101", "150132", "province"),
        ("150101", "1501", "province"),
        ("150101", "151001", "department"),
        ("150101", "080101", "different"),
        ("150101", None, "missing"),
    ],
)
def test_places(one: str, other: str | None, level: str) -> None:
    assert compare_place(named(ubigeo=one), named(ubigeo=other)) == level


def test_contacts() -> None:
    home = named(address="Av. El Sol 456", phone="984123456")
    assert compare_address(home, named(address="AVENIDA EL SOL 456")) == "same"
    assert compare_address(home, named(address="Av. El Sol 456 Urb. Wanchaq")) == "similar"
    assert compare_address(home, named(address="Jr. Puno 12")) == "different"
    assert compare_phone(home, named(phone="+51 984123456")) == "same"
    assert compare_phone(home, named(phone="984123465")) == "slip"
    assert compare_phone(home, named(phone="912000111")) == "different"


def test_an_address_without_a_number_is_a_community_and_no_home() -> None:
    community = named(address="C.P. Huayllapampa S/N")
    assert compare_address(community, community) == "similar"
    lot = named(address="AA.HH. Villa Sol Mz. B Lt. 12")
    assert compare_address(lot, lot) == "same"


def test_mothers() -> None:
    mother = Document(DocumentType.DNI, "41238567")
    child = Normalised(mother_document=mother)
    assert compare_mother(child, replace(child, sex="M")) == "same"
    assert compare_mother(child, Normalised(mother_document=Document(DocumentType.DNI, "41238576"))) == "slip"
    assert compare_mother(child, Normalised(mother_document=Document(DocumentType.DNI, "70999111"))) == "different"
    assert compare_mother(child, Normalised(documents=(mother,))) == "own"
    assert compare_mother(Normalised(documents=(mother,)), child) == "own"
    assert compare_mother(child, Normalised()) == "missing"


def test_every_field_has_levels() -> None:
    assert tuple(LEVELS) == FIELDS == tuple(field for aspect in ASPECTS for field in aspect.fields)
