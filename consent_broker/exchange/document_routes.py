"""Documents of other establishments by a grant token: found (IHE MHD ITI-67) and retrieved (ITI-68)."""

from uuid import UUID

from flask import Blueprint, Response

from consent_broker.broker import current_broker
from consent_broker.consents.vocabulary import CATEGORIES
from consent_broker.exchange.bundle import suppressed
from consent_broker.exchange.documents import FoundDocuments, find_documents, read_document
from consent_broker.exchange.granted import granted_access, granted_patient
from consent_broker.exchange.routes import share_with_app
from consent_broker.oauth.holder_tokens import Access
from registry.access import caller, require_scope
from registry.app import parts
from registry.database import session
from registry.errors import InvalidInput
from registry.fhir.answers import answer
from registry.fhir.document_search import DOCUMENTS, PATIENT, matching, readers_of
from registry.fhir.document_writing import document_reference
from registry.fhir.formats import negotiate
from registry.fhir.resources import Resource
from registry.fhir.searching import Search, read_search, searchset
from registry.fhir.values import read_reference
from registry.fhir.wire import Json
from registry.locator.documents import replaced_by

SURFACE = "/exchange/fhir"
DOCUMENT = Resource(
    type="DocumentReference", interactions=("search-type",), search=(PATIENT[0], *DOCUMENTS), surface=SURFACE
)

blueprint = Blueprint("exchange-documents", __name__, url_prefix=SURFACE)
blueprint.after_request(share_with_app)


@blueprint.get("/DocumentReference", provide_automatic_options=False)
@blueprint.post("/DocumentReference/_search", provide_automatic_options=False)
def find() -> Response:
    """ITI-67: the documents of one person that the token may read, `attachment.url` at the gateway."""
    negotiate()
    _require_some_scope()
    reader = str(caller().grant_id)
    search = read_search(DOCUMENT, reader)
    access = granted_access(_patient(search))
    found = find_documents(session(), parts().sealer, access, caller().scopes)
    shown = matching(_written(access, found), search.criteria, readers_of(DOCUMENTS))
    page = search.page_of(shown)
    told = [suppressed(DOCUMENT.type, f"{_base()}/{DOCUMENT.type}")] if found.restricted else []
    more = len(shown) > search.offset + len(page)
    return answer(searchset(search, reader, page, total=len(shown), more=more, besides=told))


@blueprint.get("/Binary/<uuid:reference_id>", provide_automatic_options=False)
def retrieve(reference_id: UUID) -> Response:
    """ITI-68: the document itself, from its holder; what it is says the index, not the holder."""
    _require_some_scope()
    access = granted_access(granted_patient())
    body, kind = read_document(session(), current_broker(), parts().sealer, access, caller().scopes, reference_id)
    response = Response(body, mimetype=kind)
    response.headers["Content-Disposition"] = "attachment"
    return response


def _written(access: Access, found: FoundDocuments) -> list[Json]:
    replaces = replaced_by(session(), [one.id for one in found.documents])
    made = [document_reference(one, access.person_id, replaces.get(one.id, [])) for one in found.documents]
    for one in made:
        [content] = one["content"]
        one["content"] = [content | {"attachment": content["attachment"] | {"url": f"{_base()}/Binary/{one['id']}"}}]
    return made


def _patient(search: Search) -> UUID:
    values = search.values("patient")
    try:
        return UUID(read_reference(values[0], "Patient") if len(values) == 1 else None)
    except (TypeError, ValueError):
        raise InvalidInput("Name the patient by the person's id, once.", code="invalid-patient") from None


def _require_some_scope() -> None:
    """A document is read by the scopes of what it may hold; without any of them none can be."""
    if not any(f"patient/{one}.rs" in caller().scopes for one in CATEGORIES):
        require_scope(caller(), f"patient/{min(CATEGORIES)}.rs")


def _base() -> str:
    return f"{current_broker().issuer}{SURFACE}"
