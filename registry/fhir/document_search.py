"""Which documents and submission sets a search means (IHE MHD ITI-66, ITI-67); pure.

What is searched is sealed: it is opened first and looked at here, one patient's documents at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from registry.errors import InvalidInput
from registry.fhir.resources import SearchParameter
from registry.fhir.searching import Criterion
from registry.fhir.values import DateTest, read_date, read_token
from registry.fhir.wire import Json

Test = Callable[[Json], bool]
Reader = Callable[[str], Test]
"""One value of a parameter to a test of a resource."""

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
PATIENT = (
    SearchParameter(name="patient", type="reference", means="Required, or patient.identifier: a person or a record."),
    SearchParameter(name="patient.identifier", type="token", means="The registry's ids, or your own local number."),
)


def matching(resources: Iterable[Json], criteria: Iterable[Criterion], readers: Mapping[str, Reader]) -> list[Json]:
    """The resources that meet every criterion `readers` knows, each by any of its values; raises InvalidInput."""
    tests = [[readers[one.name](value) for value in one.values] for one in criteria if one.name in readers]
    return [one for one in resources if all(any(test(one) for test in any_of) for any_of in tests)]


def _token(*paths: str) -> Reader:
    """Against the codings, identifiers and codes at the paths."""

    def reader(value: str) -> Test:
        wanted = read_token(value)

        def test(resource: Json) -> bool:
            found = (one for path in paths for one in _codings(at(resource, path)))
            return any(wanted.matches(one.get("system"), one.get("code", one.get("value"))) for one in found)

        return test

    return reader


def _codings(values: Iterable[Any]) -> Iterator[Json]:
    """The codings of CodeableConcepts; codings, identifiers and codes as they are."""
    for value in values:
        if isinstance(value, str):
            yield {"code": value}
        elif isinstance(value, dict):
            yield from value.get("coding", [value])


def _date(*paths: str) -> Reader:
    """Against the dates, moments and periods at the paths."""

    def reader(value: str) -> Test:
        wanted = read_date(value)
        return lambda resource: any(_falls(wanted, one) for path in paths for one in at(resource, path))

    return reader


def _falls(wanted: DateTest, value: Any) -> bool:
    period = value if isinstance(value, dict) else {"start": value, "end": value}
    try:
        start = read_date(period["start"]).low if "start" in period else EARLIEST
        end = read_date(period["end"]).high if "end" in period else LATEST
    except (InvalidInput, TypeError):
        return False
    return wanted.accepts(start, end)


def _reference(*paths: str) -> Reader:
    """Against the references at the paths, by `id`, `Type/id` or a whole address."""

    def reader(value: str) -> Test:
        wanted = value.rstrip("/").split("/")[-2:]

        def test(resource: Json) -> bool:
            found = (str(one.get("reference", "")) for path in paths for one in at(resource, path))
            return any(one == value or one.split("/")[-len(wanted) :] == wanted for one in found)

        return test

    return reader


def _name(part: str) -> Reader:
    """The beginning of a name of an author contained in the document (ITI-67 author.given, author.family)."""

    def reader(value: str) -> Test:
        def test(resource: Json) -> bool:
            found = at(resource, f"contained.name.{part}")
            return any(str(text).casefold().startswith(value.casefold()) for text in found)

        return test

    return reader


def at(resource: Json, path: str) -> list[Any]:
    """Whatever stands at a path of element names, lists opened on the way."""
    found: list[Any] = [resource]
    for name in path.split("."):
        values = [one[name] for one in found if isinstance(one, dict) and name in one]
        found = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return found


DOCUMENTS: Mapping[SearchParameter, Reader] = MappingProxyType({
    SearchParameter(name="_id", type="token"): _token("id"),
    SearchParameter(name="identifier", type="token"): _token("masterIdentifier", "identifier"),
    SearchParameter(name="status", type="token"): _token("status"),
    SearchParameter(name="type", type="token"): _token("type"),
    SearchParameter(name="category", type="token"): _token("category"),
    SearchParameter(name="event", type="token"): _token("context.event"),
    SearchParameter(name="facility", type="token"): _token("context.facilityType"),
    SearchParameter(name="setting", type="token"): _token("context.practiceSetting"),
    SearchParameter(name="format", type="token"): _token("content.format"),
    SearchParameter(name="contenttype", type="token"): _token("content.attachment.contentType"),
    SearchParameter(name="security-label", type="token"): _token("securityLabel"),
    SearchParameter(name="date", type="date"): _date("date"),
    SearchParameter(name="creation", type="date"): _date("content.attachment.creation"),
    SearchParameter(name="period", type="date"): _date("context.period"),
    SearchParameter(name="author", type="reference"): _reference("author"),
    SearchParameter(name="author.identifier", type="token"): _token("author.identifier", "contained.identifier"),
    SearchParameter(name="author.family", type="string"): _name("family"),
    SearchParameter(name="author.given", type="string"): _name("given"),
    SearchParameter(name="relatesto", type="reference"): _reference("relatesTo.target"),
})  # fmt: skip
SUBMISSION_SETS: Mapping[SearchParameter, Reader] = MappingProxyType({
    SearchParameter(name="_id", type="token"): _token("id"),
    SearchParameter(name="identifier", type="token"): _token("identifier"),
    SearchParameter(name="status", type="token"): _token("status"),
    SearchParameter(name="code", type="token"): _token("code"),
    SearchParameter(name="date", type="date"): _date("date"),
    SearchParameter(name="source", type="reference"): _reference("source"),
})  # fmt: skip


def readers_of(parameters: Mapping[SearchParameter, Reader]) -> dict[str, Reader]:
    """The readers by parameter name."""
    return {one.name: reader for one, reader in parameters.items()}
