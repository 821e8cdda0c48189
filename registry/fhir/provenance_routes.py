"""`/fhir/Provenance`: who said a version of one's own record, and the signatures of one's own documents."""

import re
from collections.abc import Iterable
from uuid import UUID

from flask import Response

from registry.access import caller, require_scope
from registry.app import parts
from registry.database import session
from registry.errors import InvalidInput, NotFound
from registry.fhir.answers import answer, answer_read
from registry.fhir.document_answers import read_signatures
from registry.fhir.patient_answers import READ_RECORD, account, unknown
from registry.fhir.provenance_writing import version_provenance
from registry.fhir.resources import Resource, SearchParameter, fhir_blueprint
from registry.fhir.searching import read_search, searchset
from registry.fhir.values import read_id
from registry.fhir.wire import Json
from registry.identity.records import OwnRecord, list_own_versions

READ = "system/Provenance.rs"
TARGET = re.compile(r"(?:.*/)?(Patient|DocumentReference)/([0-9a-fA-F-]{36})(?:/_history/(\d{1,9}))?")
VERSION = re.compile(r"([0-9a-fA-F-]{36})\.(\d{1,9})")
PROVENANCE = Resource(
    type="Provenance",
    interactions=("read", "search-type"),
    search=(SearchParameter(name="target", type="reference", means="A Patient (any version) or a DocumentReference."),),
    means="Of a version of one's own source record, and of the signatures of one's own documents.",
)
blueprint = fhir_blueprint(PROVENANCE)


@blueprint.get("")
@blueprint.post("/_search")
def search_provenance() -> Response:
    """What is known of the origin of one Patient or DocumentReference."""
    require_scope(caller(), READ)
    search = read_search(PROVENANCE, caller().client_id)
    targets = search.values("target")
    match = TARGET.fullmatch(targets[0]) if len(targets) == 1 else None
    if match is None:
        raise InvalidInput("Name one target: Patient/{id} or DocumentReference/{id}.", code="target-missing")
    found = list(_about(match[1], _id(match[2]), int(match[3]) if match[3] else None))
    shown = search.page_of(found)
    more = len(found) > search.offset + len(shown)
    return answer(searchset(search, caller().client_id, shown, total=len(found), more=more))


@blueprint.get("/<provenance_id>")
def read_provenance(provenance_id: str) -> Response:
    """`{record}.{version}` for a version of a record, a document's id for its signatures."""
    require_scope(caller(), READ)
    match = VERSION.fullmatch(provenance_id)
    if match is None:
        return answer_read(read_signatures(caller(), _id(provenance_id)))
    record_id = _id(match[1])
    for own in _versions(record_id):
        if own.member.version == int(match[2]):
            return answer_read(version_provenance(own))
    raise unknown(caller(), READ_RECORD, record_id, "There is no such Provenance.")


def _about(kind: str, target: UUID, version: int | None) -> Iterable[Json]:
    if kind == "Patient":
        own = _versions(target)
        return [version_provenance(one) for one in own if version in {None, one.member.version}]
    try:
        return [read_signatures(caller(), target)]
    except NotFound:
        return []


def _versions(record_id: UUID) -> list[OwnRecord]:
    """The versions of one of the caller's own records, newest first; audited."""
    found = list_own_versions(session(), parts().sealer, caller().establishment_id, record_id)
    if found:
        account(caller(), READ_RECORD, found[0].person_id, source_record_id=record_id)
    return found


def _id(text: str) -> UUID:
    return read_id(text, "There is no such Provenance.")
