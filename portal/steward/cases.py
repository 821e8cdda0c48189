"""A case side by side: what the records say and how much that weighs, a verdict, and what it would do before that."""

from collections.abc import Collection
from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from portal import layout
from portal.steward import effects, present, words
from portal.steward.access import me, policy, prove_again
from portal.steward.forms import TypedVerdict, read_verdict
from registry.app import parts
from registry.database import session
from registry.identity.service import engine_of
from registry.identity.stewardship import SENSITIVE, Case, Judgement, decide, preview, read_case

cases = Blueprint("portal-steward-cases", __name__, url_prefix="/gestion/casos")
__all__ = ["cases", "policy"]
NOTHING_TYPED = TypedVerdict(None, {}, {})


@cases.get("/<uuid:case_id>")
def show(case_id: UUID) -> Response:
    """The case, with what is sensitive masked; the reading is in the log of the people concerned."""
    return _page(_read(case_id), NOTHING_TYPED)


@cases.post("/<uuid:case_id>/ver")
def reveal(case_id: UUID) -> Response:
    """The case with the fields asked for whole, which the people concerned will see too."""
    wanted = SENSITIVE.intersection(request.form.getlist("campo"))
    return _page(_read(case_id, wanted), NOTHING_TYPED, revealed=wanted)


@cases.post("/<uuid:case_id>/revisar")
def review(case_id: UUID) -> Response:
    """What the verdict would do, before it is given."""
    prove_again(f"/gestion/casos/{case_id}")
    found = _read(case_id)
    typed = _typed(found)
    if typed.judgement is None:
        return _page(found, typed, status=422)
    return _review_page(case_id, typed.judgement, typed)


@cases.post("/<uuid:case_id>/decidir")
def settle(case_id: UUID) -> Answer:
    """Give the verdict; for many records it waits for a second steward."""
    prove_again(f"/gestion/casos/{case_id}")
    found = _read(case_id)
    typed = _typed(found)
    if typed.judgement is None:
        return _page(found, typed, status=422)
    made = decide(session(), engine_of(parts()), me(), case_id, typed.judgement)
    return redirect(f"/gestion/decisiones/{made.id}", 303)


def _read(case_id: UUID, reveal: Collection[str] = ()) -> Case:
    return read_case(session(), engine_of(parts()), me(), case_id, reveal)


def _typed(found: Case) -> TypedVerdict:
    return read_verdict(request.form, [rival.person_id for rival in found.rivals])


def _page(found: Case, typed: TypedVerdict, *, revealed: Collection[str] = (), status: int = 200) -> Response:
    shown = present.case(session(), me().handle, found, revealed, engine_of(parts()).model.version)
    return layout.page(
        "steward_case.html",
        status,
        case=shown,
        verdicts=words.VERDICTS,
        grounds=words.GROUNDS,
        typed=typed.typed,
        problems=typed.problems,
    )


def _review_page(case_id: UUID, judgement: Judgement, typed: TypedVerdict) -> Response:
    found = preview(session(), engine_of(parts()), me(), case_id, judgement)
    return layout.page(
        "steward_review.html",
        effect=effects.describe(session(), me().handle, found),
        case_id=case_id,
        verdict=words.VERDICTS[judgement.verdict],
        grounds=words.GROUNDS[judgement.grounds.reason],
        note=judgement.grounds.note,
        typed=typed.typed,
        revision=judgement.revision,
    )
