"""Demographics written as a FHIR Patient (PE Core); what each reader may see of a person; pure."""

from collections.abc import Collection, Iterable

from matching.normalise import normalise
from matching.records import Demographics, Document, DocumentType
from registry.database import now
from registry.fhir import systems
from registry.fhir.wire import Json
from registry.identity.contents import NOTHING_ASIDE, Aside
from registry.identity.service import Content, LoadedMember, LoadedPerson, born_of, preferred_of

GENDERS = {"M": "male", "F": "female"}
PROFILE = f"{systems.BASE}/StructureDefinition/PacientePe"


def own_record(member: LoadedMember, person_id: str) -> Json:
    """A source record as its own record system may see it: everything it said, and whose record it is."""
    local = {
        "use": "usual",
        "type": _kind(systems.V2_ID_TYPES, "MR", "PER"),
        "system": member.content.local_system,
        "value": member.content.local_number,
    }
    documents = [document_identifier(document) for document in member.content.demographics.documents]
    return {
        "resourceType": "Patient",
        "id": str(member.record_id),
        "meta": {
            "versionId": str(member.version),
            "lastUpdated": member.received_at.isoformat(timespec="milliseconds"),
            "profile": [PROFILE],
        },
        **_facts(member.content.demographics, member.content.aside, _mother_number(member.content)),
        **_contact(member.content),
        **_born(member.content.born),
        "identifier": [local, _registry_identifier(systems.SOURCE_RECORD, str(member.record_id)), *documents],
        "active": member.active,
        **_deceased(member.content.deceased),
        "link": [*_replaced_by(member), {"other": {"reference": f"Patient/{person_id}"}, "type": "refer"}],
    }


def _mother_number(content: Content) -> Json | None:
    return {"system": content.local_system, "value": content.mother_number} if content.mother_number else None


def _contact(content: Content) -> Json:
    """The mother, as far as more of her is known than her surname."""
    given = (content.aside.mother_given_names or "").split()
    role = {"coding": [{"system": systems.ROLES, "code": systems.MOTHER}]}
    family = content.demographics.maternal_surname
    named = _present({"family": family, "given": given})
    return {"contact": [{"relationship": [role], "name": named}]} if given else {}


def _born(said: str | None) -> Json:
    """The birth date as it was said: perhaps a year or a month."""
    return {"birthDate": said} if said else {}


def _replaced_by(member: LoadedMember) -> list[Json]:
    if member.replaced_by is None:
        return []
    return [{"other": {"reference": f"Patient/{member.replaced_by}"}, "type": "replaced-by"}]


def _deceased(said: str | None) -> Json:
    if said is None:
        return {}
    return {"deceasedBoolean": True} if said == "true" else {"deceasedDateTime": said}


def recognisable(person: LoadedPerson, known: Collection[Document]) -> Json:
    """What any record system may see of a person: name, birth date, sex, person id; of the documents those `known`."""
    facts = preferred_of(person)
    carried = {d for one in person.members for d in one.normalised.documents}
    shown = [d for d in normalise(Demographics(documents=tuple(known))).documents if d in carried]
    minimal = Demographics(
        paternal_surname=facts.paternal_surname,
        maternal_surname=facts.maternal_surname,
        married_surname=facts.married_surname,
        given_names=facts.given_names,
        sex=facts.sex,
    )
    identifiers = [_registry_identifier(systems.PERSON, str(person.person_id)), *map(document_identifier, shown)]
    return {
        "resourceType": "Patient",
        "id": str(person.person_id),
        "meta": {
            "versionId": str(person.revision),
            "lastUpdated": max((one.received_at for one in person.members), default=now()).isoformat(
                timespec="milliseconds"
            ),
        },
        **_facts(minimal),
        **_born(born_of(person, facts)),
        "identifier": identifiers,
        "active": True,
    }


def replaced(person_id: str, current_id: str) -> Json:
    """A person that was found to be another one."""
    return {
        "resourceType": "Patient",
        "id": person_id,
        "active": False,
        "identifier": [_registry_identifier(systems.PERSON, person_id)],
        "link": [{"other": {"reference": f"Patient/{current_id}"}, "type": "replaced-by"}],
    }


def document_identifier(document: Document) -> Json:
    """A document as an identifier with system where one is published, type and country."""
    if document.type is DocumentType.PASSPORT:
        system: str | None = f"{systems.PASSPORT_PREFIX}{document.country}"
    else:
        system = systems.SYSTEM_OF.get(document.type)
    kind = _kind(systems.ID_TYPES, systems.CODE_OF[document.type], document.country)
    return _present({"use": "official", "type": kind, "system": system, "value": document.number})


def _registry_identifier(system: str, value: str) -> Json:
    return {"use": "secondary", "type": _kind(systems.V2_ID_TYPES, "RI", "PER"), "system": system, "value": value}


def _kind(system: str, code: str, country: str) -> Json:
    """The type of an identifier with the country that issued it: PE Core asks for both, of every identifier."""
    issuer = {"coding": [{"system": systems.COUNTRIES, "code": country}]}
    return {
        "extension": [{"url": systems.COUNTRY, "valueCodeableConcept": issuer}],
        "coding": [{"system": system, "code": code}],
    }


def _present(element: Json) -> Json:
    return {key: value for key, value in element.items() if value not in (None, [], {})}


def _facts(facts: Demographics, aside: Aside = NOTHING_ASIDE, mother_number: Json | None = None) -> Json:
    """The demographic elements, those that are missing left out."""
    document = document_identifier(facts.mother_document) if facts.mother_document else None
    mother = [{"url": systems.MOTHERS_DOCUMENT, "valueIdentifier": one} for one in (mother_number, document) if one]
    phones = [{"system": "phone", "value": facts.phone}] if facts.phone else []
    phones += [{"system": "phone", "value": aside.work_phone, "use": "work"}] if aside.work_phone else []
    return _present(
        {
            "extension": [*_strings((systems.MOTHERS_MAIDEN_NAME, facts.maternal_surname)), *mother],
            "name": [name] if (name := _name(facts)) else [],
            "telecom": phones,
            "gender": GENDERS.get(facts.sex or "", "unknown"),
            "address": [address] if (address := _address(facts, aside)) else [],
            "multipleBirthInteger": facts.multiple_birth_order,
        }
    )


def _name(facts: Demographics) -> Json:
    extension = _strings(
        (systems.MOTHERS_FAMILY, facts.maternal_surname), (systems.PARTNER_NAME, facts.married_surname)
    )
    named = _present(
        {
            "family": facts.paternal_surname,
            "_family": {"extension": extension} if extension else None,
            "given": (facts.given_names or "").split(),
        }
    )
    return {"use": "official", **named} if named else {}


def _address(facts: Demographics, aside: Aside) -> Json:
    placed = _present(
        {
            "extension": _strings((systems.UBIGEO, facts.ubigeo)),
            "line": [facts.address] if facts.address else [],
            "city": aside.city,
            "district": aside.district,
            "state": aside.state,
            "postalCode": aside.postal_code,
        }
    )
    return {"use": "home", **placed} if placed else {}


def _strings(*pairs: tuple[str, str | None]) -> list[Json]:
    stated: Iterable[tuple[str, str | None]] = pairs
    return [{"url": url, "valueString": value} for url, value in stated if value]
