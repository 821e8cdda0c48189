"""The directory, read-only (IHE mCSD ITI-90): Organization, Location, Endpoint, Practitioner, PractitionerRole."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, Response

from registry.access import caller, require_scope
from registry.errors import NotFound, Unprocessable
from registry.fhir.answers import answer, answer_read
from registry.fhir.directory_search import (
    CALLED,
    TARGETS,
    Found,
    find_endpoints,
    find_locations,
    find_organizations,
    find_practitioners,
    find_roles,
)
from registry.fhir.directory_writing import PROFILES
from registry.fhir.resources import ParameterType, Resource, SearchParameter, fhir_blueprint
from registry.fhir.searching import Criterion, Search, full_url, read_search, searchset
from registry.fhir.wire import Json

TEXT = frozenset({"contains", "exact"})
MOST_INCLUDED = 1000

ELEMENTS = {
    "Organization:endpoint": "endpoint",
    "Location:organization": "managingOrganization",
    "Endpoint:organization": "managingOrganization",
    "PractitionerRole:practitioner": "practitioner",
    "PractitionerRole:organization": "organization",
    "PractitionerRole:location": "location",
}
"""What can be included: the element of each that holds the reference."""


def _resource(kind: str, **parameters: ParameterType) -> Resource:
    return Resource(
        type=kind,
        interactions=("read", "search-type"),
        search=tuple(_parameter(kind, _name(keyword), one) for keyword, one in parameters.items()),
        profiles=PROFILES[kind],
        includes=tuple(one for one in ELEMENTS if one.startswith(f"{kind}:")),
        included_by=tuple(one for one in ELEMENTS if TARGETS[one.partition(":")[2]] == kind),
        counts=False,
    )


def _name(keyword: str) -> str:
    return {"id": "_id", "updated": "_lastUpdated"}.get(keyword, keyword.replace("_", "-"))


def _parameter(kind: str, name: str, sort: ParameterType) -> SearchParameter:
    if kind == "Practitioner" and name in CALLED:
        return SearchParameter(name=name, type=sort, means="beside _id or identifier: names are sealed")
    target = frozenset({TARGETS[name]}) if sort == "reference" and name in TARGETS else frozenset[str]()
    return SearchParameter(name=name, type=sort, modifiers=TEXT if name == "name" else target)


ORGANIZATION = _resource(
    "Organization",
    id="token",
    identifier="token",
    name="string",
    active="token",
    type="token",
    address="string",
    endpoint="reference",
    partof="reference",
    updated="date",
)
LOCATION = _resource(
    "Location",
    id="token",
    identifier="token",
    name="string",
    status="token",
    type="token",
    organization="reference",
    partof="reference",
    address="string",
    updated="date",
)
ENDPOINT = _resource(
    "Endpoint", id="token", identifier="token", organization="reference", status="token", updated="date"
)
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
    service="reference",
    role="token",
    specialty="token",
    active="token",
)


@dataclass(frozen=True, slots=True)
class Listing:
    """One type of the directory, and how a search finds it."""

    resource: Resource
    find: Callable[[Search], Found]

    def find_by(self, name: str, ids: Sequence[str]) -> Found:
        """Those of which a parameter has one of these values."""
        return self.find(Search(self.resource, (Criterion(name, None, tuple(ids)),)))


LISTINGS = {
    one.resource.type: one
    for one in (
        Listing(ORGANIZATION, find_organizations), Listing(LOCATION, find_locations),
        Listing(ENDPOINT, find_endpoints), Listing(PRACTITIONER, find_practitioners), Listing(ROLE, find_roles),
    )
}  # fmt: skip


def _blueprint(listing: Listing) -> Blueprint:
    resource = listing.resource
    blueprint = fhir_blueprint(resource)

    def search() -> Response:
        """ITI-90 by GET and by POST."""
        _require(resource.type)
        asked = read_search(resource, caller().client_id)
        found = listing.find(asked)
        seen = found.page(asked.offset, asked.count + 1)
        shown, more = seen[: asked.count], len(seen) > asked.count
        total = found.count() if asked.counted else None if more or not seen else asked.offset + len(seen)
        besides = _besides(asked, shown)
        return answer(searchset(asked, caller().client_id, shown, total=total, more=more, besides=besides))

    def read(resource_id: UUID) -> Response:
        """One by its id."""
        _require(resource.type)
        found = listing.find_by("_id", [str(resource_id)]).page(0, 1)
        if not found:
            raise NotFound(f"There is no such {resource.type}.")
        return answer_read(found[0])

    blueprint.get("")(search)
    blueprint.post("/_search", endpoint="post_search")(search)
    blueprint.get("/<uuid:resource_id>")(read)
    return blueprint


def _require(kind: str) -> None:
    require_scope(caller(), f"system/{kind}.rs")


def _besides(asked: Search, shown: Sequence[Json]) -> Sequence[Json]:
    """What is included with a page, each once; raises Forbidden for a type the caller may not read."""
    found = {full_url(one): one for name in ("_include", "_revinclude") for one in _included(asked, name, shown)}
    matches = {full_url(one) for one in shown}
    return [
        {"fullUrl": url, "resource": one, "search": {"mode": "include"}}
        for url, one in found.items()
        if url not in matches
    ]


def _included(asked: Search, name: str, shown: Sequence[Json]) -> Iterator[Json]:
    for way in asked.values(name):
        source, _, parameter = way.partition(":")
        back = name == "_revinclude"
        kind, named = (source, parameter) if back else (TARGETS[parameter], "_id")
        ids = [one["id"] for one in shown] if back else list(_referenced(shown, ELEMENTS[way]))
        _require(kind)
        found = LISTINGS[kind].find_by(named, ids).page(0, MOST_INCLUDED + 1) if ids else ()
        if len(found) > MOST_INCLUDED:
            raise TooManyIncluded(f"{way} includes too many.", hint=f"At most {MOST_INCLUDED}: send a smaller _count.")
        yield from found


class TooManyIncluded(Unprocessable):
    """What is asked for besides is far more than the page itself."""

    code = "too-many-included"
    fhir_code = "too-costly"


def _referenced(shown: Sequence[Json], element: str) -> Iterator[str]:
    for one in shown:
        value: Any = one.get(element) or []
        for reference in value if isinstance(value, list) else [value]:
            yield reference["reference"].rpartition("/")[2]


blueprints = tuple(_blueprint(one) for one in LISTINGS.values())
