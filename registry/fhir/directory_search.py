"""How a search of the directory is read, and what it finds, by type; reading a professional is accounted for."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from matching.text import fold_name
from registry.access import caller
from registry.app import parts
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import now, session
from registry.directory.listing import (
    Match,
    Places,
    Practices,
    Span,
    count_affiliations,
    count_places,
    count_professionals,
    list_affiliations,
    list_places,
    list_professionals,
)
from registry.directory.models import Professional
from registry.directory.service import PersonalData, personal_data_of
from registry.errors import Unprocessable
from registry.fhir import systems
from registry.fhir.directory_writing import (
    CATEGORY,
    COLLEGIATE,
    HOSPITAL,
    PROVIDERS,
    ROLE_CODES,
    endpoint,
    location,
    organization,
    practitioner,
    practitioner_role,
)
from registry.fhir.searching import Criterion, Search
from registry.fhir.values import read_date, read_reference, read_token, read_uuid
from registry.fhir.wire import Json

PROVIDER = "prov"
"""What every establishment is (http://terminology.hl7.org/CodeSystem/organization-type)."""

TARGETS = {
    "organization": "Organization", "location": "Location", "practitioner": "Practitioner", "endpoint": "Endpoint",
}  # fmt: skip
"""What a reference of that name leads to. One that says another type leads to nothing."""

UNSAID = ("partof", "specialty", "service")
"""What the directory says of nobody, so that whoever asks for one finds nobody."""

CALLED: dict[str, Callable[[PersonalData], Sequence[str | None]]] = {
    "name": lambda said: (said.paternal_surname, said.maternal_surname, said.names, *said.names.split()),
    "family": lambda said: (said.paternal_surname, said.maternal_surname),
    "given": lambda said: (said.names, *said.names.split()),
}
"""The parts of a professional's name, any of which may begin as a parameter says."""

FLAG = ("true", "false")
MOST_NAMED = 1000
READ_PROFESSIONAL = "directory:professional:read"


class NamesAlone(Unprocessable):
    """A professional was asked for by name only: without this everybody would be the answer."""

    code = "search-too-wide"
    fhir_code = "too-costly"


@dataclass(frozen=True, slots=True)
class Found:
    """What a search finds: a page of it as resources, and how many there are in all."""

    page: Callable[[int, int], Sequence[Json]]
    count: Callable[[], int]


def find_organizations(search: Search) -> Found:
    """Establishments as Organizations."""
    wanted = replace(_places(search), categories=_categories(search), active=_states(search, "active", FLAG))
    return _found_places(replace(wanted, connected=bool(search.of("endpoint"))), organization)


def find_locations(search: Search) -> Found:
    """Establishments as Locations: `type` is that of all of them."""
    asked = [read_token(value) for value in search.values("type")]
    fits = not asked or any(one.code == HOSPITAL and one.system in {None, ROLE_CODES} for one in asked)
    wanted = replace(_places(search), active=_states(search, "status", ("active", "inactive")))
    return _found_places(wanted if fits else replace(wanted, ids=()), location)


def find_endpoints(search: Search) -> Found:
    """The FHIR addresses of establishments; they have no identifier of their own."""
    wanted = replace(_places(search), active=_states(search, "status", ("active", "off")))
    wanted = replace(wanted, renipress=None, connected=True)
    return _found_places(replace(wanted, ids=()) if search.of("identifier") else wanted, endpoint)


def _found_places(wanted: Places, write: Callable[..., Json]) -> Found:
    return Found(
        lambda offset, limit: [write(one) for one in list_places(session(), wanted, offset, limit)],
        lambda: count_places(session(), wanted),
    )


def _places(search: Search) -> Places:
    return Places(
        ids=_ids(search, "_id", "organization", "endpoint"),
        renipress=_codes(search, systems.RENIPRESS),
        names=_names(search),
        areas=_texts(search, "address"),
        updated=_updated(search),
    )


def find_practitioners(search: Search) -> Found:
    """By registration, and of those by name; whoever reads them is accounted for. Raises NamesAlone."""
    called = [one for one in search.criteria if one.name in CALLED]
    if called and not (search.of("_id") or search.of("identifier")):
        raise NamesAlone("A professional is found by registration.", hint="Send identifier: CMP-012345, or the number.")
    wanted = Practices(
        ids=_ids(search, "_id"),
        registrations=_registrations(search),
        updated=_updated(search),
        active=_states(search, "active", FLAG),
    )
    if called:
        named = _named(wanted, called)
        wanted = Practices(ids=[one.id for one in named])
    return Found(
        lambda offset, limit: _practitioners(list_professionals(session(), wanted, offset, limit)),
        lambda: count_professionals(session(), wanted),
    )


def _named(wanted: Practices, called: Sequence[Criterion]) -> Sequence[Professional]:
    """Those so called of the few that are named by id or registration."""
    found = list_professionals(session(), wanted, 0, MOST_NAMED)
    known = personal_data_of(session(), parts().sealer, [one.id for one in found])
    return [one for one in found if all(_is_called(known.get(one.id), criterion) for criterion in called)]


def _is_called(said: PersonalData | None, criterion: Criterion) -> bool:
    kept = [fold_name(part) for part in CALLED[criterion.name](said) if part] if said else []
    return any(part.startswith(fold_name(value)) for part in kept for value in criterion.values)


def _practitioners(found: Sequence[Professional]) -> Sequence[Json]:
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


def find_roles(search: Search) -> Found:
    """That professionals work at establishments."""
    wanted = Practices(
        ids=_ids(search, "_id"),
        professionals=_ids(search, "practitioner"),
        establishments=_ids(search, "organization", "location"),
        roles=_texts(search, "role"),
        active=_states(search, "active", FLAG),
    )
    moment = now()
    return Found(
        lambda offset, limit: [
            practitioner_role(one, moment) for one in list_affiliations(session(), wanted, moment, offset, limit)
        ],
        lambda: count_affiliations(session(), wanted, moment),
    )


def _ids(search: Search, *names: str) -> Collection[UUID] | None:
    """The ids that all of these parameters allow; none where something is asked for that nobody has."""
    if any(search.of(name) for name in UNSAID):
        return frozenset()
    allowed = [
        _uuids(_meant(name, value) for value in criterion.values) for name in names for criterion in search.of(name)
    ]
    return frozenset.intersection(*allowed) if allowed else None


def _meant(name: str, value: str) -> str:
    """The id a value names; a reference may name its type."""
    target = TARGETS.get(name)
    return (read_reference(value, target) or "") if target else value


def _uuids(texts: Iterable[str]) -> frozenset[UUID]:
    return frozenset(filter(None, map(read_uuid, texts)))


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
    said = [read_date(value).bounds() for value in search.dates("_lastUpdated")]
    begins, ends = [one for one, _ in said if one], [one for _, one in said if one]
    return (max(begins) if begins else None), (min(ends) if ends else None)


def _texts(search: Search, name: str) -> Collection[str] | None:
    return search.values(name) or None


def _states(search: Search, name: str, words: tuple[str, str]) -> Collection[bool] | None:
    """Which of two states are asked for, by the words for them; none of them by any other word."""
    values = search.values(name)
    codes = {read_token(value).code for value in values}
    return {state for state, word in zip((True, False), words, strict=True) if word in codes} if values else None
