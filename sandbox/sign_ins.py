"""Who can sign in to a sandbox, and whom its story is about."""

from typing import Any

from sandbox import story
from sandbox.citizens import ADULT, Citizens
from sandbox.patient import to_patient
from sandbox.population import Person

Json = dict[str, Any]
LISTED = 12  # patients besides the story's whose sign-ins are shown


def dni_of(person: Person) -> Json:
    """The document a person is known by, as files name it."""
    return {"type": "DNI", "number": person.document.number if person.document else ""}


def the_story() -> Json:
    """Whom the story is about, and the records it registers."""
    return {
        "patient": dni_of(story.PATIENT),
        "professional": {
            "document": dni_of(story.PHYSICIAN.person),
            "college": "CMP",
            "number": story.PHYSICIAN.college_number,
        },
        "analyst": dni_of(story.ANALYST.person),
        "asking": {
            "renipress": story.ASKING.renipress,
            "local_number": story.ASKING_NUMBER,
            "patient": to_patient(story.asking_record()),
        },
        "holding": {
            "renipress": story.HOLDING.renipress,
            "local_number": story.HOLDING_NUMBER,
            "patient": to_patient(story.holding_record()),
        },
    }


def sign_ins(people: list[Person], citizens: Citizens) -> list[Json]:
    """How the story's people, and some more patients, sign in."""
    adults = [p for p in people if p.document and p.document.type == "dni" and p.age >= ADULT]
    listed = [
        (story.PATIENT, ("patient",), ""),
        *((worker.person, worker.roles, worker.renipress) for worker in story.WORKERS),
        *((person, ("patient",), "") for person in adults[:LISTED]),
    ]
    return [_sign_in(person, roles, renipress, citizens) for person, roles, renipress in listed]


def _sign_in(person: Person, roles: tuple[str, ...], renipress: str, citizens: Citizens) -> Json:
    document = dni_of(person)
    citizen = citizens.find(document["number"])
    credentials = {"password": citizen.password, "otp": citizen.otp, "pin": citizen.pin} if citizen else {}
    name = f"{person.given_names} {person.paternal_surname} {person.maternal_surname}".strip()
    place = {"establishment": renipress} if renipress else {}
    return {"roles": list(roles), "document": document, "name": name} | credentials | place
