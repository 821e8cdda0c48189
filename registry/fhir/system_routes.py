"""What the FHIR server as a whole offers: batches and transactions, submissions of documents, messages."""

from flask import Blueprint, Response

from registry.access import caller, require_scope
from registry.app import parts
from registry.fhir.answers import answer
from registry.fhir.bundles import process_bundle
from registry.fhir.document_provide import provide_documents
from registry.fhir.document_reading import MAX_SUBMISSION_BYTES
from registry.fhir.formats import negotiate, read_resource
from registry.fhir.patient_messages import process_message
from registry.fhir.wire import Json

SUBMIT = "system/DocumentReference.cu"

blueprint = Blueprint("fhir-system", __name__, url_prefix="/fhir")
blueprint.before_request(negotiate)


@blueprint.post("")
@blueprint.post("/")
def post_bundle() -> Response:
    """A batch or a transaction; one that holds a List is a submission of documents (ITI-65)."""
    bundle = read_resource(MAX_SUBMISSION_BYTES)
    if _is_submission(bundle):
        require_scope(caller(), SUBMIT)
        return answer(provide_documents(caller(), bundle))
    return answer(process_bundle(bundle))


@blueprint.post("/$process-message")
def post_message() -> Response:
    """ITI-93: the patient identity feed as a message, answered with a message."""
    return answer(process_message(caller(), read_resource(parts().settings.max_body_bytes)))


def _is_submission(bundle: Json) -> bool:
    entries = bundle.get("entry")
    held = [one.get("resource") for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    documents = any(one.get("resourceType") in ("List", "DocumentReference") for one in held if isinstance(one, dict))
    return bundle.get("type") == "transaction" and documents
