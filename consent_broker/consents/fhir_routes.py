"""`/fhir/Consent`: the consent registry of IHE PCF (ITI-108), in JSON and XML; and the policy its consents refer to."""

from uuid import UUID

from flask import Blueprint, Response, request

from consent_broker.consents import fhir_reading, fhir_writing
from consent_broker.consents.decision import POLICY_VERSION
from consent_broker.consents.fhir_consent import PCF
from consent_broker.consents.policy import TEXT
from registry.access import caller, require_scope
from registry.app import parts
from registry.database import session
from registry.errors import InvalidInput, NotFound, Unprocessable
from registry.fhir.answers import answer, answer_read, answer_stored, version_headers
from registry.fhir.formats import read_resource
from registry.fhir.history import history_bundle
from registry.fhir.preconditions import Preconditions
from registry.fhir.resources import Operation, Resource, SearchParameter, fhir_blueprint
from registry.fhir.searching import read_search, searchset
from registry.fhir.validation import validate

READ, WRITE = "system/Consent.rs", "system/Consent.cu"
CONSENT = Resource(
    type="Consent",
    profiles=tuple(f"{PCF}{level}" for level in ("Basic", "Intermediate", "Advanced")),
    interactions=("read", "vread", "history-instance", "search-type", "create", "update"),
    search=(
        SearchParameter(name="patient", type="reference"),
        SearchParameter(name="patient.identifier", type="token"),
        SearchParameter(name="actor", type="reference"),
        SearchParameter(name="status", type="token"),
    ),
    operations=(
        Operation(
            name="revokeConsent",
            definition="http://hl7.org/fhir/uv/consent-management/OperationDefinition/revokeConsent",
        ),
    ),
)
blueprint = fhir_blueprint(CONSENT)
policies = Blueprint("consent-policies", __name__, url_prefix="/politicas")


@policies.get("/<version>")
def policy(version: str) -> Response:
    """The words of the policy, as its hash in Consent.policy.uri says."""
    if version != POLICY_VERSION:
        raise NotFound("There is no such policy.")
    return Response(TEXT, mimetype="text/plain")


@blueprint.get("")
def search() -> Response:
    """ITI-108 by GET."""
    return _searched()


@blueprint.post("/_search")
def post_search() -> Response:
    """ITI-108 by POST, the parameters in the body."""
    return _searched()


@blueprint.post("")
def create() -> Response:
    """Propose a consent to a patient; 201 with where it waits."""
    require_scope(caller(), WRITE)
    consent_id = fhir_writing.propose(session(), caller(), validate(read_resource(), "Consent"))
    made = fhir_reading.read(session(), caller(), consent_id)
    return answer_stored(made, f"{_base()}/{consent_id}/_history/{made['meta']['versionId']}", created=True)


@blueprint.get("/<uuid:consent_id>")
def read(consent_id: UUID) -> Response:
    """The newest version."""
    require_scope(caller(), READ)
    return answer_read(fhir_reading.read(session(), caller(), consent_id))


@blueprint.put("/<uuid:consent_id>")
def update(consent_id: UUID) -> Response:
    """The one update a grantee may make: `inactive`. `If-Match` says of which version; another is the newest: 412."""
    require_scope(caller(), WRITE)
    body = validate(read_resource(), "Consent")
    if body.get("id") != str(consent_id):
        raise InvalidInput("Consent.id must be the id in the URL.")
    if body.get("status") != "inactive":
        raise Unprocessable("A grantee can only give a consent up.", code="patient-decides", hint="Send inactive.")
    preconditions = Preconditions(request.headers.get("If-Match"), request.headers.get("If-None-Match"))
    return _renounced(consent_id, preconditions.expected_version())


@blueprint.get("/<uuid:consent_id>/_history")
def history(consent_id: UUID) -> Response:
    """The versions, newest first."""
    require_scope(caller(), READ)
    versions = fhir_reading.history(session(), caller(), consent_id)
    return answer(history_bundle(CONSENT, consent_id, caller().client_id, versions))


@blueprint.get("/<uuid:consent_id>/_history/<int:version>")
def vread(consent_id: UUID, version: int) -> Response:
    """One version."""
    require_scope(caller(), READ)
    return answer_read(fhir_reading.read(session(), caller(), consent_id, version))


@blueprint.post("/<uuid:consent_id>/$revokeConsent")
def revoke(consent_id: UUID) -> Response:
    """HL7 scalable consent management: the grantee gives the consent up."""
    require_scope(caller(), WRITE)
    return _renounced(consent_id)


def _renounced(consent_id: UUID, expected_version: int | None = None) -> Response:
    fhir_writing.renounce(session(), caller(), consent_id, expected_version)
    given_up = fhir_reading.read(session(), caller(), consent_id)
    return answer(given_up, headers=version_headers(given_up))


def _searched() -> Response:
    """The self link names no parameter, not even sealed: that nothing was found looks the same for everybody."""
    require_scope(caller(), READ)
    reader = caller().client_id
    search = read_search(CONSENT, reader)
    wanted = {one.name: ",".join(search.values(one.name)) for one in CONSENT.search if search.of(one.name)}
    found = fhir_reading.search(session(), caller(), wanted)
    shown = search.page_of(found)
    more = len(found) > search.offset + len(shown)
    made = searchset(search, reader, shown, total=len(found), more=more)
    return answer(made | {"link": [{"relation": "self", "url": _base()}, *made["link"][1:]]})


def _base() -> str:
    return f"{parts().settings.base_url}/fhir/Consent"
