"""The gateway's answer in FHIR R4: a searchset with the origin of every entry, and an outcome for what is missing."""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from consent_broker.exchange.service import ExchangeResult, Missing, Record

_TEXTS = {
    "suppressed": "restricted",
    "timeout": "did not answer in time",
    "transient": "can not be reached now",
    "security": "refused the request",
    "structure": "sent something unreadable",
    "too-costly": "holds more than was sent",
    "not-supported": "is not connected to the exchange",
    "conflict": "holds a record whose identity document is being checked",
}


def searchset(result: ExchangeResult, self_url: str) -> dict[str, Any]:
    """A searchset Bundle; `total` counts matches only (FHIR R4 §3.1.1.6)."""
    matches = [_match(record) for record in result.records]
    outcomes = [_outcome(missing, self_url) for missing in result.missing]
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(matches),
        "link": [{"relation": "self", "url": self_url}],
    }
    return bundle | ({"entry": matches + outcomes} if matches or outcomes else {})


def suppressed(resource_type: str, url: str) -> dict[str, Any]:
    """The entry that tells a reader that something of a type is restricted."""
    return _outcome(Missing(resource_type, None, "suppressed"), url)


def _match(record: Record) -> dict[str, Any]:
    base = record.holder.endpoint or ""
    identifier = str(record.resource.get("id", ""))
    origin = f"{base}/{record.resource_type}/{identifier}" if identifier else base
    meta = record.resource.get("meta")
    resource = record.resource | {"meta": (meta if isinstance(meta, dict) else {}) | {"source": origin}}
    full_url = origin if identifier else uuid5(NAMESPACE_URL, repr(record.resource)).urn
    return {"fullUrl": full_url, "resource": resource, "search": {"mode": "match"}}


def _outcome(missing: Missing, self_url: str) -> dict[str, Any]:
    text = _TEXTS.get(missing.fault, "is missing")
    who = missing.holder.name if missing.holder else missing.resource_type
    issue: dict[str, Any] = {
        "severity": "warning",
        "code": missing.fault,
        "details": {"text": f"{who}: {text}" if missing.holder is None else f"{who} ({missing.resource_type}): {text}"},
    }
    if missing.holder and missing.holder.endpoint:
        issue["diagnostics"] = missing.holder.endpoint
    name = f"{self_url}#{who}/{missing.resource_type}/{missing.fault}"
    return {
        "fullUrl": uuid5(NAMESPACE_URL, name).urn,
        "resource": {"resourceType": "OperationOutcome", "issue": [issue]},
        "search": {"mode": "outcome"},
    }
