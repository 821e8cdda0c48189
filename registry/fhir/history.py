"""The versions of a resource as Bundles of type history, newest first (FHIR R4 http §3.1.0.12).

Pages follow `_count`. What a page links to holds the newest version there was when the first page was read: a version
that comes in meanwhile moves nothing from one page to another, and `total` stays what it was.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from registry.app import parts
from registry.errors import InvalidInput
from registry.fhir.resources import Resource, SearchParameter
from registry.fhir.searching import Criterion, Search, page_links, read_search
from registry.fhir.values import DateTest, read_date
from registry.fhir.wire import Json

PARAMETERS = (SearchParameter(name="_since", type="date"), SearchParameter(name="_at", type="date"))
NEWEST = "_newest"


class Version(NamedTuple):
    """A version, and since when it is the current one."""

    number: int
    recorded_at: datetime


class History(NamedTuple):
    """Every version, newest first, and what reads those with the numbers it is given, in that order."""

    versions: Sequence[Version]
    load: Callable[[Sequence[int]], Sequence[Json]]


def history_bundle(resource: Resource, resource_id: UUID, reader: str, history: History) -> Json:
    """The page of a history that this request asks for, as its `reader` may follow it; raises InvalidInput."""
    base = f"{parts().settings.base_url}{resource.surface}/{resource.type}"
    address = f"{base}/{resource_id}/_history"
    path = f"{resource.type}/{resource_id}/_history"
    asked = read_search(Resource(type=path, interactions=(), search=PARAMETERS), reader)
    found = list(_wanted(asked, history.versions))
    shown = [one.number for one in asked.page_of(found)]
    more = len(found) > asked.offset + asked.count
    held = _held(asked, found) if more else asked
    made: Json = {"resourceType": "Bundle", "type": "history", "total": len(found)}
    made |= {"link": page_links(address, held, reader, more=more)}
    entries = [_entry(base, one) for one in history.load(shown)] if shown else []
    return made | ({"entry": entries} if entries else {})


def _held(asked: Search, found: Sequence[Version]) -> Search:
    """The same of what there is now, whatever comes in."""
    if asked.of(NEWEST):
        return asked
    return replace(asked, criteria=(*asked.criteria, Criterion(NEWEST, None, (str(found[0].number),))))


def _wanted(asked: Search, versions: Sequence[Version]) -> Iterator[Version]:
    """Those made since `_since` and current at some moment of `_at`."""
    newest = next((int(text) for text in asked.values(NEWEST)), None)
    since, at = _date(asked, "_since"), _date(asked, "_at")
    replaced_at: datetime | None = None
    for one in versions:
        known = newest is None or one.number <= newest
        made = since is None or one.recorded_at >= since.low
        current = at is None or (one.recorded_at < at.high and (replaced_at is None or replaced_at > at.low))
        replaced_at = one.recorded_at
        if known and made and current:
            yield one


def _date(asked: Search, name: str) -> DateTest | None:
    texts = asked.values(name)
    if not texts:
        return None
    found = read_date(texts[0])
    if len(texts) > 1 or found.prefix != "eq":
        raise InvalidInput(f"{name} is one date or moment, without a prefix.", code="date-malformed")
    return found


def _entry(base: str, version: Json) -> Json:
    number = version["meta"]["versionId"]
    name = f"{version['resourceType']}/{version['id']}"
    made = {"method": "POST", "url": version["resourceType"]} if number == "1" else {"method": "PUT", "url": name}
    response = {
        "status": "201" if number == "1" else "200",
        "etag": f'W/"{number}"',
        "lastModified": version["meta"]["lastUpdated"],
    }
    return {"fullUrl": f"{base}/{version['id']}", "resource": version, "request": made, "response": response}
