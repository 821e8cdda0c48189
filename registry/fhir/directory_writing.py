"""The directory in FHIR (IHE mCSD, PE Core): its establishments, addresses, professionals and affiliations; pure."""

from datetime import datetime

from registry.directory.models import Affiliation, Establishment, Professional
from registry.directory.service import PersonalData
from registry.fhir import systems
from registry.fhir.wire import Json

IHE = "https://profiles.ihe.net/ITI/mCSD/StructureDefinition/IHE.mCSD"
PE = f"{systems.BASE}/StructureDefinition"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
PROVIDERS = f"{TERMINOLOGY}/organization-type"
IPRESS = f"{systems.BASE}/CodeSystem/IPRESSCS"
COLLEGES = f"{systems.BASE}/CodeSystem/ColegiosProfesionalesSaludCS"
COLLEGE_CODES = {"CMP": "01"}
"""What PE Core publishes of its codes; other colleges are named in text."""

CATEGORY = f"{systems.NAMING}/categoria-ipress"
ROLE_CODES, HOSPITAL = f"{TERMINOLOGY}/v3-RoleCode", "HOSP"
COLLEGIATE = f"{systems.NAMING}/colegiatura"
PROFILES = {
    "Organization": (f"{IHE}.Organization", f"{PE}/OrganizacionPe"),
    "Location": (f"{IHE}.Location",),
    "Endpoint": (f"{IHE}.Endpoint",),
    "Practitioner": (f"{IHE}.Practitioner",),
    "PractitionerRole": (f"{IHE}.PractitionerRole",),
}


def organization(place: Establishment) -> Json:
    """An establishment; `active` says that it is validated (PE Core)."""
    identifier = {
        "use": "official",
        "type": {"coding": [{"system": IPRESS, "code": place.renipress}]},
        "system": systems.RENIPRESS,
        "value": place.renipress,
    }
    kind = {"coding": [{"system": PROVIDERS, "code": "prov"}]}
    connected = {"endpoint": [{"reference": f"Endpoint/{place.id}"}]} if place.fhir_endpoint else {}
    return _resource("Organization", place, place.updated_at) | {
        "identifier": [identifier],
        "active": place.active,
        "type": [kind, {"coding": [{"system": CATEGORY, "code": place.category}], "text": place.sector}],
        "name": place.name,
        "address": [_address(place)],
        **connected,
    }


def location(place: Establishment) -> Json:
    """Where an establishment is."""
    return _resource("Location", place, place.updated_at) | {
        "identifier": [{"system": systems.RENIPRESS, "value": place.renipress}],
        "status": "active" if place.active else "inactive",
        "name": place.name,
        "mode": "instance",
        "type": [{"coding": [{"system": ROLE_CODES, "code": HOSPITAL}], "text": place.category}],
        "address": _address(place),
        "physicalType": {"coding": [{"system": f"{TERMINOLOGY}/location-physical-type", "code": "si"}]},
        "managingOrganization": {"reference": f"Organization/{place.id}"},
    }


def endpoint(place: Establishment) -> Json:
    """The FHIR address of an establishment that has one; reached through the gateway, with a token of its own."""
    return _resource("Endpoint", place, place.updated_at) | {
        "status": "active" if place.active else "off",
        "connectionType": {"system": f"{TERMINOLOGY}/endpoint-connection-type", "code": "hl7-fhir-rest"},
        "name": f"FHIR R4, {place.name}",
        "managingOrganization": {"reference": f"Organization/{place.id}"},
        "payloadType": [{"coding": [{"system": f"{TERMINOLOGY}/endpoint-payload-type", "code": "any"}]}],
        "payloadMimeType": ["application/fhir+json"],
        "address": place.fhir_endpoint,
    }


def practitioner(professional: Professional, said: PersonalData | None) -> Json:
    """A professional by name and registration, one whose data were erased by registration alone.

    The identity document is nobody's business here.
    """
    number = {"use": "official", "system": COLLEGIATE, "value": f"{professional.college}-{professional.number}"}
    code: Json = {"text": professional.college}
    if professional.college in COLLEGE_CODES:
        code["coding"] = [{"system": COLLEGES, "code": COLLEGE_CODES[professional.college]}]
    return _resource("Practitioner", professional, professional.updated_at) | {
        "identifier": [number],
        "active": professional.able_to_practise,
        "qualification": [{"identifier": [{"system": COLLEGIATE, "value": professional.number}], "code": code}],
        **({"name": [_name(said)]} if said else {}),
    }


def _name(said: PersonalData) -> Json:
    mother = [{"url": systems.MOTHERS_FAMILY, "valueString": said.maternal_surname}] if said.maternal_surname else []
    name: Json = {"use": "official", "family": said.paternal_surname, "given": said.names.split()}
    return name | ({"_family": {"extension": mother}} if mother else {})


def practitioner_role(affiliation: Affiliation, moment: datetime) -> Json:
    """That a professional works at an establishment, in a role, for a time."""
    period = {"start": affiliation.valid_from.isoformat(timespec="seconds")}
    if affiliation.valid_until is not None:
        period["end"] = affiliation.valid_until.isoformat(timespec="seconds")
    place = affiliation.establishment
    return {
        "resourceType": "PractitionerRole",
        "id": str(affiliation.id),
        "meta": {"profile": list(PROFILES["PractitionerRole"])},
        "active": affiliation.in_force(moment),
        "period": period,
        "practitioner": {"reference": f"Practitioner/{affiliation.professional_id}"},
        "organization": {"reference": f"Organization/{place.id}", "display": place.name},
        "code": [{"text": affiliation.role}],
        "location": [{"reference": f"Location/{place.id}"}],
    }


def _resource(kind: str, row: Establishment | Professional, updated_at: datetime) -> Json:
    meta = {"lastUpdated": updated_at.isoformat(timespec="milliseconds"), "profile": list(PROFILES[kind])}
    return {"resourceType": kind, "id": str(row.id), "meta": meta}


def _address(place: Establishment) -> Json:
    return {"extension": [{"url": systems.UBIGEO, "valueString": place.ubigeo}], "state": place.region, "country": "PE"}
