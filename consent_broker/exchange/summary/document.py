"""A summary as a FHIR document Bundle: Composition, patient, items with their Provenance, alerts (HL7 IPS)."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from uuid import NAMESPACE_URL, UUID, uuid5

from consent_broker.exchange.summary.alerts import Alert
from consent_broker.exchange.summary.items import Item, Json
from consent_broker.exchange.summary.sections import SummarySection
from registry.fhir.ips import IPS_TYPE, LOINC

EMPTY_REASONS = "http://terminology.hl7.org/CodeSystem/list-empty-reason"
ACT_CODES = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
PARTICIPANTS = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
PATIENT_ELEMENTS = ("patient", "subject")


class Document:
    """One summary being written: whose, when, by which registry."""

    def __init__(self, patient: Json, base_url: str, moment: datetime, key: UUID) -> None:
        self._patient, self._base_url, self._key = patient, base_url, key
        self._moment = moment.isoformat(timespec="milliseconds")
        self._patient_url = f"{base_url}/fhir/Patient/{patient['id']}"

    def write(self, sections: Sequence[SummarySection], alerts: Sequence[Alert]) -> Json:
        """The whole Bundle."""
        items = [one for section in sections for one in section.items]
        urls = {id(one): self._address(one, index) for index, one in enumerate(items)}
        issues = [(self._name(f"alert/{index}"), self._issue(one, urls)) for index, one in enumerate(alerts)]
        composition = self._composition(sections, urls, issues)
        entries = [
            (composition["id"], composition),
            (self._patient_url, self._patient),
            *((urls[id(one)], self._placed(one)) for one in items),
            *issues,
            *((self._name(f"origin/{index}"), self._origin(one, urls)) for index, one in enumerate(items)),
        ]
        return {
            "resourceType": "Bundle",
            "id": str(self._key),
            "identifier": {"system": "urn:ietf:rfc:3986", "value": self._key.urn},
            "type": "document",
            "timestamp": self._moment,
            "entry": [_entry(url, resource) for url, resource in entries],
        }

    def _composition(
        self, sections: Sequence[SummarySection], urls: dict[int, str], issues: Sequence[tuple[str, Json]]
    ) -> Json:
        registry = {"identifier": {"system": "urn:ietf:rfc:3986", "value": self._base_url}, "display": "RENHICE"}
        written = [_section(one, [urls[id(item)] for item in one.items]) for one in sections]
        alerting = [_alerting(issues)] if issues else []
        return {
            "resourceType": "Composition",
            "id": str(uuid5(self._key, "composition")),
            "language": "es-PE",
            "status": "final",
            "type": {"coding": [{"system": LOINC, "code": IPS_TYPE, "display": "Patient summary Document"}]},
            "subject": {"reference": self._patient_url},
            "date": self._moment,
            "author": [registry],
            "title": "Resumen internacional del paciente",
            "confidentiality": "R",
            "custodian": registry,
            "section": [*written, *alerting],
        }

    def _placed(self, item: Item) -> Json:
        """The resource as its holder sent it, about the patient of this document, with its origin."""
        meta = item.resource.get("meta")
        about = next((name for name in PATIENT_ELEMENTS if name in item.resource), None)
        name = about or ("subject" if item.type in {"Condition", "MedicationStatement"} else "patient")
        placed = item.resource | {"meta": (meta if isinstance(meta, dict) else {}) | {"source": item.url}}
        return placed | {name: {"reference": self._patient_url}}

    def _origin(self, item: Item, urls: dict[int, str]) -> Json:
        """Who says an item, each with where it can be read."""
        agents = [
            {
                "type": {"coding": [{"system": PARTICIPANTS, "code": "author"}]},
                "who": {
                    "reference": f"{self._base_url}/fhir/Organization/{holder.establishment_id}",
                    "display": holder.name,
                },
            }
            for holder, _ in item.origins
        ]
        sources = [{"role": "source", "what": {"reference": url}} for _, url in item.origins]
        return {
            "resourceType": "Provenance",
            "target": [{"reference": urls[id(item)]}],
            "recorded": self._moment,
            "agent": agents,
            "entity": sources,
        }

    def _issue(self, alert: Alert, urls: dict[int, str]) -> Json:
        return {
            "resourceType": "DetectedIssue",
            "status": "final",
            "code": {"coding": [{"system": ACT_CODES, "code": alert.kind}]},
            "severity": alert.severity,
            "patient": {"reference": self._patient_url},
            "identifiedDateTime": self._moment,
            "implicated": [{"reference": urls[id(one)]} for one in alert.items],
            "detail": alert.text,
        }

    def _address(self, item: Item, index: int) -> str:
        """Where the holder has it; a name of our own for what has no id there."""
        return item.url if isinstance(item.resource.get("id"), str) else self._name(f"item/{index}")

    def _name(self, what: str) -> str:
        return uuid5(self._key, what).urn


def _entry(url: str, resource: Json) -> Json:
    full = url if ":" in url else f"urn:uuid:{url}"
    return {"fullUrl": full, "resource": resource if "id" in resource else _with_id(resource, full)}


def _with_id(resource: Json, url: str) -> Json:
    return {"resourceType": resource["resourceType"], "id": str(uuid5(NAMESPACE_URL, url))} | resource


def _section(found: SummarySection, urls: Sequence[str]) -> Json:
    code = {"system": LOINC, "code": found.section.code, "display": found.section.display}
    made: Json = {
        "title": found.section.title,
        "code": {"coding": [code]},
        "text": {"status": "generated", "div": found.narrative},
    }
    if urls:
        return made | {"entry": [{"reference": url} for url in urls]}
    reason = {"coding": [{"system": EMPTY_REASONS, "code": found.empty_reason}]}
    return made | {"emptyReason": reason}


def _alerting(issues: Sequence[tuple[str, Json]]) -> Json:
    listed = "".join(f"<li>{escape(issue['detail'])}</li>" for _, issue in issues)
    div = f'<div xmlns="http://www.w3.org/1999/xhtml" lang="es"><ul>{listed}</ul></div>'
    return {
        "title": "Alertas",
        "text": {"status": "generated", "div": div},
        "entry": [{"reference": url} for url, _ in issues],
    }
