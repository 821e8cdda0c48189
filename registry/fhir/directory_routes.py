"""The directory, read-only (IHE mCSD ITI-90): Organization, Location, Endpoint, Practitioner, PractitionerRole."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response

from registry.access import caller, require_scope
from registry.app import parts
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import now, session
from registry.directory.listing import Places, Practices, list_affiliations, list_places, list_professionals
from registry.directory.models import Establishment, Professional
from registry.directory.service import PersonalData, personal_data_of
from registry.errors import NotFound
from registry.fhir import systems
from registry.fhir.answers import answer, answer_read
from registry.fhir.directory_writing import (
    COLLEGIATE,
    PROFILES,
    endpoint,
    location,
    organization,
    practitioner,
    practitioner_role,
)
from registry.fhir.resources import ParameterType, Resource, SearchParameter, fhir_blueprint
from registry.fhir.searching import Criterion, Search, read_search, searchset
from registry.fhir.values import read_token
from registry.fhir.wire import Json

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
READ_PROFESSIONAL = "directory:professional:read"


def _resource(kind: str, **parameters: ParameterType) -> Resource:
    search = tuple(SearchParameter(name=_name(name), type=one) for name, one in parameters.items())
    return Resource(type=kind, interactions=("read", "search-type"), search=search, profiles=PROFILES[kind])


def _name(keyword: str) -> str:
    return "_id" if keyword == "id" else keyword.replace("_", "-")


ORGANIZATION = _resource(
    "Organization", id="token", identifier="token", name="string", active="token", address="string"
)
LOCATION = _resource(
    "Location",
    id="token",
    identifier="token",
    name="string",
    status="token",
    organization="reference",
    address="string",
)
ENDPOINT = _resource("Endpoint", id="token", organization="reference", status="token")
PRACTITIONER = _resource("Practitioner", id="token", identifier="token", active="token")
ROLE = _resource(
    "PractitionerRole", id="token", practitioner="reference", organization="reference", role="token", active="token"
)


@dataclass(frozen=True, slots=True)
class Listing:
    """How one type of the directory is found: the page of a search, and one by its id, as resources."""

    resource: Resource
    find: Callable[[Search, int, int], Sequence[Json]]


def _places(search: Search, offset: int, limit: int, *, connected: bool = False) -> Sequence[Establishment]:
    wanted = Places(
        ids=_ids(search, "_id", "organization"),
        renipress=_codes(search, systems.RENIPRESS),
        names=_texts(search, "name"),
        ubigeos=_texts(search, "address"),
        active=_flag(search, "active", "true") if search.of("active") else _flag(search, "status", "active"),
        connected=connected,
    )
    return list_places(session(), wanted, offset, limit)


def _organizations(search: Search, offset: int, limit: int) -> Sequence[Json]:
    return [organization(one) for one in _places(search, offset, limit)]


def _locations(search: Search, offset: int, limit: int) -> Sequence[Json]:
    return [location(one) for one in _places(search, offset, limit)]


def _endpoints(search: Search, offset: int, limit: int) -> Sequence[Json]:
    return [endpoint(one) for one in _places(search, offset, limit, connected=True)]


def _practitioners(search: Search, offset: int, limit: int) -> Sequence[Json]:
    """By name and registration; whoever reads them is accounted for."""
    wanted = Practices(
        ids=_ids(search, "_id"), registrations=_registrations(search), active=_flag(search, "active", "true")
    )
    found = list_professionals(session(), wanted, offset, limit)
    known = personal_data_of(session(), parts().sealer, [one.id for one in found])
    return [_practitioner(one, known.get(one.id)) for one in found]


def _practitioner(professional: Professional, data: PersonalData | None) -> Json:
    event = Event(
        action=READ_PROFESSIONAL,
        professional_id=professional.id,
        establishment_id=caller().establishment_id,
        client_id=caller().client_id,
        token_id=caller().token_id,
        actor_role="record-system",
    )
    record(session(), event)
    return practitioner(professional, data)


def _roles(search: Search, offset: int, limit: int) -> Sequence[Json]:
    wanted = Practices(
        ids=_ids(search, "_id"),
        professionals=_ids(search, "practitioner"),
        establishments=_ids(search, "organization"),
        roles=_texts(search, "role"),
        active=_flag(search, "active", "true"),
    )
    moment = now()
    return [practitioner_role(one, moment) for one in list_affiliations(session(), wanted, moment, offset, limit)]


def _ids(search: Search, *names: str) -> Collection[UUID] | None:
    """The ids that all of these parameters allow; references may name their type."""
    allowed = [
        _uuids(_reference(value) for value in criterion.values) for name in names for criterion in search.of(name)
    ]
    return frozenset.intersection(*allowed) if allowed else None


def _reference(value: str) -> str:
    return value.rpartition("/")[2]


def _uuids(texts: Iterable[str]) -> frozenset[UUID]:
    return frozenset(UUID(text) for text in texts if _UUID.fullmatch(text))


def _codes(search: Search, system: str) -> Collection[str] | None:
    tokens = [read_token(value) for value in search.values("identifier")]
    return {one.code for one in tokens if one.code and one.system in {None, system}} if tokens else None


def _registrations(search: Search) -> Collection[tuple[str | None, str]] | None:
    """`CMP-012345`, as it is shown, or the number alone."""
    codes = _codes(search, COLLEGIATE)
    if codes is None:
        return None
    split = (code.rpartition("-") for code in codes)
    return {(college or None, number) for college, _, number in split}


def _texts(search: Search, name: str) -> Collection[str] | None:
    return search.values(name) or None


def _flag(search: Search, name: str, yes: str) -> bool | None:
    """A parameter of two values; both or neither is no matter."""
    said = {(read_token(value).code or "") == yes for value in search.values(name)}
    return said.pop() if len(said) == 1 else None


LISTINGS = (
    Listing(ORGANIZATION, _organizations), Listing(LOCATION, _locations), Listing(ENDPOINT, _endpoints),
    Listing(PRACTITIONER, _practitioners), Listing(ROLE, _roles),
)  # fmt: skip


def _blueprint(listing: Listing) -> Blueprint:
    resource = listing.resource
    blueprint, scope = fhir_blueprint(resource), f"system/{resource.type}.rs"

    def search() -> Response:
        """ITI-90 by GET and by POST."""
        require_scope(caller(), scope)
        asked = read_search(resource, caller().client_id)
        found = listing.find(asked, asked.offset, asked.count + 1)
        shown, more = found[: asked.count], len(found) > asked.count
        return answer(searchset(asked, caller().client_id, shown, more=more))

    def read(resource_id: UUID) -> Response:
        """One by its id."""
        require_scope(caller(), scope)
        named = Search(resource, (Criterion("_id", None, (str(resource_id),)),))
        found = listing.find(named, 0, 1)
        if not found:
            raise NotFound(f"There is no such {resource.type}.")
        return answer_read(found[0])

    blueprint.get("")(search)
    blueprint.post("/_search", endpoint="post_search")(search)
    blueprint.get("/<uuid:resource_id>")(read)
    return blueprint


blueprints = tuple(_blueprint(one) for one in LISTINGS)
