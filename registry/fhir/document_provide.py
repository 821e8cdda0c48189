"""IHE MHD ITI-65: a submission is checked, its signatures are judged, and what it describes is put into the index.

The registry never holds the clinical record: a document sent along is looked at and forgotten.
"""

import json
from base64 import b64encode
from datetime import datetime
from uuid import UUID

from registry.access import Caller
from registry.app import parts
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import now, session
from registry.directory.models import Establishment
from registry.directory.service import find_professional, get_establishment
from registry.errors import Unavailable, Unprocessable
from registry.fhir.document_reading import (
    SentDocument,
    SentSubmission,
    patient_reference,
    read_submission,
    record_id_of,
)
from registry.fhir.ips import Finding, check_ips, is_ips
from registry.fhir.ips_report import report
from registry.fhir.wire import Json
from registry.identity.records import find_own_id, find_own_record
from registry.locator.documents import Description, find_by_identifier
from registry.locator.signatures.judging import UNSIGNED, Judgement, judge, refused
from registry.locator.signatures.signed import Reason, State
from registry.locator.signatures.trust import TrustAnchors
from registry.locator.submitting import NewDocument, Submission, Submitted, submit

PROVIDED = "locator:document:provided"


class IncompleteSummary(Unprocessable):
    """A document says it is an IPS and lacks its minimum content."""

    code = "ips-incomplete"

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__(
            "El resumen no tiene el contenido mínimo.", hint="Complete what is named, or ask $check-ips for a report."
        )
        self.details = [{"expression": one.expression, "message": one.text} for one in findings]


def provide_documents(caller: Caller, bundle: Json) -> Json:
    """Index what a transaction Bundle describes and answer entry by entry; the same again is answered the same.

    Raises InvalidResource, Unprocessable, IncompleteSummary, Conflict; each leaves nothing behind.
    """
    place = get_establishment(session(), caller.establishment_id)
    if not place.fhir_endpoint:
        raise Unprocessable("Your establishment has no FHIR base in the directory.", code="not-connected")
    sent = read_submission(bundle, place.fhir_endpoint)
    reports = {url: _checked(content) for url, content in sent.contents.items()}
    record_id, moment = _patient(place, sent), now()
    documents = tuple(_new(place, one, moment) for one in sent.documents)
    content = json.dumps(bundle, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    submission = Submission(
        place.id, record_id, caller.client_id, sent.identifier, sent.submission_set, documents, content
    )
    made = submit(session(), parts().sealer, submission)
    _account(caller, record_id, made, documents)
    return _answer(sent, made, reports)


def _checked(content: Json) -> Json:
    findings = check_ips(content) if is_ips(content) else []
    missing = [one for one in findings if one.severity == "error"]
    if missing:
        raise IncompleteSummary(missing)
    return report(findings)


def _patient(place: Establishment, sent: SentSubmission) -> UUID:
    """The establishment's own record the submission is about; raises Unprocessable for any other."""
    reference, sealer = patient_reference(sent), parts().sealer
    identifier = reference.get("identifier") or {}
    record_id = record_id_of(reference)
    if record_id is None and identifier.get("system") == place.identifier_system:
        record_id = find_own_id(session(), sealer, place.id, str(identifier.get("value", "")).strip())
    own = find_own_record(session(), sealer, place.id, record_id) if record_id else None
    if own is None:
        raise Unprocessable(
            "Your establishment has no such patient.",
            code="patient-unknown",
            hint="Register the patient with PUT /fhir/Patient, and refer to the record's id or your own number.",
        )
    return own.member.record_id


def _new(place: Establishment, sent: SentDocument, moment: datetime) -> NewDocument:
    verdict = _verdict(sent, moment)
    signer = find_professional(session(), parts().sealer, verdict.signer) if verdict.signer else None
    described: Description = {
        "resource": sent.resource,
        "provenance": sent.provenance,
        "signature": {
            "state": verdict.state,
            "reason": verdict.reason,
            "signer": str(signer.id) if signer else None,
            "certificate": verdict.fingerprint,
            "judged": moment.isoformat(timespec="milliseconds"),
        },
        "sha256": _text(sent.sha256 or verdict.digest),
    }
    return NewDocument(sent.identifier, described, tuple(_replaced(place, one) for one in sent.replaces))


def _verdict(sent: SentDocument, moment: datetime) -> Judgement:
    """The worst of a document's signatures that is invalid, else a verified one, else why none is."""
    anchors = _anchors() if sent.signatures else TrustAnchors()
    uris = {sent.url, sent.identifier, sent.identifier.partition("|")[2]}
    judged = [judge(one.kind, one.data, uris, sent.sha256, anchors, moment) for one in sent.signatures]
    judged = [_by_author(one, sent) for one in judged]
    by_state = {one.state: one for one in reversed(judged)}
    found = (by_state.get(state) for state in (State.INVALID, State.VERIFIED, State.UNVERIFIED))
    return next((one for one in found if one), UNSIGNED)


def _anchors() -> TrustAnchors:
    """Whom the registry believes; raises Unavailable rather than judging by half of it, since a verdict stays."""
    try:
        return TrustAnchors.load(parts().settings.signature_anchors_dir)
    except (OSError, ValueError) as error:
        raise Unavailable("Signatures can not be judged now.", hint="Try again later.", debug=str(error)) from None


def _by_author(verdict: Judgement, sent: SentDocument) -> Judgement:
    """A signature is verified only of a professional of the directory, and of no other than the named authors."""
    if verdict.signer is None:
        return verdict
    professional = find_professional(session(), parts().sealer, verdict.signer)
    if professional is None:
        return refused(Reason.SIGNER_UNKNOWN)
    references = [str(one.get("reference", "")) for one in sent.resource.get("author") or []]
    named = {one.rpartition("/")[2] for one in references if "Practitioner/" in one}
    if named and str(professional.id) not in named:
        return refused(Reason.NOT_AUTHOR)
    return verdict


def _replaced(place: Establishment, target: Json) -> UUID:
    """A document of one's own, by the registry's id or by its identifier; raises Unprocessable."""
    identifier = target.get("identifier") or {}
    found: UUID | None
    if identifier:
        named = f"{identifier.get('system')}|{identifier.get('value')}"
        found = find_by_identifier(session(), parts().sealer, place.id, named)
    else:
        found = _uuid(str(target.get("reference")).rpartition("DocumentReference/")[2])
    if found is None:
        raise Unprocessable("There is no such document of this patient to replace.", code="replaced-unknown")
    return found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _text(digest: bytes | None) -> str | None:
    return b64encode(digest).decode() if digest else None


def _account(caller: Caller, record_id: UUID, made: Submitted, documents: tuple[NewDocument, ...]) -> None:
    own = find_own_record(session(), parts().sealer, caller.establishment_id, record_id)
    record(
        session(),
        Event(
            action=PROVIDED,
            person_id=own.person_id if own else None,
            source_record_id=record_id,
            establishment_id=caller.establishment_id,
            client_id=caller.client_id,
            token_id=caller.token_id,
            actor_role="record-system",
            detail={
                "submission": str(made.id),
                "documents": [str(one) for one in made.document_ids],
                "signatures": [str(one.description["signature"]["state"]) for one in documents],
                "new": made.created,
            },
        ),
    )


def _answer(sent: SentSubmission, made: Submitted, reports: dict[str, Json]) -> Json:
    """What became of each entry, in the order sent (FHIR R4 http §3.1.0.11.3)."""
    ids = {one.full_url: made_id for one, made_id in zip(sent.documents, made.document_ids, strict=True)}
    entries = []
    for kind, subject in sent.entries:
        if kind == "Bundle":
            entries.append({"response": {"status": "200 OK", "outcome": reports[subject]}})
            continue
        stored: Json = {
            "status": "201 Created" if made.created else "200 OK",
            "location": f"{kind}/{ids.get(subject, made.id)}",
            "etag": 'W/"1"',
            "lastModified": made.received_at.isoformat(timespec="milliseconds"),
        }
        entries.append({"response": stored})
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}
