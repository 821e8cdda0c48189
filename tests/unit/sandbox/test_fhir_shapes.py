"""What establishments send and serve is FHIR R4, and hides nothing the clerk wrote."""

from datetime import date
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from sandbox import story
from sandbox.archive import keep_records
from sandbox.clerks import Record, write_down
from sandbox.clinical import TYPES, keep_history
from sandbox.patient import KINDS, to_patient
from sandbox.population import Document, Population


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(keep_records(Population(3).people(60)))


def validate(resource: dict[str, Any]) -> None:
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)


def test_patients_validate(records: list[Record]) -> None:
    for record in [*records, story.asking_record(), story.holding_record()]:
        validate(to_patient(record))


def test_clinical_records_validate_and_have_ids_of_their_own(records: list[Record]) -> None:
    resources = [resource for record in records for resource in keep_history(record)]
    assert {resource["resourceType"] for resource in resources} == set(TYPES)
    assert len({resource["id"] for resource in resources}) == len(resources)
    for resource in resources:
        element = "patient" if resource["resourceType"] in {"AllergyIntolerance", "Immunization"} else "subject"
        validate(resource | {element: {"identifier": {"value": "x"}}})


def test_history_is_the_same_each_time(records: list[Record]) -> None:
    assert [list(keep_history(r)) for r in records] == [list(keep_history(r)) for r in records]


def test_patient_carries_the_peruvian_shapes() -> None:
    patient = to_patient(story.holding_record())
    local, dni = patient["identifier"]
    assert local["system"].endswith("/hc-00990002")
    assert dni["type"]["coding"][0]["code"] == KINDS["dni"]
    assert patient["name"][0]["family"] == "GUAMAN"
    assert patient["name"][0]["_family"]["extension"][0]["valueString"] == "QISPE"
    assert patient["birthDate"] == "1984-03-12"


def test_what_the_clerk_left_out_is_absent() -> None:
    person = story.PATIENT
    record = write_down(person, "00990001", "77")
    bare = Record(**{name: getattr(record, name) for name in Record.__slots__} | {
        "document": None, "birth_date": None, "maternal_surname": "", "phone": "",
    })  # fmt: skip
    patient = to_patient(bare)
    assert len(patient["identifier"]) == 1
    assert not {"birthDate", "telecom", "_birthDate"} & patient.keys()
    assert "_family" not in patient["name"][0]


def test_passports_name_their_country() -> None:
    record = write_down(story.PATIENT, "00990001", "78")
    passport = Record(**{name: getattr(record, name) for name in Record.__slots__} | {
        "document": Document("passport", "A12345678", "VEN"),
    })  # fmt: skip
    assert to_patient(passport)["identifier"][1]["system"] == "http://hl7.org/fhir/sid/passport-VEN"


def test_only_the_holding_establishment_has_the_story_s_records() -> None:
    kinds = [resource["resourceType"] for resource in story.holding_history()]
    assert kinds.count("AllergyIntolerance") == 2
    assert kinds.count("MedicationStatement") == 2
    assert kinds.count("Encounter") == 3
    assert story.asking_record().paternal_surname != story.holding_record().paternal_surname
    assert story.asking_record().birth_date == date(1984, 3, 12)
