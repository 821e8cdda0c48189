"""What clerks do to names, numbers and dates in Peru, one line each: both records, and the level they agree at."""

from datetime import date

import pytest

from matching.blocking import blocking_keys
from matching.compare import compare
from matching.levels import FIELDS
from matching.normalise import Normalised, normalise
from matching.records import Demographics, Document, DocumentType

BORN = date(1985, 3, 12)
DNI = "41238567"


def record(facts: dict[str, object]) -> Normalised:
    number = facts.get("dni")
    documents = (Document(DocumentType.DNI, str(number)),) if number else ()
    return normalise(Demographics(documents=documents, **{k: v for k, v in facts.items() if k != "dni"}))  # type: ignore[arg-type]


def levels(one: dict[str, object], other: dict[str, object]) -> dict[str, str]:
    return dict(zip(FIELDS, compare(record(one), record(other)).levels, strict=True))


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        pytest.param("VASQUEZ", "BASQUEZ", "phonetic", id="b-v"),
        pytest.param("CEVALLOS", "SEVALLOS", "phonetic", id="c-s"),
        pytest.param("ZAVALA", "SAVALA", "phonetic", id="z-s"),
        pytest.param("LLANOS", "YANOS", "phonetic", id="ll-y"),
        pytest.param("HINOSTROZA", "INOSTROZA", "phonetic", id="silent-h"),
        pytest.param("JIMENEZ", "GIMENEZ", "phonetic", id="g-j"),
        pytest.param("HUAMAN", "GUAMAN", "phonetic", id="hua-gua"),
        pytest.param("HUAMAN", "WAMAN", "phonetic", id="hua-wa"),
        pytest.param("QUISPE", "KISPE", "phonetic", id="qu-k"),
        pytest.param("CCORI", "CORI", "phonetic", id="cc-c"),
        pytest.param("CCORI", "QORI", "phonetic", id="cc-q"),
        pytest.param("MAMANI", "MAMANE", "phonetic", id="i-e"),
        pytest.param("PEÑA", "PENA", "same", id="n-tilde-lost"),
        pytest.param("PEÑA", "PEÃ‘A", "same", id="mojibake-windows-1252"),
        pytest.param("PEÑA", "PE?A", "same", id="n-tilde-as-question-mark"),
        pytest.param("MUÑOZ", "MU\ufffdOZ", "same", id="n-tilde-as-replacement-character"),
        pytest.param("Sánchez", "SANCHEZ", "same", id="accents-and-capitals"),
        pytest.param("R0JAS", "ROJAS", "same", id="zero-for-o"),
        pytest.param("DE LA CRUZ", "DELACRUZ", "same", id="particles-joined"),
        pytest.param("DE LA CRUZ", "CRUZ", "near", id="particles-left-out"),
        pytest.param("TAYPE", "TAYME", "typo", id="a-slip-that-makes-no-name"),
        pytest.param("ROJAS", "ROSAS", "near", id="a-slip-that-makes-another-name"),
        pytest.param("QUISPE", "NN", "missing", id="placeholder-nn"),
        pytest.param("QUISPE", "NO REGISTRA", "missing", id="placeholder-in-words"),
    ],
)
def test_surname_spellings(one: str, other: str, level: str) -> None:
    assert levels({"paternal_surname": one}, {"paternal_surname": other})["paternal"] == level


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        pytest.param(
            {"paternal_surname": "QUISPE", "maternal_surname": "ROJAS"},
            {"paternal_surname": "ROJAS", "maternal_surname": "QUISPE"},
            {"paternal": "same", "maternal": "same", "surname_order": "swapped"},
            id="swapped",
        ),
        pytest.param(
            {"paternal_surname": "QUISPE", "maternal_surname": "ROJAS"},
            {"paternal_surname": "QUISPE ROJAS"},
            {"paternal": "same", "maternal": "same"},
            id="both-in-one-field",
        ),
        pytest.param(
            {"paternal_surname": "QUISPE", "maternal_surname": "ROJAS"},
            {"paternal_surname": "QUISPEROJAS"},
            {"paternal": "same", "maternal": "same"},
            id="joined",
        ),
        pytest.param(
            {"paternal_surname": "QUISPE", "maternal_surname": "ROJAS", "given_names": "JUAN"},
            {"given_names": "JUAN QUISPE ROJAS"},
            {"paternal": "same", "maternal": "same", "given": "same"},
            id="among-the-given-names",
        ),
        pytest.param(
            {"paternal_surname": "QUISPE", "maternal_surname": "ROJAS", "sex": "F"},
            {"paternal_surname": "QUISPE", "maternal_surname": "ROJAS DE LUNA", "sex": "F"},
            {"paternal": "same", "maternal": "same"},
            id="husband-after-de",
        ),
        pytest.param(
            {"paternal_surname": "QUISPE", "maternal_surname": "ROJAS", "sex": "F"},
            {"paternal_surname": "QUISPE", "maternal_surname": "ROJAS VDA DE LUNA", "sex": "F"},
            {"paternal": "same", "maternal": "same"},
            id="widow-vda-de",
        ),
        pytest.param(
            {"paternal_surname": "QUISPE", "maternal_surname": "ROJAS"},
            {"paternal_surname": "QUISPE"},
            {"paternal": "same", "maternal": "missing"},
            id="one-surname",
        ),
    ],
)
def test_surname_places(one: dict[str, object], other: dict[str, object], found: dict[str, str]) -> None:
    compared = levels(one, other)
    assert {field: compared[field] for field in found} == found


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        pytest.param("MARIA ELENA", "MA. ELENA", "same", id="abbreviation-ma"),
        pytest.param("MARIA ELENA", "MARIA E.", "initial", id="initial-of-the-second"),
        pytest.param("JUAN CARLOS", "J. CARLOS", "initial", id="initial-of-the-first"),
        pytest.param("JOSE", "PEPE", "variant", id="short-form-is-no-equality"),
        pytest.param("FRANCISCO", "FCO", "same", id="abbreviation-fco"),
        pytest.param("JUAN CARLOS", "CARLOS JUAN", "reordered", id="reordered"),
        pytest.param("JUAN CARLOS", "CARLOS", "subset", id="second-name-alone"),
        pytest.param("JUAN CARLOS", "JUANCARLOS", "same", id="run-together"),
        pytest.param("YESSICA", "JESSICA", "variant", id="y-j"),
        pytest.param("RN", "CARLOS", "missing", id="newborn"),
        pytest.param("RECIEN NACIDO DE ROSA", "CARLOS", "missing", id="newborn-in-words"),
        pytest.param("SIN NOMBRE", "CARLOS", "missing", id="placeholder"),
        pytest.param("MARIA DEL CARMEN", "MARIA CARMEN", "same", id="particle"),
    ],
)
def test_given_names(one: str, other: str, level: str) -> None:
    assert levels({"given_names": one}, {"given_names": other})["given"] == level


@pytest.mark.parametrize(
    ("other", "level"),
    [
        pytest.param("41238576", "slip", id="two-digits-exchanged"),
        pytest.param("41238467", "slip", id="one-digit-wrong"),
        pytest.param("4123867", "slip", id="one-digit-lost"),
        pytest.param("41238568", "adjacent", id="next-in-the-series"),
        pytest.param("00000000", "missing", id="placeholder-zeros"),
        pytest.param("12345678", "missing", id="placeholder-series"),
        pytest.param("71999111", "different", id="another-number"),
    ],
)
def test_documents(other: str, level: str) -> None:
    assert levels({"dni": DNI}, {"dni": other})["document"] == level


@pytest.mark.parametrize(
    ("other", "level"),
    [
        pytest.param(date(1985, 12, 3), "swapped", id="day-and-month-exchanged"),
        pytest.param(date(1985, 3, 13), "slip", id="one-digit-of-the-day"),
        pytest.param(date(1986, 3, 12), "slip", id="one-digit-of-the-year"),
        pytest.param(date(1975, 3, 12), "slip", id="a-decade-off"),
        pytest.param(date(1985, 1, 1), "year_only", id="first-of-january"),
        pytest.param(date(1900, 1, 1), "missing", id="placeholder-1900"),
    ],
)
def test_birth_dates(other: date, level: str) -> None:
    assert levels({"birth_date": BORN}, {"birth_date": other})["birth"] == level


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"paternal_surname": "GUAMAN", "maternal_surname": "KISPE"}, id="by-ear"),
        pytest.param({"paternal_surname": "QUISPE", "maternal_surname": "HUAMAN"}, id="swapped"),
        pytest.param({"given_names": "J. CARLOS"}, id="initial"),
        pytest.param({"birth_date": date(1985, 12, 3)}, id="day-and-month-exchanged"),
        pytest.param({"birth_date": date(1975, 3, 12)}, id="a-decade-off"),
        pytest.param({"birth_date": date(1985, 1, 1)}, id="first-of-january"),
        pytest.param({"paternal_surname": "HUAMAN QUISPE", "maternal_surname": None}, id="both-in-one-field"),
    ],
)
def test_each_is_found_again_without_a_number(changes: dict[str, object]) -> None:
    known: dict[str, object] = {
        "paternal_surname": "HUAMAN",
        "maternal_surname": "QUISPE",
        "given_names": "JUAN CARLOS",
        "birth_date": BORN,
        "ubigeo": "080101",
    }
    assert blocking_keys(record(known)) & blocking_keys(record(known | changes))
