"""Scopes: the ones there are, SMART v1 spellings made v2, and which audience each belongs to."""

import re
from collections.abc import Iterable

from authlib.oauth2.rfc6749.errors import InvalidScopeError

from consent_broker.consents.vocabulary import FHIR_TYPES, scope_of

SYSTEM_SCOPES = {
    "system/Patient.cu": "/fhir",
    "system/Patient.rs": "/fhir",
    "system/Patient.d": "/fhir",
    "system/Consent.cu": "/fhir",
    "system/Consent.rs": "/fhir",
    "system/DocumentReference.cu": "/fhir",
    "system/DocumentReference.rs": "/fhir",
    "system/List.rs": "/fhir",
    "system/Provenance.rs": "/fhir",
    "system/AuditEvent.rs": "/fhir",
    "system/Subscription.cruds": "/fhir",
    "system/Organization.rs": "/fhir",
    "system/Location.rs": "/fhir",
    "system/Endpoint.rs": "/fhir",
    "system/Practitioner.rs": "/fhir",
    "system/PractitionerRole.rs": "/fhir",
    "bulk-import": "/api/v1",
    "access-request": "/api/v1",
    "representation": "/api/v1",
    "emergency": "/api/v1",
}
"""Scopes of a record system acting for itself, and the surface each opens."""

STAFF_SCOPES = {"steward": "/api/v1"}
"""Scopes of Minsa staff working through a client, and the surface each opens; the token names the human."""

RECORD_SCOPES = frozenset(scope_of(category) for category in FHIR_TYPES)
CONTEXT_SCOPES = frozenset({"launch", "launch/patient"})
"""What an app asks for context with; it always gets it: the patient is whoever answers, or the access request's."""

GRANT_SCOPES = RECORD_SCOPES | CONTEXT_SCOPES | {"offline_access"}
SUPPORTED = frozenset(SYSTEM_SCOPES) | frozenset(STAFF_SCOPES) | GRANT_SCOPES
MAX_SCOPES = 40
_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,128}")
_V1 = {"system/Patient.read": "system/Patient.rs", "system/Patient.write": "system/Patient.cu"} | {
    f"patient/{resource_type}.read": f"patient/{resource_type}.rs" for resource_type in FHIR_TYPES.values()
}


def parse_scopes(text: str) -> frozenset[str]:
    """A `scope` parameter as a set, SMART v1 spellings normalised; raises InvalidScopeError for any we don't know.

    A scope is refused, never silently dropped: the client must know what it did not get (RFC 6749 §3.3).
    """
    found = text.split(" ")
    if len(found) > MAX_SCOPES or not all(_TOKEN.fullmatch(scope) for scope in found):
        raise InvalidScopeError("The scope can not be read")
    normalised = normalise(found)
    if not normalised <= SUPPORTED:
        raise InvalidScopeError("A scope is not known here")
    return normalised


def normalise(scopes: Iterable[str]) -> frozenset[str]:
    """SMART v1 `read` and `write` as their v2 equivalents; others as they are."""
    return frozenset(_V1.get(scope, scope) for scope in scopes)


def audience_of(scopes: frozenset[str]) -> str:
    """The one surface a record system's scopes belong to; raises InvalidScopeError when there is not exactly one."""
    surfaces = {SYSTEM_SCOPES.get(scope) for scope in scopes}
    surface = surfaces.pop() if len(surfaces) == 1 else None
    if surface is None:
        raise InvalidScopeError("One token is for one audience: ask for these scopes separately")
    return surface
