"""`/fhir/Consent`: the consent registry of IHE PCF (ITI-108), in JSON and XML; and the policy its consents refer to."""

from collections.abc import Sequence
from uuid import UUID

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.consent import Consent
from flask import Blueprint, Response, request
from werkzeug.datastructures import MultiDict

from consent_broker.consents import fhir_reading, fhir_writing
from consent_broker.consents.decision import POLICY_VERSION
from consent_broker.consents.fhir_consent import PCF, Json
from consent_broker.consents.policy import TEXT
from registry.access import caller, require_scope
from registry.app import parts
from registry.database import session
from registry.errors import InvalidInput, NotFound, Unprocessable
from registry.fhir.capability import declare
from registry.fhir.validation import validate_consent
from registry.fhir.wire import answer, negotiate, read_json

READ, WRITE = "system/Consent.rs", "system/Consent.cu"
FHIR_XML = "application/fhir+xml"
_XML = frozenset({FHIR_XML, "application/xml", "text/xml", "xml"})

blueprint = Blueprint("fhir-consent", __name__, url_prefix="/fhir/Consent")
policies = Blueprint("consent-policies", __name__, url_prefix="/politicas")
INTERACTIONS = ("read", "vread", "history-instance", "search-type", "create", "update")
declare(
    {
        "type": "Consent",
        "supportedProfile": [f"{PCF}{level}" for level in ("Basic", "Intermediate", "Advanced")],
        "interaction": [{"code": code} for code in INTERACTIONS],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": False,
        "searchParam": [
            {"name": "patient", "type": "reference"},
            {"name": "patient.identifier", "type": "token"},
            {"name": "actor", "type": "reference"},
            {"name": "status", "type": "token"},
        ],
        "operation": [
            {
                "name": "revokeConsent",
                "definition": "http://hl7.org/fhir/uv/consent-management/OperationDefinition/revokeConsent",
            }
        ],
    }
)


@policies.get("/<version>")
def policy(version: str) -> Response:
    """The words of the policy, as its hash in Consent.policy.uri says."""
    if version != POLICY_VERSION:
        raise NotFound("There is no such policy.")
    return Response(TEXT, mimetype="text/plain")


@blueprint.get("")
def search() -> Response:
    """ITI-108 by GET."""
    return _searched(request.args)


@blueprint.post("/_search")
def post_search() -> Response:
    """ITI-108 by POST, the parameters in the body."""
    return _searched(request.form)


@blueprint.post("")
def create() -> Response:
    """Propose a consent to a patient; 201 with where it waits."""
    _speak()
    require_scope(caller(), WRITE)
    consent_id = fhir_writing.propose(session(), caller(), validate_consent(read_json(request)))
    made = fhir_reading.read(session(), caller(), consent_id)
    return _answer(made, 201, {"Location": f"{_base()}/{consent_id}/_history/{made['meta']['versionId']}"})


@blueprint.get("/<uuid:consent_id>")
def read(consent_id: UUID) -> Response:
    """The newest version."""
    _speak()
    require_scope(caller(), READ)
    return _answer(fhir_reading.read(session(), caller(), consent_id))


@blueprint.put("/<uuid:consent_id>")
def update(consent_id: UUID) -> Response:
    """The one update a grantee may make: `inactive`."""
    _speak()
    require_scope(caller(), WRITE)
    body = validate_consent(read_json(request))
    if body.get("id") != str(consent_id):
        raise InvalidInput("Consent.id must be the id in the URL.")
    if body.get("status") != "inactive":
        raise Unprocessable("A grantee can only give a consent up.", code="patient-decides", hint="Send inactive.")
    return _renounced(consent_id)


@blueprint.get("/<uuid:consent_id>/_history")
def history(consent_id: UUID) -> Response:
    """Every version, newest first."""
    _speak()
    require_scope(caller(), READ)
    versions = fhir_reading.history(session(), caller(), consent_id)
    entries = [
        {
            "fullUrl": f"{_base()}/{consent_id}",
            "resource": one,
            "request": {"method": "PUT" if one["meta"]["versionId"] != "1" else "POST", "url": f"Consent/{consent_id}"},
            "response": {"status": "200", "lastModified": one["meta"]["lastUpdated"]},
        }
        for one in versions
    ]
    return _answer({"resourceType": "Bundle", "type": "history", "total": len(entries), "entry": entries})


@blueprint.get("/<uuid:consent_id>/_history/<int:version>")
def vread(consent_id: UUID, version: int) -> Response:
    """One version."""
    _speak()
    require_scope(caller(), READ)
    return _answer(fhir_reading.read(session(), caller(), consent_id, version))


@blueprint.post("/<uuid:consent_id>/$revokeConsent")
def revoke(consent_id: UUID) -> Response:
    """HL7 scalable consent management: the grantee gives the consent up."""
    _speak()
    require_scope(caller(), WRITE)
    return _renounced(consent_id)


def _renounced(consent_id: UUID) -> Response:
    fhir_writing.renounce(session(), caller(), consent_id)
    return _answer(fhir_reading.read(session(), caller(), consent_id))


def _searched(parameters: MultiDict[str, str]) -> Response:
    _speak()
    require_scope(caller(), READ)
    if any(len(parameters.getlist(name)) > 1 for name in parameters):
        raise InvalidInput("Each parameter once.", code="repeated-parameter")
    found = fhir_reading.search(session(), caller(), parameters)
    return _answer(_searchset(found))


def _searchset(found: Sequence[Json]) -> Json:
    """The self link names no parameter: a patient is not written into what is kept."""
    entries = [{"fullUrl": f"{_base()}/{one['id']}", "resource": one, "search": {"mode": "match"}} for one in found]
    made: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return made | {"link": [{"relation": "self", "url": _base()}]} | ({"entry": entries} if entries else {})


def _base() -> str:
    return f"{parts().settings.base_url}/fhir/Consent"


def _speak() -> None:
    """Refuse formats other than JSON and XML before anything is done."""
    if not _wants_xml():
        negotiate(request)


def _wants_xml() -> bool:
    wanted = request.args.get("_format")
    if wanted is not None:
        return wanted.replace(" ", "+").partition(";")[0].strip().lower() in _XML
    best = request.accept_mimetypes.best_match([FHIR_XML, "application/fhir+json", "application/xml"], default="")
    return best in _XML


def _answer(body: Json, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    tag = {"ETag": f'W/"{body["meta"]["versionId"]}"'} if "meta" in body else {}
    if not _wants_xml():
        return answer(body, status, (headers or {}) | tag)
    model = Bundle if body["resourceType"] == "Bundle" else Consent
    response = Response(model.model_validate(body).model_dump_xml(), status, mimetype=FHIR_XML)
    response.headers.update((headers or {}) | tag)
    return response
