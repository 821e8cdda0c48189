"""IHE MHD: `/fhir/List` and `/fhir/DocumentReference` (ITI-66, ITI-67), the check of an IPS."""

from collections.abc import Sequence
from uuid import UUID

from flask import Response

from registry.access import caller, require_scope
from registry.fhir.answers import answer, answer_read
from registry.fhir.document_answers import (
    read_document,
    read_submission_set,
    search_documents,
    search_submission_sets,
)
from registry.fhir.document_reading import MAX_SUBMISSION_BYTES
from registry.fhir.document_search import DOCUMENTS, PATIENT, SUBMISSION_SETS
from registry.fhir.formats import read_resource
from registry.fhir.ips import check_ips
from registry.fhir.ips_report import report
from registry.fhir.resources import Operation, Resource, fhir_blueprint
from registry.fhir.searching import Search, read_search, searchset
from registry.fhir.systems import BASE
from registry.fhir.validation import validate
from registry.fhir.wire import Json

READ, WRITE = "system/DocumentReference.rs", "system/DocumentReference.cu"
READ_LIST = "system/List.rs"

DOCUMENT = Resource(
    type="DocumentReference",
    interactions=("read", "search-type"),
    search=(*PATIENT, *DOCUMENTS),
    operations=(Operation(name="check-ips", definition=f"{BASE}/OperationDefinition/check-ips"),),
    means="Documents of one's own establishment; others' are found at /exchange under what the patient permits.",
)
LIST = Resource(
    type="List",
    interactions=("read", "search-type"),
    search=(*PATIENT, *SUBMISSION_SETS),
    means="Submission sets of one's own establishment (IHE MHD).",
)
documents, submission_sets = fhir_blueprint(DOCUMENT), fhir_blueprint(LIST)


@documents.get("")
@documents.post("/_search")
def find_documents() -> Response:
    """ITI-67."""
    require_scope(caller(), READ)
    search = read_search(DOCUMENT, caller().client_id)
    found = search_documents(caller(), search)
    return _page(search, found)


@documents.get("/<uuid:reference_id>")
def get_document(reference_id: UUID) -> Response:
    """One document, superseded or not."""
    require_scope(caller(), READ)
    return answer_read(read_document(caller(), reference_id))


@documents.post("/$check-ips")
def check() -> Response:
    """Whether a document has the minimum content of an IPS: a report a clinician can read. Nothing is kept."""
    require_scope(caller(), WRITE)
    return answer(report(check_ips(validate(read_resource(MAX_SUBMISSION_BYTES), "Bundle"))))


@submission_sets.get("")
@submission_sets.post("/_search")
def find_submission_sets() -> Response:
    """ITI-66."""
    require_scope(caller(), READ_LIST)
    search = read_search(LIST, caller().client_id)
    return _page(search, search_submission_sets(caller(), search))


@submission_sets.get("/<uuid:submission_id>")
def get_submission_set(submission_id: UUID) -> Response:
    """One submission set."""
    require_scope(caller(), READ_LIST)
    return answer_read(read_submission_set(caller(), submission_id))


def _page(search: Search, found: Sequence[Json]) -> Response:
    shown = search.page_of(found)
    more = len(found) > search.offset + len(shown)
    return answer(searchset(search, caller().client_id, shown, total=len(found), more=more))
