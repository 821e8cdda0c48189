"""The professional's side of the desk: a code for the patient's phone, and how the request stands meanwhile."""

from urllib.parse import urlsplit
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from consent_broker.consents.access_requests import current_status
from consent_broker.consents.models import AccessRequest
from consent_broker.desk.assisted import find_statement
from consent_broker.desk.short_codes import IssuedCode, count_codes, find_shown_code, issue_short_code, was_opened
from consent_broker.desk.sms_codes import answer_code, find_sent, send_code
from portal import layout, people, present, texts
from portal.guard import signed_in
from portal.practice import me, note
from portal.professional_views import AccessRequestStatus
from portal.qr import qr_code
from registry.app import parts
from registry.audit.service import record
from registry.database import now, session
from registry.errors import Conflict, DomainError, NotFound, TooManyRequests, Unprocessable

desk = Blueprint("portal-desk", __name__, url_prefix="/profesional/pedidos")


@desk.get("/<uuid:request_id>")
def wait(request_id: UUID) -> Answer:
    """The code and its QR while the request waits; once granted, the person's page."""
    asked = my_request(request_id)
    if current_status(asked, now()) == "granted":
        return redirect(f"/profesional/persona/{asked.person_id}", 303)
    return _page(asked)


@desk.get("/<uuid:request_id>/estado")
def state(request_id: UUID) -> Response:
    """How the request stands, and nothing else: what the page asks for every few seconds."""
    status = request_status(my_request(request_id))
    return layout.page("request_state.html", asked=status, waiting=status.state == "pending")


@desk.post("/<uuid:request_id>/codigo")
def new_code(request_id: UUID) -> Answer:
    """Another code, when the one shown has ended."""
    show_code(my_request(request_id))
    return redirect(f"/profesional/pedidos/{request_id}", 303)


@desk.post("/<uuid:request_id>/sms")
def send_text(request_id: UUID) -> Answer:
    """A code to the telephone of somebody who has a simple one."""
    asked = my_request(request_id)
    try:
        send_code(session(), parts().sealer, asked.id)
    except (Unprocessable, TooManyRequests) as refusal:
        return _explain(asked, refusal)
    return redirect(f"/profesional/pedidos/{request_id}#sms", 303)


@desk.post("/<uuid:request_id>/sms/respuesta")
def read_text(request_id: UUID) -> Answer:
    """The code as the person read it out."""
    asked = my_request(request_id)
    try:
        answer_code(session(), parts().sealer, asked.id, "".join(request.form.get("codigo", "")[:20].split()))
    except (Unprocessable, Conflict) as refusal:
        return _explain(asked, refusal)
    return redirect(f"/profesional/persona/{asked.person_id}", 303)


def show_code(asked: AccessRequest) -> None:
    """Make the code this session's page of the request shows."""
    issue_short_code(session(), parts().sealer, asked.id, seed=_seed(asked.id, count_codes(session(), asked.id)))


def request_status(asked: AccessRequest) -> AccessRequestStatus:
    """A request as the professional who asked sees it."""
    return AccessRequestStatus(
        id=asked.id,
        state=current_status(asked, now()),
        categories=present.in_order(asked.categories),
        asked_at=asked.created_at,
        until=asked.ends_at,
        opened=was_opened(session(), asked.id),
    )


def _page(asked: AccessRequest, problem: str | None = None, status: int = 200) -> Response:
    stands = request_status(asked)
    waiting, shared = stands.state == "pending", parts()
    note("portal:person:viewed", person_id=asked.person_id)
    return layout.page(
        "desk.html",
        status,
        banner=people.banner(session(), shared, asked.person_id),
        asked=stands,
        waiting=waiting,
        problem=problem,
        code=_shown(asked),
        address=f"{urlsplit(shared.settings.base_url).netloc}/codigo",
        qr=_qr(asked),
        texting=shared.settings.sms_url is not None,
        sent=find_sent(session(), shared.sealer, asked) if waiting else None,
        assisted=find_statement(session(), asked.id),
    )


def _explain(asked: AccessRequest, refusal: DomainError) -> Response:
    """What was refused, on the page itself; audited as it would be on a page of its own."""
    if refusal.audit:
        record(session(), refusal.audit)
    return _page(asked, texts.desk_problem(refusal.error_code), refusal.status)


def my_request(request_id: UUID) -> AccessRequest:
    """A request of this professional; raises NotFound, also for another's."""
    asked = session().get(AccessRequest, request_id, populate_existing=True)
    if asked is None or asked.professional_id != me():
        raise NotFound("There is no such access request.")
    return asked


def _shown(asked: AccessRequest) -> IssuedCode | None:
    newest = count_codes(session(), asked.id) - 1
    return find_shown_code(session(), parts().sealer, asked.id, _seed(asked.id, newest)) if newest >= 0 else None


def _qr(asked: AccessRequest) -> str | None:
    shown = _shown(asked)
    return qr_code(f"{parts().settings.base_url}/codigo/{shown.code}") if shown else None


def _seed(request_id: UUID, number: int) -> str:
    return f"{signed_in().seed}:{request_id}:{number}"
