"""A new model's report: what it would change, at what risk, a sample to look at, and the approval of two stewards."""

from uuid import UUID

from flask import Blueprint, Response, redirect
from werkzeug.wrappers import Response as Answer

from portal import layout
from portal.steward import persons, present, words
from portal.steward.access import me, policy, prove_again
from portal.steward.views import ApprovalView, ChangeView, RunView
from registry.app import parts
from registry.database import session
from registry.errors import DomainError
from registry.identity.reresolution.listing import list_models
from registry.identity.reresolution.models import REPORTED, MatchModel, ReresolutionChange, ReresolutionRun
from registry.identity.reresolution.runs import (
    APPROVALS,
    approve,
    drift,
    find_run,
    get_change,
    list_approvals,
    list_sample,
    progress,
    refuse_outdated,
)
from registry.identity.service import engine_of

reresolution = Blueprint("portal-steward-model", __name__, url_prefix="/gestion/modelo")
__all__ = ["policy", "reresolution"]


@reresolution.get("")
def report() -> Response:
    """The newest run: how far it is and what it would change."""
    run = find_run(session())
    in_force = engine_of(parts()).model
    return layout.page(
        "steward_model.html",
        run=_run(run) if run else None,
        changes=words.CHANGES,
        reasons=words.reason,
        models=list_models(session(), in_force),
        in_force=in_force.hash,
    )


@reresolution.post("/<uuid:run_id>/aprobar")
def stand_for(run_id: UUID) -> Answer:
    """Stand for the report; with the second approval it is applied."""
    prove_again("/gestion/modelo")
    approve(session(), me(), run_id)
    return redirect("/gestion/modelo", 303)


@reresolution.get("/cambios/<uuid:change_id>")
def change(change_id: UUID) -> Response:
    """One change of the sample: what weighed how much, and the persons it would touch, masked and logged."""
    found = get_change(session(), change_id)
    concerned = [key for key in (found.person_id, found.target_id, *found.rivals) if key]
    return layout.page(
        "steward_change.html",
        change=_change(found),
        weights=present.weights(present.stored(found.contributions or [])),
        weight=found.weight,
        persons=[persons.today(key) for key in dict.fromkeys(concerned)],
    )


def _run(run: ReresolutionRun) -> RunView:
    done, approvals, mine = progress(session(), run.id), list_approvals(session(), run.id), me().handle
    names = present.names_for(session(), mine, [])
    return RunView(
        id=run.id,
        state=words.RUN_STATES[run.status],
        model=session().get_one(MatchModel, run.model_hash).version,
        hash=run.model_hash[:12],
        started_at=run.started_at,
        reported_at=run.reported_at,
        judged=done.slices_done,
        slices=done.slices,
        settled=done.changes_settled,
        total=done.changes,
        report=run.report,
        sample=[_change(one) for one in list_sample(session(), run)],
        drift=drift(session(), run),
        outdated=_outdated(run),
        approvals=[ApprovalView(by=names.who(one.steward), at=one.approved_at) for one in approvals],
        needed=APPROVALS,
        may_approve=run.status == REPORTED and all(one.steward != mine for one in approvals) and not _outdated(run),
    )


def _outdated(run: ReresolutionRun) -> str:
    if run.status != REPORTED:
        return ""
    try:
        refuse_outdated(session(), run)
    except DomainError as error:
        return words.REFUSED[error.error_code]
    return ""


def _change(found: ReresolutionChange) -> ChangeView:
    return ChangeView(
        id=found.id,
        kind=words.CHANGES[found.kind],
        reason=words.reason(found.reason),
        records=len(found.records),
        weight=found.weight,
        status=words.CHANGE_STATES[found.status],
    )
