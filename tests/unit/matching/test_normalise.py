from datetime import date

import pytest

from matching.documents import dni_check_characters
from matching.normalise import normalise
from matching.records import Demographics, Document, DocumentType


def names(**fields: object) -> tuple[str, str, str, tuple[str, ...]]:
    clean = normalise(Demographics(**fields))  # type: ignore[arg-type]
    return clean.paternal, clean.maternal, clean.married, clean.given


@pytest.mark.parametrize(
    ("written", "clean"),
    [
        ("PEÑA", "PENA"),
        ("PEÃ‘A", "PENA"),
        ("pe?a", "PENA"),
        ("Sánchez", "SANCHEZ"),
        ("R0JAS", "ROJAS"),
        ("5ANCHEZ", "SANCHEZ"),
        ("C4RMEN0", "CARMENO"),
        ("ROJAS 2", "ROJAS"),
        ("PEÃƒâ€˜A", "PENA"),
        ("GARCÃ\x8dA PEÃ‘A", "GARCIA"),
        ("D'Angelo", "DANGELO"),
        ("DE LA CRUZ", "DELACRUZ"),
        ("San Martín", "SANMARTIN"),
        ("Ponce de León", "PONCEDELEON"),
        ("NN", ""),
        ("xxx", ""),
        ("S/N", ""),
        ("No registra", ""),
        ("", ""),
    ],
)
def test_a_surname_has_one_spelling(written: str, clean: str) -> None:
    assert normalise(Demographics(paternal_surname=written)).paternal == clean


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"paternal_surname": "QUISPE DE FLORES", "sex": "F"}, ("QUISPE", "", "FLORES", ())),
        ({"paternal_surname": "QUISPE", "maternal_surname": "VDA. DE ROJAS"}, ("QUISPE", "", "ROJAS", ())),
        (
            {"paternal_surname": "QUISPE", "maternal_surname": "MAMANI VIUDA DE ROJAS"},
            ("QUISPE", "MAMANI", "ROJAS", ()),
        ),
        ({"paternal_surname": "QUISPE", "maternal_surname": "DE PAZ", "sex": "M"}, ("QUISPE", "DEPAZ", "", ())),
        ({"paternal_surname": "QUISPE", "maternal_surname": "VDA DE LA CRUZ"}, ("QUISPE", "", "DELACRUZ", ())),
        ({"paternal_surname": "QUISPE", "married_surname": "de la Cruz"}, ("QUISPE", "", "DELACRUZ", ())),
        ({"paternal_surname": "QUISPE", "married_surname": "DE ROJAS"}, ("QUISPE", "", "ROJAS", ())),
        ({"paternal_surname": "QUISPE DE LA CRUZ"}, ("QUISPE", "DELACRUZ", "", ())),
        ({"paternal_surname": "QUISPE MAMANI"}, ("QUISPE", "MAMANI", "", ())),
        ({"paternal_surname": "QUISPE MAMANI", "maternal_surname": "MAMANI"}, ("QUISPE", "MAMANI", "", ())),
        ({"given_names": "JUAN CARLOS QUISPE MAMANI"}, ("QUISPE", "MAMANI", "", ("JUAN", "CARLOS"))),
        ({"given_names": "QUISPE MAMANI JUAN CARLOS"}, ("QUISPE", "MAMANI", "", ("JUAN", "CARLOS"))),
        (
            {"paternal_surname": "QUISPE", "maternal_surname": "MAMANI", "given_names": "ROSA QUISPE MAMANI"},
            ("QUISPE", "MAMANI", "", ("ROSA",)),
        ),
        ({"given_names": "Manuel Germán Felipe Molina"}, ("MOLINA", "", "", ("MANUEL", "GERMAN", "FELIPE"))),
        ({"given_names": "Juan de la Cruz Mamani"}, ("DELACRUZ", "MAMANI", "", ("JUAN",))),
        ({"given_names": "Juan Quispe"}, ("QUISPE", "", "", ("JUAN",))),
        ({"given_names": "Rosa Elvira"}, ("", "", "", ("ROSA", "ELVIRA"))),
        ({"given_names": "A 2 A"}, ("", "", "", ("A", "A"))),
        (
            {"paternal_surname": "ROJAS", "given_names": "JUAN CARLOS MAMANI"},
            ("ROJAS", "MAMANI", "", ("JUAN", "CARLOS")),
        ),
        ({"paternal_surname": "ROJAS", "given_names": "ROJAS JUAN"}, ("ROJAS", "", "", ("JUAN",))),
        ({"paternal_surname": "ROJAS", "given_names": "ROSA LUNA"}, ("ROJAS", "", "", ("ROSA", "LUNA"))),
        ({"paternal_surname": "QUISPEMAMANI"}, ("QUISPE", "MAMANI", "", ())),
        ({"paternal_surname": "VILLANUEVA"}, ("VILLANUEVA", "", "", ())),
        ({"paternal_surname": "QUISPE MAMANI, JUAN CARLOS"}, ("QUISPE", "MAMANI", "", ("JUAN", "CARLOS"))),
        ({"paternal_surname": "QUISPE DE LA CRUZ VILLANUEVA"}, ("QUISPE", "DELACRUZVILLANUEVA", "", ())),
        (
            {"paternal_surname": "JUAN CARLOS", "maternal_surname": "MAMANI", "given_names": "DE LA CRUZ"},
            ("DELACRUZ", "MAMANI", "", ("JUAN", "CARLOS")),
        ),
        ({"paternal_surname": "ROSA", "given_names": "QUISPE MAMANI"}, ("QUISPE", "MAMANI", "", ("ROSA",))),
        ({"paternal_surname": "MARIA ELENA", "given_names": "WAJAJAY"}, ("WAJAJAY", "", "", ("MARIA", "ELENA"))),
        ({"maternal_surname": "ROSA MAMANI", "given_names": "QUISPE"}, ("QUISPE", "MAMANI", "", ("ROSA",))),
        ({"paternal_surname": "SANTOS", "given_names": "YHEYSON"}, ("SANTOS", "", "", ("YHEYSON",))),
        ({"paternal_surname": "VICENTE", "given_names": "CRUZ"}, ("VICENTE", "", "", ("CRUZ",))),
        ({"paternal_surname": "GABRIEL", "given_names": "DIEGO C"}, ("GABRIEL", "", "", ("DIEGO", "C"))),
        ({"paternal_surname": "ROSA", "given_names": "RN"}, ("ROSA", "", "", ())),
        ({"given_names": "JUANCARLOS"}, ("", "", "", ("JUAN", "CARLOS"))),
        ({"given_names": "Ma. del Carmen"}, ("", "", "", ("MARIA", "CARMEN"))),
        ({"given_names": "SEGUNDO MANUEL"}, ("", "", "", ("SEGUNDO", "MANUEL"))),
    ],
)
def test_names_are_taken_apart(fields: dict[str, object], expected: tuple[object, ...]) -> None:
    assert names(**fields) == expected


@pytest.mark.parametrize(
    ("written", "order"),
    [
        ("RN", None),
        ("R.N. 2", 2),
        ("RECIEN NACIDO", None),
        ("RN GEMELAR II", 2),
        ("HIJA DE ROSA", None),
        ("RN PRIMERO", 1),
    ],
)
def test_a_newborn_has_no_name_yet(written: str, order: int | None) -> None:
    clean = normalise(Demographics(given_names=written))
    assert (clean.newborn, clean.given, clean.birth_order) == (True, (), order)


@pytest.mark.parametrize(
    ("kind", "written", "clean"),
    [
        ("DNI", "10117410-2", "10117410"),
        ("DNI", "10117410G", "10117410"),
        ("DNI", "10101174102", "10117410"),
        ("DNI", " 7654321", "07654321"),
        ("DNI", "00000000", None),
        ("DNI", "12345678", None),
        ("DNI", "SIN DNI", None),
        ("CE", "1234567", "001234567"),
        ("PASSPORT", "ab-123456", "AB123456"),
        ("OTHER", "1", None),
    ],
)
def test_a_document_number_has_one_form(kind: str, written: str, clean: str | None) -> None:
    documents = normalise(Demographics(documents=(Document(DocumentType(kind), written),))).documents
    assert [document.number for document in documents] == ([clean] if clean else [])


@pytest.mark.parametrize(
    ("number", "characters"),
    [("10117410", "2G"), ("00000000", "6K"), ("12345678", "1E"), ("17801146", "0D"), ("74176968", "4I")],
)
def test_dni_check_characters(number: str, characters: str) -> None:
    assert dni_check_characters(number) == characters


def test_placeholders_elsewhere_are_missing() -> None:
    clean = normalise(
        Demographics(birth_date=date(1900, 1, 1), phone="999999999", ubigeo="000000", address="S/N", sex=None)
    )
    assert (clean.birth_date, clean.phone, clean.ubigeo, clean.address) == (None, "", "", frozenset())


@pytest.mark.parametrize(("month", "partial"), [(1, True), (7, True), (2, False)])
def test_what_stands_for_a_year_or_an_age_is_kept_as_a_partial_date(month: int, partial: bool) -> None:
    clean = normalise(Demographics(birth_date=date(1960, month, 1)))
    assert (clean.birth_date, clean.partial_birth) == (date(1960, month, 1), partial)


@pytest.mark.parametrize("written", ["S/N", "NO TIENE", "No refiere", "Domicilio conocido", "-", "SIN DIRECCION"])
def test_an_address_that_says_there_is_none_is_missing(written: str) -> None:
    assert normalise(Demographics(address=written)).address == frozenset()


@pytest.mark.parametrize(
    ("written", "clean"),
    [("984123456/234567", "984123456"), ("-/984123456", "984123456"), ("01 234-5678", "12345678"), ("NO TIENE", "")],
)
def test_of_several_telephones_the_first_counts(written: str, clean: str) -> None:
    assert normalise(Demographics(phone=written)).phone == clean


def test_contact_data_have_one_form() -> None:
    clean = normalise(Demographics(phone="+51 984-123-456", address="Avenida El Sol N° 456", ubigeo="080100"))
    assert (clean.phone, clean.address, clean.ubigeo) == ("984123456", frozenset({"AV", "SOL", "456"}), "0801")
