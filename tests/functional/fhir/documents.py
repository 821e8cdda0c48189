"""Submissions as a record system makes them (IHE MHD ITI-65); all invented."""

from base64 import b64encode
from typing import Any

from registry.fhir.document_reading import LIST_TYPES, SHA256

Json = dict[str, Any]
BASE = "http://127.0.0.1:9000/fhir"
LOINC = "http://loinc.org"
DOCUMENT = "urn:uuid:0c3f6d1e-0000-4000-8000-00000000000"


def coded(code: str, system: str = LOINC) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def document(subject: Json, number: int = 1, **more: Any) -> Json:
    attachment = {
        "contentType": "application/pdf",
        "url": f"{BASE}/Binary/doc-{number}",
        "size": 11,
        "hash": b64encode(b"1" * 20).decode(),
        "creation": "2026-11-20T10:00:00-05:00",
        "title": "Epicrisis",
    } | more.pop("attachment", {})
    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:oid:1.2.3.{number}"},
        "status": "current",
        "type": coded("18842-5"),
        "category": [coded("11503-0")],
        "subject": subject,
        "date": "2026-11-20T10:05:00-05:00",
        "securityLabel": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}]}
        ],
        "content": [{"attachment": attachment}],
        "context": {"period": {"start": "2026-11-10", "end": "2026-11-20"}, "facilityType": coded("HOSP", "urn:x")},
    } | more


def submission(*documents: Json, number: int = 1, others: Any = ()) -> Json:
    urls = [f"{DOCUMENT}{index}" for index in range(len(documents))]
    submission_set = {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "identifier": [{"use": "official", "system": "urn:ietf:rfc:3986", "value": f"urn:oid:1.2.9.{number}"}],
        "code": {"coding": [{"system": LIST_TYPES, "code": "submissionset"}]},
        "subject": documents[0]["subject"],
        "date": "2026-11-20T10:06:00-05:00",
        "entry": [{"item": {"reference": url}} for url in urls],
    }
    found = [
        ("urn:uuid:0c3f6d1e-0000-4000-8000-0000000000ff", submission_set),
        *zip(urls, documents, strict=True),
        *others,
    ]
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": url, "resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
            for url, one in found
        ],
    }


def signed(data: bytes, kind: str = "application/jose", target: str = f"{DOCUMENT}0") -> tuple[str, Json]:
    """A Provenance that carries a signature of the first document."""
    signature = {
        "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.1"}],
        "when": "2026-11-20T10:04:00-05:00",
        "who": {"display": "Juana Quispe"},
        "sigFormat": kind,
        "data": b64encode(data).decode(),
    }
    return "urn:uuid:0c3f6d1e-0000-4000-8000-0000000000aa", {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "recorded": "2026-11-20T10:04:00-05:00",
        "agent": [{"who": {"display": "Juana Quispe"}}],
        "signature": [signature],
    }


def sha256_extension(digest: bytes) -> Json:
    return {"extension": [{"url": SHA256, "valueBase64Binary": b64encode(digest).decode()}]}
