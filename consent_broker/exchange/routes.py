"""The gateway's FHIR surface: search one type of one person, by a grant token."""

from uuid import UUID

from flask import Blueprint, Response, g, jsonify, request
from werkzeug.datastructures import MultiDict

from consent_broker.broker import current_broker
from consent_broker.consents.vocabulary import CATEGORIES
from consent_broker.exchange.bundle import searchset
from consent_broker.exchange.granted import granted_access
from consent_broker.exchange.service import fetch
from consent_broker.exchange.summary.service import SUMMARISED, summarise
from consent_broker.oauth.clients import find_client
from consent_broker.oauth.cors import readable_by_app
from registry.access import caller, require_scope
from registry.app import parts
from registry.database import now, session
from registry.errors import InvalidInput, NotFound
from registry.fhir.answers import answer
from registry.fhir.formats import negotiate
from registry.fhir.parameters import read_inputs

blueprint = Blueprint("exchange", __name__)


@blueprint.get("/exchange/fhir/<resource_type>", provide_automatic_options=False)
def search(resource_type: str) -> Response:
    """`GET /exchange/fhir/{Type}?patient={person}`."""
    return _search(resource_type, request.args)


@blueprint.post("/exchange/fhir/<resource_type>/_search", provide_automatic_options=False)
def post_search(resource_type: str) -> Response:
    """The same with the parameters in the body (FHIR R4 §3.1.1.5)."""
    if request.query_string:
        raise InvalidInput("Send the parameters in the body only.")
    return _search(resource_type, request.form)


@blueprint.route(
    "/exchange/fhir/Patient/<uuid:patient>/$summary", methods=["GET", "POST"], provide_automatic_options=False
)
def summary(patient: UUID) -> Response:
    """`Patient/{person}/$summary`: an International Patient Summary (HL7 IPS) of what the token may read."""
    negotiate()
    if request.args.keys() - {"_format", "_pretty"}:
        raise InvalidInput("The summary takes no parameters.", code="unsupported-parameter")
    read_inputs()
    types = [one for one in SUMMARISED if f"patient/{one}.rs" in caller().scopes]
    if not types:
        require_scope(caller(), f"patient/{SUMMARISED[0]}.rs")
    return answer(summarise(session(), parts().sealer, current_broker(), granted_access(patient), types))


@blueprint.after_request
def share_with_app(response: Response) -> Response:
    """What an app reads, its own pages may (SMART App Launch 2.2 §2.0.8)."""
    who = g.get("caller")
    client = find_client(session(), who.client_id, now()) if who and "Origin" in request.headers else None
    return readable_by_app(response, client)


def _search(resource_type: str, parameters: MultiDict[str, str]) -> Response:
    if resource_type not in CATEGORIES:
        raise NotFound(f"Records are read as {', '.join(sorted(CATEGORIES))}.", code="unknown-type")
    patient = _patient(parameters)
    require_scope(caller(), f"patient/{resource_type}.rs")
    result = fetch(session(), current_broker(), granted_access(patient), [resource_type])
    url = f"{current_broker().issuer}/exchange/fhir/{resource_type}?patient={patient}"
    response = jsonify(searchset(result, url))
    response.mimetype = "application/fhir+json"
    return response


def _patient(parameters: MultiDict[str, str]) -> UUID:
    """Exactly one parameter is understood; what isn't is refused rather than ignored, so nobody reads too much."""
    if list(parameters.keys()) != ["patient"] or len(parameters.getlist("patient")) != 1:
        raise InvalidInput("Search by patient={person id} and nothing else.", code="unsupported-parameter")
    try:
        return UUID(parameters["patient"].removeprefix("Patient/"))
    except ValueError:
        raise InvalidInput("The patient is named by the person's id.", code="invalid-patient") from None
