"""Documents establishments keep themselves, and what they tell the registry of them (IHE MHD ITI-65)."""

import hashlib
import uuid
from base64 import b64encode
from dataclasses import dataclass
from datetime import date
from typing import Any

from sandbox.clerks import Record
from sandbox.places import REGISTRO

LOINC = "http://loinc.org"
PRESCRIPTION = "57833-6"
LIST_TYPES = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
PDF = "application/pdf"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClinicalDocument:
    """One document of a patient, as its establishment keeps it; `code` is its LOINC type."""

    id: str
    local_number: str
    code: str
    title: str
    content_type: str
    created: str
    content: bytes


def prescription(record: Record, text: str, day: date) -> ClinicalDocument:
    """A prescription as a PDF of one page."""
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{record.renipress}/{record.local_number}/{text}/{day}"))
    created = f"{day.isoformat()}T10:00:00-05:00"
    title = f"Receta {day.isoformat()}"
    return ClinicalDocument(name, record.local_number, PRESCRIPTION, title, PDF, created, pdf(f"{title}: {text}"))


def pdf(line: str) -> bytes:
    """A PDF of one page with one line of text."""
    safe = line.replace("\\", " ").replace("(", " ").replace(")", " ").encode("latin-1", "replace")
    page = b"BT /F1 14 Tf 60 760 Td (" + safe + b") Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Font << /F1 5 0 R >> >>",
    ]
    body, places = bytearray(b"%PDF-1.4\n"), []
    for number, one in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, one)
    start = len(body)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    body += b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, rows)
    return bytes(body + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))


def submission(document: ClinicalDocument, fhir_base: str, patient: str) -> Json:
    """The transaction that tells the registry of a document; `patient` is the id both share."""
    subject = {"type": "Patient", "identifier": {"system": REGISTRO, "value": patient}}
    described, listed = f"urn:uuid:{document.id}", uuid.uuid5(uuid.NAMESPACE_URL, document.id).urn
    listing, reference = _set(document, described, listed, subject), _reference(document, fhir_base, subject)
    entries = [(listed, listing), (described, reference)]
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": url, "resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
            for url, one in entries
        ],
    }


def _set(document: ClinicalDocument, described: str, listed: str, subject: Json) -> Json:
    return {
        "resourceType": "List",
        "status": "current",
        "mode": "working",
        "identifier": [{"use": "official", "system": "urn:ietf:rfc:3986", "value": listed}],
        "code": {"coding": [{"system": LIST_TYPES, "code": "submissionset"}]},
        "subject": subject,
        "date": document.created,
        "entry": [{"item": {"reference": described}}],
    }


def _reference(document: ClinicalDocument, fhir_base: str, subject: Json) -> Json:
    day = document.created[:10]
    digest = hashlib.sha1(document.content, usedforsecurity=False).digest()  # FHIR R4 says SHA-1
    attachment = {
        "contentType": document.content_type,
        "url": f"{fhir_base}/Binary/{document.id}",
        "size": len(document.content),
        "hash": b64encode(digest).decode(),
        "title": document.title,
        "creation": document.created,
    }
    return {
        "resourceType": "DocumentReference",
        "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{document.id}"},
        "status": "current",
        "type": {"coding": [{"system": LOINC, "code": document.code}]},
        "subject": subject,
        "date": document.created,
        "content": [{"attachment": attachment}],
        "context": {"period": {"start": day, "end": day}},
    }
