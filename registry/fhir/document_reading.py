"""A submission (IHE MHD ITI-65) read strictly: one patient, one SubmissionSet, documents that stay elsewhere."""

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from registry.errors import Unprocessable
from registry.fhir import systems
from registry.fhir.validation import validate
from registry.fhir.wire import Json, fail

LIST_TYPES = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
SHA256 = f"{systems.BASE}/StructureDefinition/hash-sha256"
SIGNATURE = f"{systems.BASE}/StructureDefinition/firma-digital"
MEDIA_TYPE = re.compile(r'[\w.+-]{1,80}/[\w.+-]{1,80}(?:; ?[\w.-]{1,40}="?[\w.+-]{1,80}"?){0,4}', re.ASCII)
"""RFC 6838 §4.2, with plain parameters: it becomes a header of the request to the holder and of the answer."""

SHA1_BYTES = 20
MAX_SUBMISSION_BYTES = 1_048_576
MOST_ENTRIES = 40
MOST_SIGNATURES = 5
TAKEN = ("List", "DocumentReference", "Provenance", "Bundle")
REFUSED = {
    "Binary": "The registry holds no documents: publish yours, and say where in content.attachment.url.",
    "Patient": "Register the patient with PUT /fhir/Patient first, and refer to it.",
    "Practitioner": "Refer to the registry's Practitioner, or contain the author in the DocumentReference.",
}


@dataclass(frozen=True, slots=True)
class SentSignature:
    """A signature of a Provenance: its format and bytes."""

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class SentDocument:
    """One DocumentReference of a submission, with the Provenance that carries its signatures."""

    full_url: str
    resource: Json
    identifier: str
    url: str
    sha256: bytes | None
    provenance: Json | None
    signatures: tuple[SentSignature, ...]
    replaces: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class SentSubmission:
    """A submission as sent. `contents` are documents themselves, by the URL they are published at."""

    submission_set: Json
    identifier: str
    documents: tuple[SentDocument, ...]
    contents: Mapping[str, Json]
    entries: tuple[tuple[str, str], ...]
    """Type and subject of each entry in the order sent: of a Provenance its target, of others their fullUrl."""


def read_submission(bundle: Json, endpoint: str) -> SentSubmission:
    """A transaction Bundle as a submission; raises InvalidResource or Unprocessable, naming the element.

    `endpoint` is the FHIR base of the establishment: every document must be published below it.
    """
    entries = _entries(bundle)
    sets = [one for _, _, one in entries if one["resourceType"] == "List"]
    if len(sets) != 1 or not _is_submission_set(sets[0]):
        fail("Bundle.entry", f"must hold one List whose code is submissionset of {LIST_TYPES}")
    described = [(index, url, one) for index, url, one in entries if one["resourceType"] == "DocumentReference"]
    if not described:
        fail("Bundle.entry", "must hold at least one DocumentReference")
    _check_items(sets[0], [url for _, url, _ in described])
    provenances = _provenances([one for _, _, one in entries if one["resourceType"] == "Provenance"])
    contents = {url: one for _, url, one in entries if one["resourceType"] == "Bundle"}
    documents = tuple(
        _document(f"Bundle.entry[{index}].resource", url, one, provenances.pop(url, None), endpoint)
        for index, url, one in described
    )
    if provenances:
        fail("Provenance.target", "must be a DocumentReference of this Bundle")
    if contents.keys() - {one.url for one in documents}:
        fail("Bundle.entry.fullUrl", "of a document Bundle must be the URL a DocumentReference gives for it")
    identifier = _identifier(sets[0].get("identifier"), "List.identifier")
    sent = tuple((one["resourceType"], _target(one) or url) for _, url, one in entries)
    return SentSubmission(sets[0], identifier, documents, contents, sent)


def patient_reference(submission: SentSubmission) -> Json:
    """The one patient all of it is about; raises InvalidResource."""
    subjects = [
        submission.submission_set.get("subject"),
        *(one.resource.get("subject") for one in submission.documents),
    ]
    if any(not isinstance(one, dict) for one in subjects):
        fail("DocumentReference.subject", "must say whose document it is, and List.subject the same")
    named = {_named(one) for one in subjects}
    if len(named) != 1:
        fail("DocumentReference.subject", "must be the same patient in the whole submission")
    return dict(subjects[0] or {})


def _named(subject: Any) -> tuple[str, str]:
    identifier = subject.get("identifier") or {}
    return str(subject.get("reference", "")), f"{identifier.get('system', '')}|{identifier.get('value', '')}"


def _entries(bundle: Json) -> list[tuple[int, str, Json]]:
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "transaction":
        fail("Bundle.type", "must be transaction")
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not 0 < len(entries) <= MOST_ENTRIES:
        fail("Bundle.entry", f"must hold 1 to {MOST_ENTRIES} entries")
    found = [(index, *_entry(one, f"Bundle.entry[{index}]")) for index, one in enumerate(entries)]
    urls = [url for _, url, _ in found]
    if len(set(urls)) != len(urls):
        fail("Bundle.entry.fullUrl", "must be different in each entry")
    return found


def _entry(entry: Any, path: str) -> tuple[str, Json]:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(resource, dict) or not isinstance(request, dict):
        fail(path, "must hold a resource and a request")
    kind = str(resource.get("resourceType"))
    if kind in REFUSED:
        raise Unprocessable(f"{path}: a {kind} is not taken in a submission.", code="not-kept-here", hint=REFUSED[kind])
    if kind not in TAKEN:
        fail(f"{path}.resource.resourceType", f"must be one of {', '.join(TAKEN)}")
    if request.get("method") != "POST" or str(request.get("url", "")).strip("/") != kind:
        fail(f"{path}.request", f"must be POST {kind}")
    url = entry.get("fullUrl")
    if not isinstance(url, str) or not url:
        fail(f"{path}.fullUrl", "is required")
    return url, validate(resource, kind, f"{path}.resource")


def _is_submission_set(resource: Json) -> bool:
    codings = (resource.get("code") or {}).get("coding") or []
    return any(one.get("system") == LIST_TYPES and one.get("code") == "submissionset" for one in codings)


def _check_items(submission_set: Json, urls: Sequence[str]) -> None:
    items = [(one.get("item") or {}).get("reference") for one in submission_set.get("entry") or []]
    if sorted(map(str, items)) != sorted(urls):
        fail("List.entry.item", "must name each DocumentReference of the Bundle, and nothing else")


def _document(path: str, url: str, resource: Json, provenance: Json | None, endpoint: str) -> SentDocument:
    if resource.get("status") != "current":
        fail(f"{path}.status", "must be current; a correction replaces the former document")
    content = resource["content"]
    if len(content) != 1:
        fail(f"{path}.content", "must be one")
    attachment = content[0]["attachment"]
    if "data" in attachment:
        raise Unprocessable("The document itself is not taken.", code="not-kept-here", hint=REFUSED["Binary"])
    if MEDIA_TYPE.fullmatch(attachment.get("contentType", "")) is None:
        fail(f"{path}.content[0].attachment.contentType", "is required, and is a media type")
    if "hash" in attachment and len(_bytes(attachment["hash"])) != SHA1_BYTES:
        fail(f"{path}.content[0].attachment.hash", "must be a SHA-1 in base64")
    masters = [resource["masterIdentifier"]] if "masterIdentifier" in resource else resource.get("identifier")
    return SentDocument(
        full_url=url,
        resource=resource,
        identifier=_identifier(masters, f"{path}.masterIdentifier"),
        url=_published(attachment.get("url"), f"{path}.content[0].attachment.url", endpoint),
        sha256=_sha256(attachment, f"{path}.content[0].attachment.extension"),
        provenance=provenance,
        signatures=_signatures(provenance),
        replaces=_replaced(resource, f"{path}.relatesTo"),
    )


def _identifier(found: Any, path: str) -> str:
    """`system|value` of the first identifier."""
    first = found[0] if found else {}
    system, value = first.get("system"), first.get("value")
    if not system or not value:
        fail(path, "must have a system and a value that are unique")
    return f"{system}|{value}"


def _published(url: Any, path: str, endpoint: str) -> str:
    """Where the gateway can fetch the document with its token: a `Binary` or a `Bundle` at the holder's base."""
    pattern = re.escape(endpoint.rstrip("/")) + r"/(Binary|Bundle)/[A-Za-z0-9\-.]{1,64}"
    if not isinstance(url, str) or re.fullmatch(pattern, url) is None or url.endswith(("/.", "/..")):
        fail(path, "must be Binary/{id} or Bundle/{id} at your establishment's registered FHIR base")
    return url


def _sha256(attachment: Json, path: str) -> bytes | None:
    said = [one.get("valueBase64Binary") for one in attachment.get("extension") or [] if one.get("url") == SHA256]
    if not said:
        return None
    digest = _bytes(said[0]) if len(said) == 1 else b""
    if len(digest) != 32:
        fail(path, "must be one SHA-256 in base64")
    return digest


def _replaced(resource: Json, path: str) -> tuple[Json, ...]:
    related = resource.get("relatesTo") or []
    if any(one.get("code") != "replaces" for one in related):
        raise Unprocessable(f"{path}: only replaces is offered.", code="relation-not-offered")
    return tuple(one["target"] for one in related)


def _provenances(found: Sequence[Json]) -> dict[str, Json]:
    by_target: dict[str, Json] = {}
    for one in found:
        target = _target(one)
        if target is None or len(one["target"]) != 1 or target in by_target:
            fail("Provenance.target", "must be one DocumentReference, and each has one Provenance")
        if not 0 < len(one.get("signature") or []) <= MOST_SIGNATURES:
            fail("Provenance.signature", f"must be 1 to {MOST_SIGNATURES}")
        by_target[target] = one
    return by_target


def _target(resource: Json) -> str | None:
    """What a Provenance is about."""
    targets = resource.get("target")
    reference = targets[0].get("reference") if targets else None
    return str(reference) if reference else None


def _signatures(provenance: Json | None) -> tuple[SentSignature, ...]:
    sent = (provenance or {}).get("signature") or []
    return tuple(SentSignature(str(one.get("sigFormat")), _bytes(one.get("data"))) for one in sent)


def _bytes(text: Any) -> bytes:
    try:
        return b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        return b""


def record_id_of(reference: Json) -> UUID | None:
    """The source record a reference names by the registry's id; None for any other."""
    identifier = reference.get("identifier") or {}
    by_id = identifier.get("value") if identifier.get("system") == systems.SOURCE_RECORD else None
    try:
        return UUID(str(reference.get("reference") or by_id).rpartition("Patient/")[2])
    except ValueError:
        return None
