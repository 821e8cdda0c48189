"""The Patient endpoints: thin handlers over the feed and the answers."""

from uuid import UUID

from flask import Response, request

from registry.access import caller, require_scope
from registry.app import parts
from registry.database import session
from registry.errors import NotFound
from registry.fhir.answers import answer, answer_read, answer_stored
from registry.fhir.formats import FORM, read_resource
from registry.fhir.history import history_bundle
from registry.fhir.parameters import read_inputs, read_match, read_pix, read_pix_query
from registry.fhir.patient_answers import READ_RECORD, get_own, read_history, read_patient, unknown
from registry.fhir.patient_feed import (
    create,
    feed_by_id,
    feed_by_identifier,
    refuse_documents,
    remove_by_id,
    remove_by_identifier,
)
from registry.fhir.patient_operations import cross_reference, locate_patient, match_patients
from registry.fhir.patient_parameters import PARAMETERS
from registry.fhir.patient_search import search_patients
from registry.fhir.patient_writing import PROFILE, own_record
from registry.fhir.preconditions import Preconditions
from registry.fhir.resources import Operation, Resource, fhir_blueprint
from registry.fhir.searching import read_search
from registry.fhir.systems import BASE
from registry.fhir.values import read_id
from registry.identity.service import Engine, Outcome, engine_of, find_own_record

READ, WRITE, REMOVE = "system/Patient.rs", "system/Patient.cu", "system/Patient.d"

PATIENT = Resource(
    type="Patient",
    profiles=(PROFILE,),
    interactions=("read", "vread", "history-instance", "search-type", "create", "update", "delete"),
    search=PARAMETERS,
    operations=(
        Operation(name="match", definition="http://hl7.org/fhir/OperationDefinition/Patient-match"),
        Operation(name="ihe-pix", definition="https://profiles.ihe.net/ITI/PIXm/OperationDefinition/IHE.PIXm.pix"),
        Operation(name="export", definition="http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"),
        Operation(name="patient-location", definition=f"{BASE}/OperationDefinition/patient-location"),
    ),
    conditional_create=True,
    conditional_read=True,
    conditional_update=True,
    conditional_delete=True,
)
blueprint = fhir_blueprint(PATIENT)


@blueprint.get("")
def get_search() -> Response:
    """ITI-78: own records and persons by what they are called, or described by; no document number in the address."""
    return _searched()


@blueprint.post("/_search")
def post_search() -> Response:
    """The same with the parameters in the body."""
    return _searched()


@blueprint.post("")
def post_patient() -> Response:
    """Register a patient under the local number in the body; 409 for one that is there, 200 with `If-None-Exist`."""
    require_scope(caller(), WRITE)
    return _stored(create(_engine(), caller(), read_resource(), request.headers.get("If-None-Exist")))


@blueprint.put("")
def put_by_identifier() -> Response:
    """ITI-104: add or revise the record of a local number; 201 with Location, or 200."""
    require_scope(caller(), WRITE)
    body = read_resource()
    identifiers = request.args.getlist("identifier")
    query = identifiers[0] if len(identifiers) == 1 else None
    return _stored(feed_by_identifier(_engine(), caller(), query, body, _preconditions()))


@blueprint.put("/<patient_id>")
def put_by_id(patient_id: str) -> Response:
    """Revise one's own record."""
    require_scope(caller(), WRITE)
    record_id = _id(patient_id)
    return _stored(feed_by_id(_engine(), caller(), record_id, read_resource(), _preconditions()))


@blueprint.delete("")
def delete_by_identifier() -> Response:
    """ITI-104, remove: the record of a local number becomes inactive; the scope says whose record system may."""
    require_scope(caller(), REMOVE)
    identifiers = request.args.getlist("identifier")
    query = identifiers[0] if len(identifiers) == 1 else None
    return _removed(remove_by_identifier(_engine(), caller(), query, _preconditions()))


@blueprint.delete("/<patient_id>")
def delete_by_id(patient_id: str) -> Response:
    """The same for one's own record by its id."""
    require_scope(caller(), REMOVE)
    return _removed(remove_by_id(_engine(), caller(), _id(patient_id), _preconditions()))


@blueprint.get("/<patient_id>")
def get_patient(patient_id: str) -> Response:
    """One's own source record, or a person in a recognisable form."""
    require_scope(caller(), READ)
    return answer_read(read_patient(caller(), _id(patient_id)))


@blueprint.get("/<patient_id>/_history/<int:version>")
def get_version(patient_id: str, version: int) -> Response:
    """A version of one's own source record."""
    require_scope(caller(), READ)
    record_id = _id(patient_id)
    own = get_own(caller(), record_id, version) if version < 2**31 else None
    if own is None:
        raise unknown(caller(), READ_RECORD, record_id)
    return answer_read(own_record(own.member, str(own.person_id)))


@blueprint.get("/<patient_id>/_history")
def get_history(patient_id: str) -> Response:
    """The versions of one's own source record, newest first."""
    require_scope(caller(), READ)
    record_id = _id(patient_id)
    return answer(history_bundle(PATIENT, record_id, caller().client_id, read_history(caller(), record_id)))


@blueprint.post("/$match")
def post_match() -> Response:
    """ITI-119: persons like the Patient sent."""
    require_scope(caller(), READ)
    return answer(match_patients(caller(), read_match(read_resource())))


@blueprint.get("/$ihe-pix")
def get_pix() -> Response:
    """ITI-83: the other identifiers of a patient."""
    require_scope(caller(), READ)
    return answer(cross_reference(caller(), read_pix_query(request.args)))


@blueprint.post("/$ihe-pix")
def post_pix() -> Response:
    """ITI-83 with the identifier in the body, as a form or as Parameters."""
    require_scope(caller(), READ)
    query = read_pix_query(request.form) if request.mimetype == FORM else read_pix(read_resource())
    return answer(cross_reference(caller(), query))


@blueprint.route("/<patient_id>/$patient-location", methods=["GET", "POST"])
def get_location(patient_id: str) -> Response:
    """Which establishments hold records of a person."""
    require_scope(caller(), READ)
    read_inputs()
    return answer(locate_patient(caller(), _id(patient_id)))


def _searched() -> Response:
    require_scope(caller(), READ)
    refuse_documents(request.args.getlist("identifier"))
    return answer(search_patients(caller(), read_search(PATIENT, caller().client_id)))


def _engine() -> Engine:
    return engine_of(parts())


def _preconditions() -> Preconditions:
    return Preconditions(request.headers.get("If-Match"), request.headers.get("If-None-Match"))


def _id(text: str) -> UUID:
    return read_id(text, "There is no such Patient.")


def _stored(outcome: Outcome) -> Response:
    """The answer to an update: where the version is, and the record as kept."""
    own = find_own_record(session(), parts().sealer, caller().establishment_id, outcome.source_record_id)
    if own is None:
        raise NotFound("There is no such Patient.")
    location = f"{parts().settings.base_url}/fhir/Patient/{outcome.source_record_id}/_history/{outcome.version}"
    return answer_stored(own_record(own.member, str(own.person_id)), location, created=outcome.created)


def _removed(outcome: Outcome) -> Response:
    """204 with the tag of the version that says so."""
    return answer(None, 204, {"ETag": f'W/"{outcome.version}"'})
