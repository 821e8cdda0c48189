"""Peruvian shapes of a Patient, read as demographics."""

from datetime import date
from typing import Any

import pytest

from matching.records import Document, DocumentType
from registry.fhir.patient_reading import local_numbers, to_demographics
from registry.fhir.wire import InvalidResource

Json = dict[str, Any]
BASE = "https://www.gob.pe/minsa/RENHICE/fhir"
TYPES = f"{BASE}/CodeSystem/IdspersonaPeru"
MOTHERS = "http://hl7.org/fhir/StructureDefinition/humanname-mothers-family"
THIRD = f"{BASE}/StructureDefinition/pe-tercerapellido"
PARTNER = "http://hl7.org/fhir/StructureDefinition/humanname-partner-name"


def read(**patient: Any) -> Any:
    return to_demographics({"resourceType": "Patient"} | patient)


def name(family: str | None = "Quispe", *extensions: tuple[str, str], **more: Any) -> Json:
    listed = [{"url": url, "valueString": value} for url, value in extensions]
    made: Json = {"given": ["Ana", "Luz"]} | more
    if family:
        made["family"] = family
    return made | ({"_family": {"extension": listed}} if listed else {})


@pytest.mark.parametrize("url", [MOTHERS, MOTHERS.replace("http:", "https:"), THIRD])
def test_maternal_surname_by_any_extension(url: str) -> None:
    facts = read(name=[name("Quispe", (url, "Mamani"))])
    assert (facts.paternal_surname, facts.maternal_surname, facts.given_names) == ("Quispe", "Mamani", "Ana Luz")


def test_maternal_surname_from_mothers_maiden_name() -> None:
    extension = [{"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "Mamani"}]
    assert read(name=[name()], extension=extension).maternal_surname == "Mamani"


def test_third_surname_beside_the_mothers_is_the_husbands() -> None:
    facts = read(name=[name("Quispe", (MOTHERS, "Mamani"), (THIRD, "Flores"))])
    assert (facts.maternal_surname, facts.married_surname) == ("Mamani", "Flores")
    assert read(name=[name("Quispe", (MOTHERS, "Mamani"), (THIRD, "Mamani"))]).married_surname is None


def test_partner_name_is_the_married_surname() -> None:
    assert read(name=[name("Quispe", (PARTNER, "Flores"))]).married_surname == "Flores"


def test_maiden_name_gives_the_own_surnames_and_official_the_husbands() -> None:
    facts = read(name=[name("Flores", use="official"), name("Quispe", (MOTHERS, "Mamani"), use="maiden")])
    assert (facts.paternal_surname, facts.maternal_surname) == ("Quispe", "Mamani")
    assert facts.married_surname == "Flores"


def test_official_name_outranks_usual_and_old() -> None:
    facts = read(name=[name("Viejo", use="old"), name("Usual", use="usual"), name("Legal", use="official")])
    assert facts.paternal_surname == "Legal"


def test_name_as_text_only() -> None:
    assert read(name=[{"text": "QUISPE MAMANI ANA"}]).given_names == "QUISPE MAMANI ANA"


@pytest.mark.parametrize(
    ("identifier", "document"),
    [
        ({"type": {"coding": [{"system": TYPES, "code": "1"}]}}, Document(DocumentType.DNI, "40718293")),
        ({"type": {"coding": [{"system": TYPES, "code": "2"}]}}, Document(DocumentType.CE, "40718293")),
        ({"type": {"coding": [{"code": "DNI"}]}}, Document(DocumentType.DNI, "40718293")),
        ({"system": "urn:oid:2.16.840.1.113883.4.904"}, Document(DocumentType.DNI, "40718293")),
        ({"system": f"{BASE}/NamingSystem/ptp"}, Document(DocumentType.PTP, "40718293")),
        (
            {"system": "http://hl7.org/fhir/sid/passport-VEN", "type": {"coding": [{"system": TYPES, "code": "3"}]}},
            Document(DocumentType.PASSPORT, "40718293", "VEN"),
        ),
        (
            {"system": "https://old.example/dni", "type": {"coding": [{"code": "1"}]}},
            Document(DocumentType.DNI, "40718293"),
        ),
    ],
)
def test_kinds_of_document(identifier: Json, document: Document) -> None:
    assert read(identifier=[identifier | {"value": " 40718293 "}]).documents == (document,)


@pytest.mark.parametrize("key", ["valueString", "valueCode", "valueCodeableConcept", "valueCoding"])
def test_country_of_issue_by_any_value(key: str) -> None:
    code: Any = (
        {"coding": [{"code": "COL"}]} if key.endswith("Concept") else {"code": "COL"} if "Coding" in key else "COL"
    )
    kind = {"coding": [{"code": "3"}], "extension": [{"url": f"{BASE}/StructureDefinition/pe-pais", key: code}]}
    assert read(identifier=[{"type": kind, "value": "AB123456"}]).documents[0].country == "COL"


@pytest.mark.parametrize(
    "identifier",
    [
        {"system": "https://local.example", "value": "7", "type": {"coding": [{"code": "1"}]}},
        {"system": f"{BASE}/NamingSystem/registro", "value": "7", "type": {"coding": [{"code": "1"}]}},
        {"use": "old", "type": {"coding": [{"code": "1"}]}, "value": "40718293"},
        {"type": {"coding": [{"system": "http://elsewhere.example", "code": "1"}]}, "value": "7"},
        {"type": {"coding": [{"code": "1"}]}},
    ],
)
def test_what_is_no_document(identifier: Json) -> None:
    assert to_demographics({"identifier": [identifier]}, local_system="https://local.example").documents == ()


@pytest.mark.parametrize(
    ("text", "born"),
    [("1984-07-19", date(1984, 7, 19)), ("1984-07", date(1984, 1, 1)), ("1984", date(1984, 1, 1)), (None, None)],
)
def test_birth_date(text: str | None, born: date | None) -> None:
    assert read(**({"birthDate": text} if text else {})).birth_date == born


def test_ubigeo_address_phone_mother_and_birth_order() -> None:
    ubigeo = [{"url": f"{BASE}/StructureDefinition/pe-ubigeo", "valueCode": "080101"}]
    mother = {"type": {"coding": [{"code": "1"}]}, "value": "09988776"}
    facts = read(
        address=[
            {"use": "work", "line": ["Otro"]},
            {"use": "home", "line": ["Jr. Uno", "2"], "_city": {"extension": ubigeo}},
        ],
        telecom=[
            {"system": "email", "value": "a@b"},
            {"system": "phone", "value": "1"},
            {"system": "phone", "use": "mobile", "value": "2"},
        ],
        extension=[{"url": f"{BASE}/StructureDefinition/documento-madre", "valueIdentifier": mother}],
        multipleBirthInteger=2,
    )
    assert (facts.ubigeo, facts.address, facts.phone, facts.multiple_birth_order) == ("080101", "Jr. Uno 2", "2", 2)
    assert facts.mother_document == Document(DocumentType.DNI, "09988776")


@pytest.mark.parametrize(
    ("patient", "path"),
    [
        ({"birthDate": "2999-01-01"}, "Patient.birthDate"),
        ({"name": [name("Q" * 201)]}, "Patient.name[0].family"),
        ({"identifier": [{"value": str(n)} for n in range(30)]}, "Patient.identifier"),
        ({"multipleBirthInteger": 99}, "Patient.multipleBirthInteger"),
        ({"identifier": [{"system": "http://hl7.org/fhir/sid/passport-", "value": "1"}]}, "Patient.identifier[0].type"),
    ],
)
def test_what_breaks_a_rule_is_named(patient: Json, path: str) -> None:
    with pytest.raises(InvalidResource) as caught:
        read(**patient)
    assert caught.value.details[0]["expression"] == path


def test_local_numbers() -> None:
    old = {"use": "old", "system": "s", "value": "0"}
    identifiers = [{"system": "s", "value": " 1 "}, {"system": "t", "value": "2"}, {"system": "s"}, old]
    assert local_numbers({"identifier": identifiers}, "s") == ["1"]
