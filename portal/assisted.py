"""Consent with help: a professional writes down what the person said or signed, another confirms having been there."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from consent_broker.consents.models import AccessRequest
from consent_broker.consents.vocabulary import end_of_day
from consent_broker.desk.assisted import (
    KNOWN,
    Statement,
    confirm,
    decline,
    find_open,
    list_open,
    may_confirm_alone,
    narrowing_of,
    record_statement,
)
from consent_broker.desk.models import AssistedConsent
from consent_broker.desk.withdrawal import withdraw_with_help
from portal import layout, people, present, texts
from portal.desk import my_request
from portal.errors import BadForm
from portal.guard import require_fresh
from portal.hats import PROFESSIONAL_ACR
from portal.narrowing import narrowed, read_days, typed_in
from portal.practice import me, my_workplaces, note
from portal.practice import policy as professional_policy
from portal.professional_views import ToConfirm
from portal.views import ConsentQuestion
from portal.wording import assisted_text
from registry.app import parts
from registry.audit.service import record
from registry.calendar import LIMA
from registry.database import now, session
from registry.directory.service import display_names
from registry.errors import Conflict, DomainError, TooManyRequests, Unprocessable

assisted = Blueprint("portal-assisted", __name__, url_prefix="/profesional")
MAX_SCAN = 8 * 1024 * 1024
DAYS = {"0": "Solo hoy", "1": "Hasta mañana", "3": "Tres días", "7": "Siete días"}
_MAGIC = (b"%PDF-", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


def policy() -> None:
    """A professional who proved a moment ago who they are; the one body here that may be large is a scan."""
    request.max_content_length = MAX_SCAN + 65_536
    professional_policy()
    require_fresh(PROFESSIONAL_ACR, came_from=request.path)


@assisted.get("/pedidos/<uuid:request_id>/con-ayuda")
def write_down(request_id: UUID) -> Response:
    """What there is to write down; nothing is ticked."""
    return _form(my_request(request_id))


@assisted.post("/pedidos/<uuid:request_id>/con-ayuda")
def put_on_record(request_id: UUID) -> Answer:
    """Put it on record; another confirms it, or the same where nobody else works and there is a form."""
    asked = my_request(request_id)
    problems: dict[str, str] = {}
    days = read_days(typed_in(request.form).fields, (None, None), problems)
    if problems:
        return _form(asked, problems=problems)
    try:
        row = record_statement(session(), parts().sealer, asked.id, _statement(asked, days, now()))
    except (Unprocessable, TooManyRequests, Conflict) as refusal:
        if refusal.audit:
            record(session(), refusal.audit)
        return _form(asked, refusal)
    if may_confirm_alone(session(), row):
        return redirect(f"/profesional/por-confirmar/{row.id}", 303)
    return redirect(f"/profesional/pedidos/{asked.id}", 303)


@assisted.get("/por-confirmar")
def to_confirm() -> Response:
    """What waits for me as the second professional; nobody's name until one is opened."""
    waiting = list_open(session(), [place.id for place in my_workplaces()], besides=me())
    return layout.page("to_confirm.html", waiting=_shown(waiting))


@assisted.get("/por-confirmar/<uuid:assisted_id>")
def look(assisted_id: UUID) -> Response:
    """One statement: about whom, what was said, how."""
    row, asked = find_open(session(), assisted_id, me())
    note("portal:person:viewed", person_id=asked.person_id)
    return layout.page(
        "confirm.html",
        banner=people.banner(session(), parts(), asked.person_id),
        question=_narrowed(row, asked),
        statement=_shown([row])[0],
    )


@assisted.post("/por-confirmar/<uuid:assisted_id>")
def settle(assisted_id: UUID) -> Answer:
    """Confirm or not."""
    row, asked = find_open(session(), assisted_id, me())
    decision = request.form.get("decision")
    if decision == "confirmar":
        text = assisted_text(_narrowed(row, asked), texts.EVIDENCE[row.evidence])
        confirm(session(), assisted_id, me(), text)
    elif decision == "no-confirmar":
        decline(session(), assisted_id, me())
    else:
        raise BadForm("Elija «Confirmo» o «No confirmo».")
    alone = row.recorded_by == me()
    return redirect(f"/profesional/persona/{asked.person_id}" if alone else "/profesional/por-confirmar", 303)


@assisted.post("/retirar-con-ayuda/<uuid:person_id>")
def withdraw(person_id: UUID) -> Answer:
    """The person takes back what others put on record for them; the page tells neither what nor whether."""
    current = people.current_id(session(), person_id)
    places = my_workplaces()
    note("portal:person:withdrew", person_id=current)
    withdraw_with_help(session(), people.person_and_replaced(session(), current), places[0].id, me())
    return layout.page("withdrawn.html", person_id=current)


def _form(
    asked: AccessRequest, refusal: DomainError | None = None, problems: Mapping[str, str] | None = None
) -> Response:
    note("portal:person:viewed", person_id=asked.person_id)
    return layout.page(
        "assisted.html",
        refusal.status if refusal else 422 if problems else 200,
        banner=people.banner(session(), parts(), asked.person_id),
        asked=asked,
        problems={"evidencia": texts.desk_problem(refusal.error_code)} if refusal else problems or {},
        categories=present.in_order(asked.categories),
        ticked=request.form.getlist("categoria"),
        typed=request.form,
        days=DAYS,
        evidence=texts.EVIDENCE,
        documents=texts.DOCUMENTS,
    )


def _statement(asked: AccessRequest, data: tuple[date | None, date | None], moment: datetime) -> Statement:
    form: Mapping[str, str] = request.form
    days = form.get("hasta", "")
    last_day = moment.astimezone(LIMA).date() + timedelta(days=int(days) if days in DAYS else 0)
    kind = form.get("documento", "")
    return Statement(
        evidence=form.get("evidencia", ""),
        form_sha256=_scan_hash(),
        document_type=kind,
        document_number=None if kind == KNOWN else form.get("numero", "")[:40],
        categories=frozenset(request.form.getlist("categoria")),
        ends_at=min(end_of_day(last_day), asked.ends_at),
        data_from=data[0],
        data_until=data[1],
    )


def _scan_hash() -> str | None:
    """SHA-256 of the scan, which is not kept; None for no file, or one that is no PDF, JPEG or PNG."""
    scan = request.files.get("formulario")
    if scan is None:
        return None
    start, digest = scan.stream.read(16), sha256()
    if not start.startswith(_MAGIC):
        return None
    digest.update(start)
    while block := scan.stream.read(65_536):
        digest.update(block)
    return digest.hexdigest()


def _narrowed(row: AssistedConsent, asked: AccessRequest) -> ConsentQuestion:
    question = present.question(session(), parts().sealer, asked, f"/profesional/por-confirmar/{row.id}")
    return narrowed(question, narrowing_of(row))


def _shown(rows: list[AssistedConsent]) -> list[ToConfirm]:
    names = display_names(session(), parts().sealer, {row.recorded_by for row in rows})
    return [
        ToConfirm(
            id=row.id,
            recorded_by=names.get(row.recorded_by, present.UNKNOWN),
            recorded_at=row.recorded_at,
            expires_at=row.expires_at,
            evidence=texts.EVIDENCE[row.evidence],
            identified_by=texts.DOCUMENTS[row.document_type],
        )
        for row in rows
    ]
