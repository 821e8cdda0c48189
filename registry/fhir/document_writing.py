"""The document index as FHIR: DocumentReference, SubmissionSet List and the Provenance of signatures; pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from registry.fhir.document_reading import SHA256, SIGNATURE
from registry.fhir.wire import Json
from registry.locator.documents import Document, SubmissionSet

MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition"
_OURS = frozenset({"id", "meta", "status", "subject", "relatesTo", "custodian", "text", "implicitRules"})


def document_reference(document: Document, patient: UUID, replaces: Sequence[UUID] = ()) -> Json:
    """A document as its holder described it; patient, status, custodian and the verdict on its signature are ours."""
    said = document.description["resource"]
    version, moment = ("1" if document.current else "2"), document.received_at.isoformat(timespec="milliseconds")
    kept = {name: value for name, value in said.items() if name not in _OURS}
    made: Json = kept | {
        "id": str(document.id),
        "meta": {"versionId": version, "lastUpdated": moment, **_labels(said)},
        "extension": [*_others(said), _verdict(document.description["signature"])],
        "status": "current" if document.current else "superseded",
        "subject": {"reference": f"Patient/{patient}"},
        "custodian": {"reference": f"Organization/{document.establishment_id}"},
        "content": [_content(said["content"][0], document.description["sha256"])],
    }
    related = [{"code": "replaces", "target": {"reference": f"DocumentReference/{one}"}} for one in replaces]
    return made | ({"relatesTo": related} if related else {})


def submission_set(found: SubmissionSet, patient: UUID) -> Json:
    """A submission set with its documents."""
    kept = {name: value for name, value in found.description.items() if name not in {"text", "entry", "meta"}}
    return kept | {
        "id": str(found.id),
        "meta": {"versionId": "1", "lastUpdated": found.received_at.isoformat(timespec="milliseconds")},
        "subject": {"reference": f"Patient/{patient}"},
        "entry": [{"item": {"reference": f"DocumentReference/{one}"}} for one in sorted(found.document_ids)],
    }


def signature_provenance(document: Document) -> Json | None:
    """The Provenance that carries a document's signatures, as sent; None for a document without any."""
    said = document.description["provenance"]
    if said is None:
        return None
    kept = {name: value for name, value in said.items() if name not in {"text", "meta"}}
    return kept | {
        "id": str(document.id),
        "meta": {"versionId": "1", "lastUpdated": document.received_at.isoformat(timespec="milliseconds")},
        "target": [{"reference": f"DocumentReference/{document.id}"}],
    }


def _labels(said: Json) -> Json:
    """Security labels of the entry itself stay; profiles and tags a sender claims do not."""
    security = (said.get("meta") or {}).get("security")
    return {"security": security} if security else {}


def _others(said: Json) -> list[Json]:
    """Nobody but the registry says whether a signature was verified."""
    return [one for one in said.get("extension") or [] if one.get("url") != SIGNATURE]


def _verdict(signature: Mapping[str, Any]) -> Json:
    signer, certificate = signature["signer"], signature["certificate"]
    parts = [
        {"url": "estado", "valueCode": signature["state"]},
        *([{"url": "motivo", "valueCode": signature["reason"]}] if signature["reason"] else []),
        *([{"url": "firmante", "valueReference": {"reference": f"Practitioner/{signer}"}}] if signer else []),
        *([{"url": "certificado", "valueString": certificate}] if certificate else []),
        {"url": "juzgada", "valueInstant": signature["judged"]},
    ]
    return {"url": SIGNATURE, "extension": parts}


def _content(said: Json, sha256: str | None) -> Json:
    """The content with the SHA-256 the signature is about, said or signed."""
    attachment = said["attachment"]
    others = [one for one in attachment.get("extension") or [] if one.get("url") != SHA256]
    digest = [{"url": SHA256, "valueBase64Binary": sha256}] if sha256 else []
    rest = {name: value for name, value in attachment.items() if name != "extension"}
    return said | {"attachment": rest | ({"extension": [*others, *digest]} if others or digest else {})}
