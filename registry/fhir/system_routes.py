"""What the FHIR server as a whole offers: messages and bundles."""

from flask import Blueprint, Response

from registry.access import caller
from registry.app import parts
from registry.fhir.answers import answer
from registry.fhir.formats import negotiate, read_resource
from registry.fhir.patient_messages import process_message

blueprint = Blueprint("fhir-system", __name__, url_prefix="/fhir")
blueprint.before_request(negotiate)


@blueprint.post("/$process-message")
def post_message() -> Response:
    """ITI-93: the patient identity feed as a message, answered with a message."""
    return answer(process_message(caller(), read_resource(parts().settings.max_body_bytes)))
