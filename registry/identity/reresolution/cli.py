"""Commands of re-resolution: run a model over the index in the shadow, look, apply what two stewards approved."""

from collections.abc import Iterator
from pathlib import Path

import click
from sqlalchemy.orm import Session

from matching.model import Model, ModelError
from registry.app import Renhice
from registry.identity.engine import engine_of
from registry.identity.reresolution.driving import steps
from registry.identity.reresolution.models import OPEN, REPORTED, SHADOW, MatchModel, ReresolutionRun
from registry.identity.reresolution.report import ConsentCount
from registry.identity.reresolution.runs import (
    APPROVALS,
    Progress,
    begin,
    cancel,
    drift,
    find_run,
    list_approvals,
    progress,
)
from registry.identity.reresolution.shadow import start
from registry.operating import command_parts, operator

COUNTS = ("persons", "records", "unchanged", "unlinks", "links", "merges", "reviews", "too_big")
RISKS = ("persons", "with_consent", "with_verified_dni", "big")


def reresolve_command(count_with_consent: ConsentCount) -> click.Command:
    """The command `reresolve`; who may count consents is a room above."""

    @click.command()
    @click.option("--model", type=click.Path(path_type=Path, dir_okay=False), help="Judge everybody by this model.")
    @click.option("--apply", "applying", is_flag=True, help="Apply what two stewards approved.")
    @click.option("--cancel", "cancelling", is_flag=True, help="Give the open run up; what was applied stays.")
    def reresolve(*, model: Path | None, applying: bool, cancelling: bool) -> None:
        """Run a new model over the whole index, first in the shadow; alone: how far it is.

        An interrupted run is taken up again, by the worker or by the same command. Nothing changes before two stewards
        have approved the report in the portal.
        """
        if sum((model is not None, applying, cancelling)) > 1:
            raise click.UsageError("One of --model, --apply and --cancel at a time.")
        with command_parts() as parts:
            if cancelling:
                _cancel(parts)
            elif applying or model is not None:
                _drive(parts, _begin(parts) if model is None else _start(parts, model), count_with_consent)
            for line in _lines(parts):
                click.echo(line)

    return reresolve


def _start(parts: Renhice, path: Path) -> ReresolutionRun:
    try:
        model = Model.load(path)
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    with parts.database.unit_of_work() as session:
        run = find_run(session)
        if run is not None and run.status == SHADOW and run.model_hash == model.hash:
            return run
        return start(session, model, engine_of(parts).model.hash, f"operator {operator()}")


def _begin(parts: Renhice) -> ReresolutionRun:
    with parts.database.unit_of_work() as session:
        return begin(session, engine_of(parts), _open_run(session).id)


def _cancel(parts: Renhice) -> None:
    with parts.database.unit_of_work() as session:
        cancel(session, _open_run(session).id, f"operator {operator()}")


def _open_run(session: Session) -> ReresolutionRun:
    run = find_run(session)
    if run is None or run.status not in OPEN:
        raise click.ClickException("No re-resolution is open; begin one with --model FILE.")
    return run


def _drive(parts: Renhice, run: ReresolutionRun, count_with_consent: ConsentCount) -> None:
    """Do what is left, and show how far it is: others may be at it too."""
    judging = run.status == SHADOW
    with click.progressbar(length=100, label="Judging" if judging else "Applying") as bar:
        for _ in steps(parts, run, count_with_consent):
            with parts.database.unit_of_work() as session:
                bar.update(_percent(progress(session, run.id), judging=judging) - bar.pos)


def _percent(done: Progress, *, judging: bool) -> int:
    part, whole = (done.slices_done, done.slices) if judging else (done.changes_settled, done.changes)
    return 100 * part // whole if whole else 100


def _lines(parts: Renhice) -> Iterator[str]:
    with parts.database.unit_of_work() as session:
        run = find_run(session)
        if run is None:
            yield "No model was ever run over this index."
            return
        version = session.get_one(MatchModel, run.model_hash).version
        yield f"{run.id}  {run.status}  model {version} ({run.model_hash[:12]}), begun by {run.started_by}"
        done = progress(session, run.id)
        yield f"judged {done.slices_done} of {done.slices} slices"
        yield f"settled {done.changes_settled} of {done.changes} changes"
        if run.report is not None:
            report = run.report
            yield "report: " + ", ".join(f"{name.replace('_', ' ')} {report[name]:,}" for name in COUNTS)
            yield "touched: " + ", ".join(f"{name.replace('_', ' ')} {report['risk'][name]:,}" for name in RISKS)
            yield from (f"  {one['kind']:<7} {one['reason']:<28} {one['changes']:>8,}" for one in report["reasons"])
        if run.status == REPORTED:
            yield f"{len(list_approvals(session, run.id))} of {APPROVALS} approvals"
            yield f"{drift(session, run):,} memberships changed since it began"
