"""The directory, read-only (IHE mCSD ITI-90): Organization, Location, Endpoint, Practitioner, PractitionerRole."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, Response

from matching.text import fold_name
from registry.access import caller, require_scope
from registry.app import parts
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import now, session
from registry.directory.listing import (
    Match,
    Places,
    Practices,
    Span,
    list_affiliations,
    list_places,
    list_professionals,
)
from registry.directory.models import Establishment, Professional
from registry.directory.service import PersonalData, personal_data_of
from registry.errors import InvalidInput, NotFound, Unprocessable
from registry.fhir import systems
from registry.fhir.answers import answer, answer_read
from registry.fhir.directory_writing import (
    CATEGORY,
    COLLEGIATE,
    PROFILES,
    PROVIDERS,
    endpoint,
    location,
    organization,
    practitioner,
    practitioner_role,
)
from registry.fhir.resources import ParameterType, Resource, SearchParameter, fhir_blueprint
from registry.fhir.searching import Criterion, Search, read_search, searchset
from registry.fhir.values import read_date, read_token
from registry.fhir.wire import Json

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
TEXT = frozenset({"contains", "exact"})
PROVIDER = "prov"
"""What every establishment is (http://terminology.hl7.org/CodeSystem/organization-type)."""

CALLED: dict[str, Callable[[PersonalData], Sequence[str | None]]] = {
    "name": lambda said: (said.paternal_surname, said.maternal_surname, said.names, *said.names.split()),
    "family": lambda said: (said.paternal_surname, said.maternal_surname),
    "given": lambda said: (said.names, *said.names.split()),
}
"""The parts of a professional's name, any of which may begin as a parameter says."""

READ_PROFESSIONAL = "directory:professional:read"


def _resource(kind: str, **parameters: ParameterType) -> Resource:
    search = tuple(_parameter(kind, _name(keyword), one) for keyword, one in parameters.items())
    return Resource(type=kind, interactions=("read", "search-type"), search=search, profiles=PROFILES[kind])


def _name(keyword: str) -> str:
    return {"id": "_id", "updated": "_lastUpdated"}.get(keyword, keyword.replace("_", "-"))


def _parameter(kind: str, name: str, sort: ParameterType) -> SearchParameter:
    if kind == "Practitioner" and name in CALLED:
        return SearchParameter(name=name, type=sort, means="beside _id or identifier: names are sealed")
    return SearchParameter(name=name, type=sort, modifiers=TEXT if name == "name" else frozenset())


ORGANIZATION = _resource(
    "Organization",
    id="token",
    identifier="token",
    name="string",
    active="token",
    type="token",
    address="string",
    updated="date",
)
LOCATION = _resource(
    "Location",
    id="token",
    identifier="token",
    name="string",
    status="token",
    organization="reference",
    address="string",
    updated="date",
)
ENDPOINT = _resource("Endpoint", id="token", organization="reference", status="token", updated="date")
PRACTITIONER = _resource(
    "Practitioner",
    id="token",
    identifier="token",
    active="token",
    name="string",
    family="string",
    given="string",
    updated="date",
)
ROLE = _resource(
    "PractitionerRole",
    id="token",
    practitioner="reference",
    organization="reference",
    location="reference",
    role="token",
    active="token",
)


class NamesAlone(Unprocessable):
    """A professional was asked for by name only: without this everybody would be the answer."""

    code = "search-too-wide"
    fhir_code = "too-costly"


@dataclass(frozen=True, slots=True)
class Listing:
    """How one type of the directory is found: the page of a search, and one by its id, as resources."""

    resource: Resource
    find: Callable[[Search, int, int], Sequence[Json]]


def _places(search: Search, offset: int, limit: int, *, connected: bool = False) -> Sequence[Establishment]:
    wanted = Places(
        ids=_ids(search, "_id", "organization"),
        renipress=_codes(search, systems.RENIPRESS),
        names=_names(search),
        areas=_texts(search, "address"),
        categories=_categories(search),
        updated=_updated(search),
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
    """By registration, and of those by name; whoever reads them is accounted for. Raises NamesAlone."""
    called = [one for one in search.criteria if one.name in CALLED]
    if called and not (search.of("_id") or search.of("identifier")):
        raise NamesAlone("A professional is found by registration.", hint="Send identifier: CMP-012345, or the number.")
    wanted = Practices(
        ids=_ids(search, "_id"),
        registrations=_registrations(search),
        updated=_updated(search),
        active=_flag(search, "active", "true"),
    )
    found = list_professionals(session(), wanted, offset, limit)
    known = personal_data_of(session(), parts().sealer, [one.id for one in found])
    shown = [one for one in found if all(_is_called(known.get(one.id), criterion) for criterion in called)]
    return [_practitioner(one, known.get(one.id)) for one in shown]


def _is_called(said: PersonalData | None, criterion: Criterion) -> bool:
    kept = [fold_name(part) for part in CALLED[criterion.name](said) if part] if said else []
    return any(part.startswith(fold_name(value)) for part in kept for value in criterion.values)


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
        establishments=_ids(search, "organization", "location"),
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


def _names(search: Search) -> Collection[tuple[Match, str]] | None:
    values = search.values("name")
    modifier = search.of("name")[0].modifier if values else None
    how: Match = "contains" if modifier == "contains" else "exact" if modifier == "exact" else "begins"
    return [(how, value) for value in values] or None


def _categories(search: Search) -> Collection[str] | None:
    """Of `type`: every establishment is a provider; the other code of an Organization is its category."""
    wanted = [read_token(value) for value in search.values("type")]
    if not wanted or any(one.code == PROVIDER and one.system in {None, PROVIDERS} for one in wanted):
        return None
    return {one.code for one in wanted if one.code and one.system in {None, CATEGORY}}


def _updated(search: Search) -> Span:
    """From the latest beginning to before the earliest end that the dates of `_lastUpdated` say."""
    said = [read_date(value).bounds() for one in search.of("_lastUpdated") for value in _one(one.values)]
    begins, ends = [one for one, _ in said if one], [one for _, one in said if one]
    return (max(begins) if begins else None), (min(ends) if ends else None)


def _one(values: Sequence[str]) -> Sequence[str]:
    if len(values) > 1:
        raise InvalidInput("_lastUpdated has one date; send it twice for a span.", code="one-value-each")
    return values


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
