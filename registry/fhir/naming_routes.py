"""`/fhir/NamingSystem`: the identifier systems of the registry, the State and each establishment; for everyone."""

from collections.abc import Iterator, Sequence

from flask import Response

from registry.database import session
from registry.directory.models import Establishment
from registry.directory.service import get_establishment, list_by_identifier_systems
from registry.errors import NotFound
from registry.fhir import systems
from registry.fhir.answers import answer, answer_read
from registry.fhir.directory_writing import CATEGORY, COLLEGIATE
from registry.fhir.resources import Resource, SearchParameter, fhir_blueprint
from registry.fhir.searching import Search, read_search, searchset
from registry.fhir.values import read_token
from registry.fhir.wire import Json

PUBLISHED = "2026-11-22"
LOCAL = "hc-"
NAMING_SYSTEM = Resource(
    type="NamingSystem",
    interactions=("read", "search-type"),
    search=(
        SearchParameter(name="_id", type="token"),
        SearchParameter(name="value", type="string", means="a URI or OID; finds an establishment's own system too"),
        SearchParameter(name="kind", type="token"),
        SearchParameter(name="status", type="token"),
    ),
    means=f"An establishment's local numbers are {LOCAL}<RENIPRESS>.",
)
blueprint = fhir_blueprint(NAMING_SYSTEM)


def _system(key: str, kind: str, name: str, uri: str, oid: str | None = None) -> Json:
    unique = [{"type": "uri", "value": uri, "preferred": True}]
    unique += [{"type": "oid", "value": oid.removeprefix("urn:oid:")}] if oid else []
    return {
        "resourceType": "NamingSystem",
        "id": key,
        "name": name,
        "status": "active",
        "kind": kind,
        "date": PUBLISHED,
        "jurisdiction": [{"coding": [{"system": "urn:iso:std:iso:3166", "code": "PE"}]}],
        "uniqueId": unique,
    }


PUBLIC = (
    _system("dni", "identifier", "Documento Nacional de Identidad", f"{systems.NAMING}/dni", systems.DNI_OID),
    _system("carne-extranjeria", "identifier", "Carné de extranjería", f"{systems.NAMING}/carne-extranjeria"),
    _system("ptp", "identifier", "Permiso temporal de permanencia", f"{systems.NAMING}/ptp"),
    _system("cnv", "identifier", "Certificado de nacido vivo", f"{systems.NAMING}/cnv"),
    _system("renipress", "identifier", "Código RENIPRESS", systems.RENIPRESS),
    _system("registro", "identifier", "Registro de un paciente en un establecimiento", systems.SOURCE_RECORD),
    _system("persona", "identifier", "Persona", systems.PERSON),
    _system("colegiatura", "identifier", "Colegio profesional y número de colegiatura", COLLEGIATE),
    _system("categoria-ipress", "codesystem", "Categoría del establecimiento", CATEGORY),
    _system("idspersonaperu", "codesystem", "Tipos de documento de identidad", systems.ID_TYPES),
)


@blueprint.get("")
@blueprint.post("/_search")
def search_systems() -> Response:
    """By value or kind; those of establishments only by value or id."""
    search = read_search(NAMING_SYSTEM, "anyone")
    found = [*PUBLIC, *_local(search)]
    wanted = [one for one in found if _meets(one, search)]
    more = len(wanted) > search.offset + search.count
    return answer(searchset(search, "anyone", search.page_of(wanted), total=len(wanted), more=more))


@blueprint.get("/<system_id>")
def read_system(system_id: str) -> Response:
    """One by its id."""
    found = next((one for one in PUBLIC if one["id"] == system_id), None)
    if found is None and system_id.startswith(LOCAL):
        found = _of(get_establishment(session(), system_id.removeprefix(LOCAL)))
    if found is None:
        raise NotFound("There is no such NamingSystem.")
    return answer_read(found)


def _local(search: Search) -> Iterator[Json]:
    if values := search.values("value"):
        yield from map(_of, list_by_identifier_systems(session(), values))


def _of(place: Establishment) -> Json:
    return _system(f"{LOCAL}{place.renipress}", "identifier", f"Historias de {place.name}", place.identifier_system)


def _meets(system: Json, search: Search) -> bool:
    held: dict[str, Sequence[str]] = {
        "_id": [system["id"]],
        "value": [value for one in system["uniqueId"] for value in (one["value"], f"urn:oid:{one['value']}")],
        "kind": [system["kind"]],
        "status": [system["status"]],
    }
    return all(
        any(_said(name, value) in one for value in search.values(name)) for name, one in held.items() if search.of(name)
    )


def _said(name: str, value: str) -> str:
    return value if name == "value" else read_token(value).code or ""
