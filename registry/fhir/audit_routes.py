"""`/fhir/AuditEvent`: what a record system's own establishment did here (IHE BALP); searching it is an event too."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from flask import Response

from registry.access import Caller, caller, require_scope
from registry.app import parts
from registry.audit.event import Event, Outcome
from registry.audit.models import AuditEvent
from registry.audit.service import Doings, find_doing, list_doings, record
from registry.database import now, session
from registry.errors import InvalidInput, NotFound
from registry.fhir.answers import answer, answer_read
from registry.fhir.audit_writing import OUTCOMES, SHOWN, audit_event
from registry.fhir.document_search import PATIENT
from registry.fhir.own_patients import person_ids
from registry.fhir.resources import Resource, SearchParameter, fhir_blueprint
from registry.fhir.searching import Criterion, Search, read_search, searchset
from registry.fhir.values import read_date
from registry.fhir.wire import Json

READ = "system/AuditEvent.rs"
LOOKED, SEARCHED = "audit:event:read", "audit:event:searched"
AUDIT_EVENT = Resource(
    type="AuditEvent",
    interactions=("read", "search-type"),
    search=(
        *PATIENT,
        SearchParameter(
            name="date", type="date", means="Required where no patient is named: ge, gt, le, lt or a span."
        ),
        SearchParameter(name="outcome", type="token"),
    ),
    means="Events of one's own establishment, newest first.",
)
blueprint = fhir_blueprint(AUDIT_EVENT)


class _Span(NamedTuple):
    since: datetime | None = None
    until: datetime | None = None


@blueprint.get("")
@blueprint.post("/_search")
def search_events() -> Response:
    """The events of one's own establishment about a patient, in a time, or both."""
    require_scope(caller(), READ)
    search = read_search(AUDIT_EVENT, caller().client_id)
    _require_bounds(search)
    search = search if search.offset else _until_now(search)
    doings = _doings(caller(), search)
    found = list_doings(session(), doings, offset=search.offset, limit=search.count + 1)
    _account(SEARCHED, doings.person_ids[0] if doings.person_ids else None, {"count": min(len(found), search.count)})
    shown = [_written(one) for one in found[: search.count]]
    return answer(searchset(search, caller().client_id, shown, more=len(found) > search.count))


@blueprint.get("/<uuid:event_id>")
def read_event(event_id: UUID) -> Response:
    """One event of one's own establishment."""
    require_scope(caller(), READ)
    found = find_doing(session(), Doings(establishment_id=caller().establishment_id, actions=SHOWN), event_id)
    if found is None:
        refusal = _event(LOOKED, None, {"requested": str(event_id)}, outcome="refused")
        raise NotFound("There is no such AuditEvent.", audit=refusal)
    _account(LOOKED, found.person_id, {"requested": str(event_id)})
    return answer_read(audit_event(found, parts().settings.base_url))


def _require_bounds(search: Search) -> None:
    if not (search.of("date") or _names_patient(search)):
        raise InvalidInput("Name a patient, or a time by date.", code="search-too-wide")


def _until_now(search: Search) -> Search:
    """The search as of this moment: each page is an event of its own, and must not push the others down."""
    return replace(search, criteria=(*search.criteria, Criterion("date", None, (f"lt{now().isoformat()}",))))


def _names_patient(search: Search) -> bool:
    return bool(search.of("patient") or search.of("patient.identifier"))


def _doings(caller: Caller, search: Search) -> Doings:
    spans = [_span(value) for value in search.dates("date")]
    return Doings(
        establishment_id=caller.establishment_id,
        actions=SHOWN,
        person_ids=person_ids(caller, search) if _names_patient(search) else None,
        since=max((one.since for one in spans if one.since), default=None),
        until=min((one.until for one in spans if one.until), default=None),
        outcomes=_outcomes(search.values("outcome")),
    )


def _span(text: str) -> _Span:
    """A span of time for a date with its prefix; raises InvalidInput for prefixes that aren't one."""
    wanted = read_date(text)
    spans = {
        "eq": _Span(wanted.low, wanted.high),
        "ge": _Span(wanted.low),
        "gt": _Span(wanted.high),
        "sa": _Span(wanted.high),
        "le": _Span(None, wanted.high),
        "lt": _Span(None, wanted.low),
        "eb": _Span(None, wanted.low),
    }
    if wanted.prefix not in spans:
        raise InvalidInput("date takes eq, ge, gt, le and lt here.", code="unsupported-prefix")
    return spans[wanted.prefix]


def _outcomes(codes: Iterable[str]) -> list[str]:
    wanted = [code.rpartition("|")[2] for code in codes]
    return [name for name, code in OUTCOMES.items() if code in wanted] or (["none"] if wanted else [])


def _account(action: str, person_id: UUID | None, detail: dict[str, str | int]) -> None:
    record(session(), _event(action, person_id, detail))


def _event(action: str, person_id: UUID | None, detail: dict[str, str | int], outcome: Outcome = "success") -> Event:
    return Event(
        action=action,
        outcome=outcome,
        person_id=person_id,
        establishment_id=caller().establishment_id,
        client_id=caller().client_id,
        token_id=caller().token_id,
        actor_role="record-system",
        detail=detail,
    )


def _written(event: AuditEvent) -> Json:
    return audit_event(event, parts().settings.base_url)
