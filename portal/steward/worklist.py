"""The worklist: possible matches in order, whose they are, and taking one."""

from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from portal import layout
from portal.steward import present, words
from portal.steward.access import me, policy
from portal.steward.forms import ORDERS, WHOSE, Wanted, read_filters, read_revision
from registry.database import session
from registry.directory.service import get_establishment
from registry.errors import NotFound
from registry.identity.stewardship import Filters, count_cases, list_cases, release, take

worklist = Blueprint("portal-steward", __name__, url_prefix="/gestion")
__all__ = ["policy", "worklist"]
PAGE = 25
NOWHERE = UUID(int=0)


@worklist.get("")
def cases() -> Response:
    """A page of open cases; nothing of any person is read for it."""
    wanted = read_filters(request.args)
    filters = _filters(wanted)
    after = request.args.get("despues", type=UUID)
    found = list_cases(session(), me(), filters, order=ORDERS[wanted.orden], after=after, limit=PAGE + 1)
    shown = found[:PAGE]
    return layout.page(
        "steward_worklist.html",
        lines=present.worklist(session(), me().handle, shown),
        total=count_cases(session(), me(), filters),
        mine=count_cases(session(), me(), Filters(assigned="mine")),
        second=count_cases(session(), me(), Filters(awaiting=True)),
        wanted=wanted,
        reasons=words.CASE_REASONS,
        first=wanted.query() or "?" if after else None,
        next=wanted.query(despues=str(shown[-1].id)) if len(found) > PAGE else None,
    )


@worklist.post("/casos/<uuid:case_id>/tomar")
def take_case(case_id: UUID) -> Answer:
    """Work on a case oneself; of two who take it at once the second is told."""
    take(session(), me(), case_id, read_revision(request.form))
    return redirect(f"/gestion/casos/{case_id}", 303)


@worklist.post("/casos/<uuid:case_id>/soltar")
def release_case(case_id: UUID) -> Answer:
    """Give a case back."""
    release(session(), me(), case_id, read_revision(request.form))
    return redirect("/gestion", 303)


def _filters(wanted: Wanted) -> Filters:
    """The wishes as identity takes them; the code of no establishment leaves nothing."""
    return Filters(
        reason=wanted.motivo or None,
        establishment_id=_place(wanted.establecimiento) if wanted.establecimiento else None,
        assigned=WHOSE[wanted.de],
        awaiting=True if wanted.segunda else None,
    )


def _place(code: str) -> UUID:
    try:
        return get_establishment(session(), code).id
    except NotFound:
        return NOWHERE
