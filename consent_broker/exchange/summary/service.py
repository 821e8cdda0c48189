"""Patient summary: what all permitted holders say, fetched through the gateway, put together and forgotten."""

from collections.abc import Sequence
from uuid import UUID

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.exchange.asking import Fault
from consent_broker.exchange.service import ExchangeResult, Missing, Record, fetch
from consent_broker.exchange.summary.alerts import Alert, alerts_of
from consent_broker.exchange.summary.document import Document
from consent_broker.exchange.summary.items import Json, items_of
from consent_broker.exchange.summary.sections import section_of
from consent_broker.oauth.holder_tokens import Access
from registry.database import new_id, now
from registry.fhir.ips import SECTIONS
from registry.fhir.patient_writing import recognisable
from registry.fhir.systems import PERSON
from registry.fhir.validation import STUMBLES
from registry.identity.service import load_person
from registry.sealing import Sealer

SUMMARISED = ("AllergyIntolerance", "MedicationStatement", "Condition", "Immunization")
"""The types a summary is made of."""


def summarise(session: Session, sealer: Sealer, broker: Broker, access: Access, types: Sequence[str]) -> Json:
    """The summary of a person as a document Bundle, of those types; decided, audited and fetched as any reading.

    Raises what `fetch` raises.
    """
    result = fetch(session, broker, access, types)
    document = Document(_patient(session, sealer, access.person_id), broker.issuer, now(), new_id())
    return write_summary(document, result, types)


def _patient(session: Session, sealer: Sealer, person_id: UUID) -> Json:
    """The person as far as recognising needs; of one without a readable record the id."""
    person = load_person(session, sealer, person_id)
    if person is not None:
        return recognisable(person, ())
    return {
        "resourceType": "Patient",
        "id": str(person_id),
        "identifier": [{"system": PERSON, "value": str(person_id)}],
    }


def write_summary(document: Document, result: ExchangeResult, types: Sequence[str]) -> Json:
    """The summary of what was fetched; a resource that is no FHIR R4 is left out and named as missing. Pure."""
    readable = [one for one in result.records if _is_readable(one)]
    spoilt = {(one.resource_type, one.holder) for one in result.records} - {
        (one.resource_type, one.holder) for one in readable
    }
    missing = [*result.missing, *(Missing(kind, holder, Fault.UNREADABLE) for kind, holder in sorted(spoilt, key=str))]
    items = items_of(readable)
    sections = [section_of(one, items, missing, frozenset(types)) for one in SECTIONS]
    alerts = alerts_of([item for section in sections for item in section.items])
    return document.write(sections, alerts)


def alerts_in(records: Sequence[Record]) -> list[Alert]:
    """The alerts in what was fetched, for whoever shows it otherwise than as a summary. Pure."""
    return alerts_of(items_of([one for one in records if one.resource_type in SUMMARISED and _is_readable(one)]))


def _is_readable(found: Record) -> bool:
    """Whether a resource is R4; its reference to the patient, which is replaced, is not looked at."""
    placed = {"subject" if found.resource_type in {"Condition", "MedicationStatement"} else "patient": {"display": "-"}}
    try:
        get_fhir_model_class(found.resource_type).model_validate(placed | found.resource)
    except (ValidationError, *STUMBLES):
        return False
    return True
