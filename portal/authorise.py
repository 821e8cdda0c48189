"""The consent page of an OAuth authorization: who asks, for what, until when; then back to the client."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, redirect, request
from werkzeug.wrappers import Response as Answer

from consent_broker.broker import current_broker
from consent_broker.consents.access_requests import find_request_for
from consent_broker.consents.service import get_consent
from consent_broker.oauth.authorizations import Authorization, accept, get_authorization, reject
from portal import present
from portal.guard import require, require_fresh
from portal.hats import DECIDING, DECISION_ACR
from portal.narrowing import narrowed
from portal.patient import me
from portal.permissions import choice_of, evidence, question_page, with_limits
from portal.views import ConsentQuestion
from portal.wording import consent_text
from registry.app import parts
from registry.database import session

authorise = Blueprint("portal-authorise", __name__)


def policy() -> None:
    """Only the patient, by two factors, proved a moment ago."""
    require(DECIDING)
    require_fresh(DECISION_ACR, came_from=request.path)


@authorise.get("/autorizar/<challenge>")
def ask(challenge: str) -> Response:
    """The question, built from stored rows only, never from the browser's parameters."""
    return _page(challenge, get_authorization(session(), challenge, me()))


@authorise.post("/autorizar/<challenge>")
def answer(challenge: str) -> Answer:
    """Grant all or a part, or deny, and return to the client (303, RFC 9700 §4.12)."""
    pending = get_authorization(session(), challenge, me())
    asked = _question(challenge, pending)
    choice = choice_of(asked)
    if choice.problems:
        return _page(challenge, pending, choice.problems)
    if choice.narrowing is None:
        return redirect(reject(session(), current_broker(), challenge, evidence(consent_text(asked))), 303)
    proof = evidence(consent_text(narrowed(asked, choice.narrowing)))
    return redirect(accept(session(), current_broker(), challenge, proof, choice.narrowing), 303)


def _page(challenge: str, pending: Authorization, problems: Mapping[str, str] | None = None) -> Response:
    g.form_targets = [_origin(pending.redirect_uri)]
    return question_page(_question(challenge, pending), problems)


def _question(challenge: str, pending: Authorization) -> ConsentQuestion:
    """What is granted with a launch is the access request, so the page shows that, not the narrower scopes.

    Asked exactly (RFC 9396), what is granted is what was asked, and the page says that.
    """
    action, details = f"/autorizar/{challenge}", pending.details
    launched = pending.access_request_id if details is None else None
    asked = find_request_for(session(), launched, me()) if launched else None
    question = present.question(session(), parts().sealer, asked or pending, action)
    terms = get_consent(session(), asked.consent_id).terms if asked else pending.terms(me())
    holders = present.names_of(session(), pending.sources)
    days = (details.data_from, details.data_until) if details else (None, None)
    return with_limits(replace(question, repeated=pending.offline, holders=holders, days=days), terms)


def _origin(uri: str) -> str:
    split = urlsplit(uri)
    return f"{split.scheme}://{split.netloc}"
