"""The fixed people of the story `demo` tells, and the records two establishments keep of one of them."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sandbox.clerks import Record, write_down
from sandbox.clinical import ALLERGIES, MEDICATION, allergy, encounter, medication
from sandbox.documents import ClinicalDocument, prescription
from sandbox.places import ESTABLISHMENTS
from sandbox.population import Document, Person

ASKING, HOLDING = ESTABLISHMENTS[0], ESTABLISHMENTS[1]
ASKING_NUMBER, HOLDING_NUMBER = ASKING.local_number(1), HOLDING.local_number(1)


@dataclass(frozen=True, slots=True)
class Worker:
    """Somebody who works with the registry: at an establishment under a college number, or as staff."""

    person: Person
    roles: tuple[str, ...]
    college_number: str = ""
    renipress: str = ""
    administers: str = ""
    """The establishment whose files they look after."""


def _person(number: int, given: str, paternal: str, maternal: str, sex: str, born: date) -> Person:
    return Person(
        id=f"S{number:06d}",
        household=f"S{number:06d}",
        document=Document("dni", f"{94_900_000 + number * 137:08d}"),
        given_names=given,
        paternal_surname=paternal,
        maternal_surname=maternal,
        married_surname="",
        sex=sex,
        birth_date=born,
        birth_ubigeo="080101",
        ubigeo="150128",
        address="JR. LOS CEDROS 412",
        phone=f"9{80_000_000 + number * 7919:08d}",
    )


PATIENT = _person(1, "ROSA MARIA", "HUAMAN", "QUISPE", "F", date(1984, 3, 12))
PHYSICIAN = Worker(
    _person(2, "JULIO CESAR", "VALDIVIA", "RAMOS", "M", date(1979, 8, 4)), ("professional",), "990101", ASKING.renipress
)
WORKERS = (
    PHYSICIAN,
    Worker(
        _person(3, "NELLY", "CCORIMANYA", "TUPA", "F", date(1982, 11, 23)),
        ("professional",),
        "990102",
        HOLDING.renipress,
    ),
    Worker(_person(4, "CARLA PATRICIA", "ZEVALLOS", "NUÑEZ", "F", date(1990, 5, 17)), ("analyst",)),
    Worker(_person(5, "HUGO", "PALOMINO", "VARGAS", "M", date(1975, 1, 30)), ("steward",)),
    Worker(_person(6, "ANA LUCIA", "BENITES", "DEL AGUILA", "F", date(1987, 9, 9)), ("administrator",)),
    Worker(_person(7, "MARIO ERNESTO", "TITO", "PALACIOS", "M", date(1969, 3, 14)), ("privacy-officer",)),
    Worker(_person(8, "MARITZA ELENA", "SULCA", "HUARCAYA", "F", date(1984, 6, 2)), ("steward",)),
    Worker(
        _person(9, "ROSENDO", "CHAUCA", "MEZA", "M", date(1981, 4, 21)),
        ("establishment-administrator",),
        administers=ASKING.renipress,
    ),
)
ANALYST = WORKERS[2]
STEWARD, SECOND_STEWARD = WORKERS[3], WORKERS[6]
ESTABLISHMENT_ADMINISTRATOR = WORKERS[7]
PEOPLE = (PATIENT, *(worker.person for worker in WORKERS))


def asking_record() -> Record:
    """Return what establishment A writes when the patient arrives: correct but for a hurried given name."""
    careful = write_down(PATIENT, ASKING.renipress, ASKING_NUMBER)
    return replace(careful, given_names="ROSA MARYA", slips=("mistyped-given-name",))


def holding_record() -> Record:
    """Return what establishment B had written years before, by ear."""
    return replace(
        write_down(PATIENT, HOLDING.renipress, HOLDING_NUMBER),
        paternal_surname="GUAMAN",
        maternal_surname="QISPE",
        ubigeo="080101",
        address="CALLE SAPHY 208",
        slips=("misheard-surname", "old-address"),
    )


def holding_document() -> ClinicalDocument:
    """Return the one document B keeps of the patient: the prescription of her last control."""
    return prescription(holding_record(), "losartán 50 mg, 1 tableta cada 12 horas", date(2024, 2, 6))


def holding_history() -> list[dict[str, Any]]:
    """Return the clinical data only B holds: allergies, medication and encounters."""
    record = holding_record()
    return [
        allergy(record, ALLERGIES[0], date(2019, 4, 2)),
        allergy(record, ALLERGIES[3], date(2021, 10, 18)),
        medication(record, MEDICATION[0], date(2024, 2, 6)),
        medication(record, MEDICATION[1], date(2024, 2, 6)),
        encounter(record, "medicina-interna", date(2024, 2, 6)),
        encounter(record, "medicina-interna", date(2025, 8, 20)),
        encounter(record, "emergencia", date(2025, 12, 24)),
    ]
