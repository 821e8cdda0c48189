"""A search as it was sent (FHIR R4 search §3.1.1), read strictly by what the resource declares; and its searchset.

What a page links to is a token that only this registry can read: the parameters of a search may be a patient's, and
addresses are kept by everybody.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from flask import request
from werkzeug.datastructures import MultiDict

from registry.api import whole_number
from registry.app import parts
from registry.errors import InvalidInput
from registry.fhir.paging import Page, open_page, seal_page
from registry.fhir.preferences import strict
from registry.fhir.resources import Resource, SearchParameter
from registry.fhir.wire import Json, is_text

DEFAULT_COUNT, MOST_COUNT = 50, 100
MOST_PARAMETERS, MOST_VALUES, MAX_VALUE = 30, 20, 500
CONTROLS = frozenset({"_count", "_format", "_summary", "_elements", "_pretty", "_page", "_total"})
TOTALS = {"none": False, "estimate": True, "accurate": True}
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Criterion:
    """One parameter: any of its values will do; several criteria must all be met."""

    name: str
    modifier: str | None
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """A search, and the page of its results that is asked for."""

    resource: Resource
    criteria: tuple[Criterion, ...]
    count: int = DEFAULT_COUNT
    offset: int = 0
    counted: bool = True
    """Whether the total is asked for, where it is not known anyhow."""

    def of(self, name: str) -> list[Criterion]:
        """The criteria of one parameter."""
        return [one for one in self.criteria if one.name == name]

    def values(self, name: str) -> tuple[str, ...]:
        """The values of a parameter that may be sent once, in no modifier; raises InvalidInput for several."""
        found = self.of(name)
        if len(found) > 1:
            raise InvalidInput(f"{name} may be sent once.", code="repeated-parameter")
        return found[0].values if found else ()

    def dates(self, name: str) -> list[str]:
        """The dates of a parameter, sent twice for a span; raises InvalidInput for a list, which means any."""
        found = self.of(name)
        if any(len(one.values) > 1 for one in found):
            raise InvalidInput(f"{name} has one date; send it twice for a span.", code="one-value-each")
        return [date for one in found for date in one.values]

    def page_of(self, found: Sequence[Found]) -> Sequence[Found]:
        """The part of everything found that this page shows."""
        return found[self.offset : self.offset + self.count]


def read_search(resource: Resource, reader: str) -> Search:
    """The search of this request, by GET, by POST `_search`, or the next page of an earlier one by the same `reader`.

    Unknown parameters are ignored, or an error to a caller who prefers `handling=strict`; an unknown modifier is always
    one, since it would change what is found. Raises InvalidInput.
    """
    sent = _sent()
    if "_page" in sent:
        page = open_page(parts().sealer, reader, resource.type, sent["_page"])
        criteria = tuple(Criterion(name, modifier, tuple(values)) for name, modifier, values in page.criteria)
        return Search(resource, criteria, page.size, page.offset, counted=resource.counts)
    criteria = (*_criteria(sent, resource), *_included(sent, resource))
    return Search(resource, criteria, _count(sent.get("_count")), counted=resource.counts or _is_counted(sent))


def searchset(
    search: Search,
    reader: str,
    matches: Sequence[Json],
    *,
    total: int | None = None,
    more: bool = False,
    besides: Sequence[Json] = (),
) -> Json:
    """The Bundle of one page: `matches` are its resources or whole entries, `more` says that a next page has some.

    `besides` are the entries of what comes with it: outcomes, and what was included.
    """
    base = f"{parts().settings.base_url}{search.resource.surface}/{search.resource.type}"
    entries = [one if "resource" in one else _entry(base, one) for one in matches]
    links = page_links(base, search, reader, more=more)
    return searchset_of([*entries, *besides], total=total, links=links)


def page_links(base: str, search: Search, reader: str, *, more: bool) -> list[Json]:
    """`Bundle.link` of the page of a search at `base`: itself, the one before, and the next where there is `more`."""
    links = [{"relation": "self", "url": _link(base, search, reader, search.offset)}]
    if search.offset:
        links.append({"relation": "previous", "url": _link(base, search, reader, search.offset - search.count)})
    if more:
        links.append({"relation": "next", "url": _link(base, search, reader, search.offset + search.count)})
    return links


def searchset_of(entries: Sequence[Json], *, total: int | None = None, links: Sequence[Json] = ()) -> Json:
    """A Bundle of whole entries; an operation that answers with one has no page to link to."""
    made: Json = {"resourceType": "Bundle", "type": "searchset"}
    made |= {} if total is None else {"total": total}
    made |= {"link": list(links)} if links else {}
    return made | ({"entry": list(entries)} if entries else {})


def full_url(resource: Json) -> str:
    """Where a resource of this server is."""
    return f"{parts().settings.base_url}/fhir/{resource['resourceType']}/{resource['id']}"


def _entry(base: str, resource: Json) -> Json:
    return {"fullUrl": f"{base}/{resource['id']}", "resource": resource, "search": {"mode": "match"}}


def _link(base: str, search: Search, reader: str, offset: int) -> str:
    if not search.criteria and not offset:
        return base
    criteria = [(one.name, one.modifier, list(one.values)) for one in search.criteria]
    page = Page(criteria, search.count, max(offset, 0))
    return f"{base}?_page={seal_page(parts().sealer, reader, search.resource.type, page)}"


def _sent() -> MultiDict[str, str]:
    sent: MultiDict[str, str] = MultiDict(request.args.items(multi=True))
    if request.method == "POST":
        sent.update(request.form)
    if len(list(sent.items(multi=True))) > MOST_PARAMETERS:
        raise InvalidInput(f"At most {MOST_PARAMETERS} parameters are taken.")
    return sent


def _is_counted(sent: MultiDict[str, str]) -> bool:
    """Whether the total matters (§3.1.1.5.10): it is asked for, or nothing else is. Raises InvalidInput."""
    wanted = sent.get("_total", "none")
    if wanted not in TOTALS:
        raise InvalidInput("_total must be none, estimate or accurate.")
    return TOTALS[wanted] or sent.get("_summary") == "count" or sent.get("_count") == "0"


def _included(sent: MultiDict[str, str], resource: Resource) -> Iterator[Criterion]:
    """What is asked for besides what matches, `*` for all there is; raises InvalidInput to strict callers."""
    for name, offered in _offered(resource).items():
        asked = [":".join(text.split(":")[:2]) for text in sent.getlist(name)]
        unknown = set(asked) - {*offered, "*"}
        if unknown and strict():
            raise InvalidInput(f"{name} takes {', '.join(offered)}.", code="unsupported-parameter")
        taken = offered if "*" in asked else tuple(one for one in offered if one in asked)
        if taken:
            yield Criterion(name, None, taken)


def _offered(resource: Resource) -> dict[str, tuple[str, ...]]:
    """What the resource lets be included, by parameter; none of a parameter that it doesn't know."""
    offered = {"_include": resource.includes, "_revinclude": resource.included_by}
    return {name: values for name, values in offered.items() if values}


def _criteria(sent: MultiDict[str, str], resource: Resource) -> Iterator[Criterion]:
    known, includes = {one.name: one for one in resource.search}, _offered(resource)
    for written, text in sent.items(multi=True):
        name, _, modifier = written.partition(":")
        if written in CONTROLS or written in includes:
            continue
        parameter = known.get(name)
        if parameter is None and name not in includes:
            _unknown(name, known)
            continue
        if parameter is None or (modifier and modifier not in parameter.modifiers):
            raise InvalidInput(f"{name} takes no such modifier.", code="unsupported-modifier")
        if values := _values(name, text):
            yield Criterion(name, modifier or None, values)


def _unknown(name: str, known: dict[str, SearchParameter]) -> None:
    if not strict():
        return
    shown = name if name.replace("-", "").replace("_", "").isalnum() and len(name) <= 40 else "One of the parameters"
    raise InvalidInput(
        f"{shown} is no search parameter here.",
        code="unsupported-parameter",
        hint=f"Known are {', '.join(sorted(known)) or 'none'}.",
    )


def _values(name: str, text: str) -> tuple[str, ...]:
    values = tuple(value for value in (part.strip() for part in _split(text)) if value)
    if len(text) > MAX_VALUE or len(values) > MOST_VALUES or not is_text(text):
        raise InvalidInput(f"{name} has at most {MOST_VALUES} values and {MAX_VALUE} characters of text.")
    return values


def _split(text: str) -> Iterator[str]:
    """At commas that are not escaped (§3.1.1.4.7); the escapes of commas are taken away."""
    part, escaped = "", False
    for character in text:
        if escaped:
            part += character if character == "," else f"\\{character}"
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ",":
            yield part
            part = ""
        else:
            part += character
    yield part


def _count(text: str | None) -> int:
    if text is None:
        return DEFAULT_COUNT
    return min(whole_number(text, "_count") or DEFAULT_COUNT, MOST_COUNT)
