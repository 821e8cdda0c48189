"""A consent as FHIR R4 Consent by IHE Privacy Consent on FHIR (PCF); pure.

Basic where it names grantee, purpose and period; Intermediate with dates, holders or items; Advanced with labels. PCF
has no place for a record category (`class` is not allowed): it is a modifier extension, so that whoever does not
understand it does not read the consent as wider than it is.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from consent_broker.consents.directives import Kind, Terms
from consent_broker.consents.models import ConsentVersion
from consent_broker.consents.policy import policy_uri
from consent_broker.consents.states import ConsentState
from consent_broker.consents.vocabulary import FHIR_TYPES, LABEL_SYSTEMS, Status
from registry.fhir.systems import BASE, NAMING, RENIPRESS

Json = dict[str, Any]
PCF = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consent"
CATEGORY = f"{BASE}/StructureDefinition/categoria-registro"
REPRESENTATION, EVIDENCE, KINDS = f"{NAMING}/representacion", f"{NAMING}/evidencia", f"{NAMING}/clase-establecimiento"
_SCOPE = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
_LOINC = {"system": "http://loinc.org", "code": "59284-0", "display": "Consent Document"}
_RECIPIENT = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
_PURPOSES = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
STATES = "http://hl7.org/fhir/consent-state-codes"
STATES_OF_R4 = frozenset({"draft", "proposed", "active", "rejected", "inactive", "entered-in-error"})
STATUS = {
    Status.PROPOSED: "proposed",
    Status.ACTIVE: "active",
    Status.REJECTED: "rejected",
    Status.REVOKED: "inactive",
    Status.EXPIRED: "inactive",
    Status.SUPERSEDED: "inactive",
}


def consent(state: ConsentState, version: ConsentVersion, base_url: str, renipress: dict[UUID, str]) -> Json:
    """One version of a consent; `renipress` holds the codes of the establishments it names."""
    terms = state.terms
    return {
        "resourceType": "Consent",
        "id": str(state.id),
        "meta": {
            "versionId": str(state.version),
            "lastUpdated": state.recorded_at.isoformat(timespec="milliseconds"),
            "profile": [f"{PCF}{_level(terms)}"],
        },
        "status": STATUS[state.status],
        "scope": {"coding": [_SCOPE]},
        "category": [{"coding": [_LOINC]}],
        "patient": {"reference": f"Patient/{terms.person_id}"},
        "dateTime": state.starts_at.isoformat(timespec="seconds"),
        "performer": [_performer(terms, version.evidence)],
        "organization": [{"identifier": {"system": "urn:ietf:rfc:3986", "value": base_url}, "display": "RENHICE"}],
        "sourceReference": _source(version),
        "policy": [{"uri": policy_uri(base_url)}],
        "provision": _provision(state, renipress),
    }


def _level(terms: Terms) -> str:
    if terms.labels is not None:
        return "Advanced"
    narrower = (terms.data_from, terms.data_until, terms.sources, terms.items)
    return "Intermediate" if any(narrower) else "Basic"


def _performer(terms: Terms, evidence: Json) -> Json:
    representation = evidence.get("representation")
    if representation:
        return {"type": "RelatedPerson", "identifier": {"system": REPRESENTATION, "value": representation}}
    return {"reference": f"Patient/{terms.person_id}"}


def _source(version: ConsentVersion) -> Json:
    """The evidence of this version: the hash of the words the person saw, or the act that left none."""
    proof = version.evidence.get("text_sha256") or f"{version.consent_id}/{version.version}"
    return {"type": "DocumentReference", "identifier": {"system": EVIDENCE, "value": proof}}


def _provision(state: ConsentState, renipress: dict[UUID, str]) -> Json:
    terms = state.terms
    made: Json = {
        "modifierExtension": [
            {"url": CATEGORY, "valueCode": FHIR_TYPES[one]} for one in sorted(terms.categories or ())
        ],
        "type": "permit" if terms.kind is Kind.PERMISSION else "deny",
        "period": _period(state.starts_at, terms.ends_at),
        "actor": [{"role": {"coding": [_RECIPIENT]}, "reference": one} for one in _actors(terms, renipress)],
        "securityLabel": [{"system": LABEL_SYSTEMS[one], "code": one} for one in sorted(terms.labels or ())],
        "purpose": [{"system": _PURPOSES, "code": one} for one in sorted(terms.purposes or ())],
        "dataPeriod": _period(terms.data_from, terms.data_until),
        "data": [*_holders(terms, renipress), *_items(terms.items or ())],
    }
    return {name: value for name, value in made.items() if value}


def _actors(terms: Terms, renipress: dict[UUID, str]) -> list[Json]:
    found: list[Json] = []
    if terms.professional_id:
        found.append({"reference": f"Practitioner/{terms.professional_id}"})
    if terms.establishment_id:
        kind = "CareTeam" if terms.treating else "Organization"
        code = {"system": RENIPRESS, "value": renipress.get(terms.establishment_id, "")}
        literal = {} if terms.treating else {"reference": f"Organization/{terms.establishment_id}"}
        found.append(literal | {"type": kind, "identifier": code})
    kinds = [terms.establishment_category or "", terms.establishment_sector or ""]
    if any(kinds):
        found.append({"type": "Group", "identifier": {"system": KINDS, "value": "|".join(kinds)}})
    return found


def _holders(terms: Terms, renipress: dict[UUID, str]) -> list[Json]:
    return [
        {
            "meaning": "authoredby",
            "reference": {
                "reference": f"Organization/{one}",
                "identifier": {"system": RENIPRESS, "value": renipress.get(one, "")},
            },
        }
        for one in sorted(terms.sources or ())
    ]


def _items(items: Iterable[str]) -> list[Json]:
    return [{"meaning": "instance", "reference": {"reference": one}} for one in sorted(items)]


def _period(start: Any, end: Any) -> Json:
    return {name: one.isoformat() for name, one in (("start", start), ("end", end)) if one is not None}
