"""What an answer names and does not hold: its own server is asked for it, to learn what of it is withheld.

An encounter tells of the diagnosis it names, and only this server knows how sensitive that one is.
"""

import io
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from consent_broker.resource_server.answers import Grant
from consent_broker.resource_server.naming import ANYTHING, ID_IN_PATH, names_in, own_names, reference_of
from consent_broker.resource_server.reading import read_object
from consent_broker.resource_server.residual import RECORD_TYPES, Entry, dependents, flows, release

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Look = Callable[[str], "Entry | None"]
Answering = Callable[["WSGIEnvironment"], "tuple[str, bytes]"]
MOST = 300
"""How many items are asked for that one answer leads to; of the others nothing is known."""

SECONDS = 5
"""How long they are asked for: then the gateway waits no more."""

_ASKABLE = re.compile(rf"(?:{'|'.join(sorted(RECORD_TYPES))})/{ID_IN_PATH}")
"""What the guard would let anybody read by id."""

_NOT_THERE = ("404", "410")


def release_beside(said: Sequence[Entry], grant: Grant, look: Look) -> list[Entry]:
    """The entries that may leave together, given what they name of this server's other items too."""
    beside = _around(said, look)
    left = release([*said, *beside], [*grant.residual, _closing(beside, grant)])
    kept = {id(one) for one in left}
    return [one for one in said if id(one) in kept]


def _around(said: Sequence[Entry], look: Look) -> list[Entry]:
    """What they name, and what that names, and so on: each item once, the nearest first."""
    known, found, last = {reference_of(one["resource"]) for one in said}, list[Entry](), time.monotonic() + SECONDS
    asked, ring = 0, said
    while ring:
        named = sorted({name for one in ring for name in names_in(one) if _ASKABLE.fullmatch(name)} - known)
        answers = [
            look(name) if place < MOST and time.monotonic() < last else unknown(name)
            for place, name in enumerate(named, asked)
        ]
        known.update(named)
        asked, ring = asked + len(named), [one for one in answers if one is not None]
        found += ring
    return found


def looking(answering: Answering, environ: "WSGIEnvironment", prefix: str) -> Look:
    """How a server is asked for one of its items, as part of the request it is answering."""

    def look(name: str) -> Entry | None:
        asked = {"REQUEST_METHOD": "GET", "PATH_INFO": f"{prefix}/{name}", "QUERY_STRING": "", "CONTENT_LENGTH": "0"}
        status, body = answering({**environ, **asked, "wsgi.input": io.BytesIO()})
        return None if status.startswith(_NOT_THERE) else _read(name, status, body)

    return look


def unknown(name: str) -> Entry:
    """An item of which nothing is known: it counts as withheld."""
    kind, _, item_id = name.partition("/")
    return {"resource": {"resourceType": kind, "id": item_id}, "unknown": True}


def _read(name: str, status: str, body: bytes) -> Entry:
    resource = read_object(body) if status.startswith("200") else None
    known = resource is not None and reference_of(resource) == name
    return {"resource": resource} if known else unknown(name)


def _closing(beside: Iterable[Entry], grant: Grant) -> dict[str, Any]:
    """A rule against what is unknown, or of a type that the token is not for and such as it withholds of the others.

    What may name anything may name one of these.
    """
    rules = [_of_any_type(rule) for rule in grant.residual]
    closed = [one["resource"] for one in beside if "unknown" in one or _is_closed(one["resource"], rules, grant)]
    names = frozenset({ANYTHING}).union(*map(own_names, closed))
    return {"type": "forbid", "data": dependents(names)}


def _is_closed(resource: dict[str, Any], rules: Sequence[Any], grant: Grant) -> bool:
    return f"patient/{resource['resourceType']}.rs" not in grant.scopes and not flows(resource, rules)


def _of_any_type(rule: Any) -> Any:
    return {name: value for name, value in rule.items() if name != "class"} if isinstance(rule, dict) else rule
