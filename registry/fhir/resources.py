"""What each FHIR resource offers here, declared once: routes, search and the CapabilityStatement all go by it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from flask import Blueprint

from registry.fhir.formats import negotiate
from registry.fhir.wire import Json

Interaction = Literal[
    "read", "vread", "update", "delete", "history-instance", "history-type", "create", "search-type"
]  # fmt: skip
HISTORY = "Pages of _count versions, newest first; _since and _at are understood."
ParameterType = Literal["number", "date", "string", "token", "reference", "uri"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParameter:
    """A search parameter, and the modifiers it takes; `means` says what a caller has to know."""

    name: str
    type: ParameterType
    means: str = ""
    modifiers: frozenset[str] = frozenset()

    def as_json(self) -> Json:
        """As the CapabilityStatement says it."""
        made: Json = {"name": self.name, "type": self.type}
        return made | ({"documentation": self.means} if self.means else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation (`$name`) and where it is defined."""

    name: str
    definition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What one type offers; an interaction, parameter or operation that is not named here is not there."""

    type: str
    interactions: tuple[Interaction, ...]
    search: tuple[SearchParameter, ...] = ()
    operations: tuple[Operation, ...] = ()
    profiles: tuple[str, ...] = ()
    conditional_create: bool = False
    conditional_update: bool = False
    conditional_delete: bool = False
    conditional_read: bool = False
    includes: tuple[str, ...] = ()
    """What `_include` takes; of those of other types that lead here, what `_revinclude` takes is `included_by`."""
    included_by: tuple[str, ...] = ()
    counts: bool = True
    """Whether every searchset has its total; else where it is known, or asked for (`_total`)."""
    surface: str = "/fhir"
    means: str = ""

    def as_json(self) -> Json:
        """As the CapabilityStatement says it."""
        versioned = "vread" in self.interactions
        made: Json = {
            "type": self.type,
            "interaction": [_interaction(code) for code in self.interactions],
            "versioning": _versioning(self) if versioned else "no-version",
            "readHistory": versioned,
            "updateCreate": False,
            "conditionalCreate": self.conditional_create,
            "conditionalRead": "full-support" if self.conditional_read else "not-supported",
            "conditionalUpdate": self.conditional_update,
            "conditionalDelete": "single" if self.conditional_delete else "not-supported",
        }
        lists = {
            "supportedProfile": list(self.profiles),
            "searchInclude": list(self.includes),
            "searchRevInclude": list(self.included_by),
            "searchParam": [one.as_json() for one in self.search],
            "operation": [{"name": one.name, "definition": one.definition} for one in self.operations],
            "documentation": self.means,
        }
        return made | {name: value for name, value in lists.items() if value}


def _interaction(code: Interaction) -> Json:
    return {"code": code} | ({"documentation": HISTORY} if code == "history-instance" else {})


def _versioning(resource: Resource) -> str:
    """An update may name the version it replaces where there are updates."""
    return "versioned-update" if "update" in resource.interactions else "versioned"


_DECLARED: dict[str, Resource] = {}


def declare(resource: Resource) -> None:
    """Say what is served of one type; once for each."""
    _DECLARED[resource.type] = resource


def declared() -> Iterator[Resource]:
    """Everything that was declared, by type."""
    return iter(sorted(_DECLARED.values(), key=lambda one: one.type))


def fhir_blueprint(resource: Resource) -> Blueprint:
    """The blueprint of a declared resource, at `/fhir/{type}`; formats other than JSON and XML are refused first."""
    declare(resource)
    blueprint = Blueprint(f"fhir-{resource.type.lower()}", __name__, url_prefix=f"/fhir/{resource.type}")
    blueprint.before_request(negotiate)
    return blueprint
