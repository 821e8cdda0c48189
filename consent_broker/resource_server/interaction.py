"""Reading a FHIR request: which type, which patient, and whether it could reach further than it says."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from consent_broker.resource_server.answers import Refusal
from consent_broker.resource_server.naming import ID_IN_PATH, TYPE

_PATH = re.compile(rf"/(?P<type>{TYPE})(?:/(?P<id>{ID_IN_PATH}))?")
_PATIENT_PARAMETERS = {"patient", "subject", "patient.identifier", "subject.identifier"}
_REACHING = ("_include", "_revinclude", "_has", "_contained", "_filter", "_query", "_list", "_graph", "_method")
_NAME = re.compile(r"[a-z_][a-z0-9_\-.:]*")
_PARTIAL = {"_elements", "_summary"}
MAX_PARAMETERS = 40


@dataclass(frozen=True, slots=True)
class Interaction:
    """A read or a search of one FHIR type; `patients` are the patients it names."""

    resource_type: str
    resource_id: str | None
    patients: tuple[str, ...]
    partial: bool = False
    """Whether it asks for parts of resources, without the labels that say how sensitive they are."""


def read_interaction(method: str, path: str, query: str, form: str = "") -> Interaction | Refusal:
    """Parse the request line (and the body of a `_search`); anything but a plain read or search is refused."""
    searching = path.endswith("/_search")
    if method not in {"GET", "HEAD"} and not (method == "POST" and searching):
        return Refusal(403, "insufficient_scope", "Only read and search are granted")
    match = _PATH.fullmatch(path.removesuffix("/_search").rstrip("/"))
    if match is None or (searching and match["id"]):
        return Refusal(403, "insufficient_scope", "Only reading or searching one FHIR type is granted")
    try:
        parameters = _parse(query) + _parse(form)
    except ValueError:
        return Refusal(400, "invalid_request", "The search parameters can not be read")
    return _inspect(match["type"], match["id"], parameters)


def _parse(text: str) -> list[tuple[str, str]]:
    """The parameters; ValueError for what some servers would part elsewhere, or read as other letters."""
    if ";" in text:
        raise ValueError
    bounds: dict[str, Any] = {"strict_parsing": True, "max_num_fields": MAX_PARAMETERS, "errors": "strict"}
    return parse_qsl(text, keep_blank_values=True, **bounds) if text else []


def _inspect(resource_type: str, resource_id: str | None, parameters: list[tuple[str, str]]) -> Interaction | Refusal:
    patients, partial = [], False
    for said, value in parameters:
        name = said.lower()
        plain = name.split(":")[0]
        if plain.startswith(_REACHING) or plain == "access_token" or not _NAME.fullmatch(name):
            return Refusal(400, "invalid_request", "The search has a parameter that is not accepted here")
        if plain in _PATIENT_PARAMETERS:
            if name not in {plain, f"{plain}:patient"}:
                return Refusal(400, "invalid_request", "The patient parameter takes no modifier")
            patients.append(value)
        elif "." in name:
            return Refusal(400, "invalid_request", "A search goes by what the type itself says, not by what it names")
        partial |= plain in _PARTIAL
    return Interaction(resource_type, resource_id, tuple(patients), partial)


def names_only(patients: tuple[str, ...], patient: str) -> bool:
    """Whether every patient parameter means exactly that patient (`x`, `Patient/x`, or `system|x`)."""
    return all(_bare(value) == patient for value in patients)


def _bare(value: str) -> str:
    return value.rpartition("|")[2] if "|" in value else value.removeprefix("Patient/")


def permits(scopes: frozenset[str], resource_type: str, *, search: bool) -> bool:
    """Whether a SMART v2 `patient/` scope covers reading (`r`) or searching (`s`) the type; no wildcards."""
    needed = "s" if search else "r"
    prefix = f"patient/{resource_type}."
    return any(scope.startswith(prefix) and needed in scope[len(prefix) :] for scope in scopes if "?" not in scope)
