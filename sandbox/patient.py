"""A record as the FHIR Patient a Peruvian record system sends (PE Core shapes)."""

from typing import Any

from sandbox.clerks import Record
from sandbox.places import BY_RENIPRESS
from sandbox.population import Document

BASE = "https://www.gob.pe/minsa/RENHICE/fhir"
NAMING = f"{BASE}/NamingSystem"
KINDS = {"dni": "1", "carne-extranjeria": "2", "passport": "3", "ptp": "PTP", "cnv": "6"}  # IdspersonaPeru, HIS-MINSA
MOTHERS_FAMILY = "http://hl7.org/fhir/StructureDefinition/humanname-mothers-family"
PARTNER_NAME = "http://hl7.org/fhir/StructureDefinition/humanname-partner-name"
UBIGEO = f"{BASE}/StructureDefinition/pe-ubigeo"
MOTHERS_DOCUMENT = f"{BASE}/StructureDefinition/documento-madre"
GENDERS = {"M": "male", "F": "female"}

Json = dict[str, Any]


def to_patient(record: Record) -> Json:
    """Return the Patient resource of `record`; what the clerk did not write is absent."""
    patient: Json = {
        "resourceType": "Patient",
        "meta": {"profile": [f"{BASE}/StructureDefinition/PacientePe"]},
        "identifier": [_local_number(record), *([_identifier(record.document)] if record.document else [])],
        "active": True,
        "name": [_name(record)],
        "gender": GENDERS[record.sex],
        "address": [_address(record)],
    }
    if record.phone:
        patient["telecom"] = [{"system": "phone", "value": record.phone, "use": "mobile"}]
    if record.birth_date:
        patient["birthDate"] = record.birth_date.isoformat()
        if record.birth_ubigeo:
            patient["_birthDate"] = {"extension": [{"url": UBIGEO, "valueString": record.birth_ubigeo}]}
    if record.birth_order:
        patient["multipleBirthInteger"] = record.birth_order
    if record.mother_document:
        mother = _identifier(record.mother_document)
        patient["extension"] = [{"url": MOTHERS_DOCUMENT, "valueIdentifier": mother}]
    return patient


def document_system(document: Document) -> str:
    """Return the identifier system of a document: the registry's own, HL7's for passports."""
    if document.type == "passport":
        return f"http://hl7.org/fhir/sid/passport-{document.country}"
    return f"{NAMING}/{document.type}"


def _local_number(record: Record) -> Json:
    system = BY_RENIPRESS[record.renipress].identifier_system
    return {"use": "usual", "system": system, "value": record.local_number}


def _identifier(document: Document) -> Json:
    return {
        "use": "official",
        "type": {
            "extension": [
                {
                    "url": f"{BASE}/StructureDefinition/pe-pais",
                    "valueCodeableConcept": {
                        "coding": [{"system": f"{BASE}/CodeSystem/PaisesCS", "code": document.country}]
                    },
                }
            ],
            "coding": [{"system": f"{BASE}/CodeSystem/IdspersonaPeru", "code": KINDS[document.type]}],
        },
        "system": document_system(document),
        "value": document.number,
    }


def _name(record: Record) -> Json:
    name: Json = {"use": "official", "given": record.given_names.split()}
    extensions = []
    if record.maternal_surname:
        extensions.append({"url": MOTHERS_FAMILY, "valueString": record.maternal_surname})
    if record.married_surname:
        extensions.append({"url": PARTNER_NAME, "valueString": record.married_surname})
    if record.paternal_surname:
        name["family"] = record.paternal_surname
    if extensions:
        name["_family"] = {"extension": extensions}
    return name


def _address(record: Record) -> Json:
    return {
        "use": "home",
        "line": [record.address],
        "country": "PE",
        "extension": [{"url": UBIGEO, "valueString": record.ubigeo}],
    }
