"""The gateway's FHIR surface: search one type of one person, by a grant token."""

from uuid import UUID

from flask import Blueprint, Response, g, jsonify, request
from werkzeug.datastructures import MultiDict

from consent_broker.broker import current_broker
from consent_broker.consents.vocabulary import CATEGORIES
from consent_broker.exchange.bundle import searchset
from consent_broker.exchange.service import fetch
from consent_broker.oauth.clients import find_client
from consent_broker.oauth.cors import readable_by_app
from consent_broker.oauth.grants import find_grant
from consent_broker.oauth.holder_tokens import Access
from consent_broker.oauth.models import OAuthGrant
from registry.access import caller, require_scope
from registry.audit.event import Event
from registry.database import now, session
from registry.errors import Forbidden, InvalidInput, NotFound

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


@blueprint.after_request
def _share(response: Response) -> Response:
    """What an app reads, its own pages may (SMART App Launch 2.2 §2.0.8)."""
    who = g.get("caller")
    client = find_client(session(), who.client_id, now()) if who and "Origin" in request.headers else None
    return readable_by_app(response, client)


def _search(resource_type: str, parameters: MultiDict[str, str]) -> Response:
    if resource_type not in CATEGORIES:
        raise NotFound(f"Records are read as {', '.join(sorted(CATEGORIES))}.", code="unknown-type")
    patient = _patient(parameters)
    require_scope(caller(), f"patient/{resource_type}.rs")
    grant = _grant(patient)
    access = Access(
        establishment_id=grant.establishment_id,
        professional_id=grant.professional_id,
        person_id=grant.person_id,
        purpose=grant.purpose,
        client_id=grant.client_id,
        grant_id=grant.id,
        consent_id=grant.consent_id,
        details=grant.authorization_details,
    )
    result = fetch(session(), current_broker(), access, [resource_type])
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


def _grant(patient: UUID) -> OAuthGrant:
    """The caller's grant, for the patient who gave it and nobody else; another looks like an unknown one."""
    grant_id = caller().grant_id
    grant = find_grant(session(), grant_id) if grant_id else None
    if grant is not None and grant.person_id == patient:
        return grant
    refusal = Event(
        action="exchange:records:read",
        outcome="refused",
        reason="another-patient",
        person_id=patient,
        client_id=caller().client_id,
        establishment_id=caller().establishment_id,
        token_id=caller().token_id,
        actor_role="professional",
    )
    raise Forbidden("The access token is not for this patient.", code="another-patient", audit=refusal)
