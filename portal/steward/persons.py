"""A person's history: what joined and left, as it stood at any moment, and separating records that don't belong."""

from datetime import datetime, timedelta
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from portal import layout
from portal.dates import parse_minute
from portal.steward import present, words
from portal.steward.access import me, policy, prove_again
from portal.steward.forms import read_grounds, read_ids
from portal.steward.views import PersonView
from registry.app import parts
from registry.database import now, session
from registry.errors import NotFound
from registry.identity.service import engine_of, list_person_ids
from registry.identity.stewardship import (
    SENSITIVE,
    PastPerson,
    list_decisions,
    list_history,
    person_at,
    split,
)

persons = Blueprint("portal-steward-persons", __name__, url_prefix="/gestion/personas")
__all__ = ["persons", "policy", "today"]


@persons.get("/<uuid:person_id>")
def show(person_id: UUID) -> Response:
    """The person as it stands, or as it stood at the moment asked for."""
    return _page(person_id)


@persons.post("/<uuid:person_id>/ver")
def reveal(person_id: UUID) -> Response:
    """The same with what is sensitive shown whole, which the person will see too."""
    return _page(person_id, revealed=SENSITIVE.intersection(request.form.getlist("campo")))


@persons.post("/<uuid:person_id>/separar")
def separate(person_id: UUID) -> Answer:
    """Give the ticked records a person of their own; of a large person a second steward confirms it."""
    prove_again(f"/gestion/personas/{person_id}")
    problems: dict[str, str] = {}
    grounds = read_grounds(request.form, problems)
    stood = _stood(person_id, now())
    members = [one.record_id for one in stood.records] if stood else []
    chosen = read_ids(request.form.getlist("registro"), members)
    if not chosen or len(chosen) == len(members):
        problems["registro"] = "Marque los registros que se separan: alguno, y no todos."
    if problems or grounds is None:
        return _page(person_id, problems=problems, status=422)
    made = split(session(), engine_of(parts()), me(), person_id, chosen, grounds)
    return redirect(f"/gestion/decisiones/{made.id}", 303)


def today(person_id: UUID) -> PersonView:
    """A person as it stands now, masked; the reading is in its log. Raises NotFound."""
    return _view(person_at(session(), engine_of(parts()), me(), person_id, now()))


def _page(
    person_id: UUID,
    *,
    revealed: frozenset[str] = frozenset(),
    problems: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    asked, problem = _moment()
    stood = _stood(person_id, asked, revealed) if asked else None
    if asked is not None and stood is None:
        asked, problem = None, "En ese momento esta persona todavía no existía aquí."
    stood = stood or _stood(person_id, now(), revealed)
    if stood is None:
        raise NotFound("The registry knows no such person.")
    events = list_history(session(), me(), person_id)
    names = present.names_for(session(), me().handle, [])
    decisions = list_decisions(session(), person_ids=list_person_ids(session(), person_id))
    return layout.page(
        "steward_person.html",
        status,
        person=_view(stood),
        asked=asked,
        moment_problem=problem,
        sensitive={field: words.FIELDS[field] for field in words.FIELDS if field in SENSITIVE - revealed},
        revealed=sorted(revealed),
        events=present.history(events, person_id),
        decisions=[present.decision(names, one) for one in decisions],
        grounds=words.GROUNDS,
        typed=request.form if problems else {},
        ticked=request.form.getlist("registro") if problems else [],
        problems=problems or {},
    )


def _moment() -> tuple[datetime | None, str]:
    """The past moment asked for, None for now; with what is wrong with it."""
    day, hour = request.values.get("dia", ""), request.values.get("hora", "")
    moment = parse_minute(day, hour)
    if not day or (moment is not None and not hour and now() < moment < now() + timedelta(days=1)):
        return None, ""
    if moment is None or moment > now():
        return None, "Escriba un día que ya pasó y, si quiere, una hora."
    return moment, ""


def _stood(person_id: UUID, moment: datetime, revealed: frozenset[str] = frozenset()) -> PastPerson | None:
    """The person at a moment; None when it was not there."""
    try:
        return person_at(session(), engine_of(parts()), me(), person_id, moment, revealed)
    except NotFound:
        return None


def _view(stood: PastPerson) -> PersonView:
    names = present.names_for(session(), me().handle, [one.establishment_id for one in stood.records])
    return PersonView(
        id=stood.person_id,
        status=stood.status,
        replaced_by=stood.replaced_by,
        preferred=present.facts(stood.preferred),
        records=[present.record_card(names, one) for one in stood.records],
    )
