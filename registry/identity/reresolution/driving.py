"""Driving the open run a little further: by the worker in the background, by the operator's command at full speed."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from matching.model import Model
from registry.app import Renhice
from registry.database import Database
from registry.errors import Conflict
from registry.identity.engine import Engine, engine_of
from registry.identity.reresolution.application import apply_changes
from registry.identity.reresolution.models import APPLYING, APPROVED, SHADOW, MatchModel, ReresolutionRun
from registry.identity.reresolution.report import ConsentCount, report
from registry.identity.reresolution.runs import begin, find_run, finish, get_run
from registry.identity.reresolution.shadow import judge_slices

EVERY = timedelta(seconds=10)
MOST_SECONDS = 5.0
"""Half of one worker process, at most."""


def advance(parts: Renhice, count_with_consent: ConsentCount) -> None:
    """Take the open run some seconds further, if there is one and it waits for nobody.

    An approved run begins as soon as its model is in force and the index is still nearly what was judged.
    """
    deadline = time.monotonic() + MOST_SECONDS
    with parts.database.unit_of_work() as session:
        run = find_run(session)
    if run is None:
        return
    for _ in steps(parts, run, count_with_consent):
        if time.monotonic() > deadline:
            return


def steps(parts: Renhice, run: ReresolutionRun, count_with_consent: ConsentCount) -> Iterator[None]:
    """What is left to do of a run, a transaction a step; ends where it waits for somebody else."""
    if run.status == SHADOW:
        for _ in judge_slices(parts.database, engine_of_run(parts, run.id), run.id):
            yield
        with parts.database.unit_of_work() as session:
            report(session, count_with_consent, run.id)
    elif run.status in {APPROVED, APPLYING} and _may_be_applied(parts.database, engine_of(parts), run.id):
        for _ in apply_changes(parts.database, engine_of(parts), run.id):
            yield
        with parts.database.unit_of_work() as session:
            finish(session, run.id)


def engine_of_run(parts: Renhice, run_id: UUID) -> Engine:
    """The engine of this process with the run's model in place of the one in force."""
    with parts.database.unit_of_work() as session:
        model = session.get_one(MatchModel, get_run(session, run_id).model_hash)
    return replace(engine_of(parts), model=Model.from_document(model.document))


def _may_be_applied(database: Database, engine: Engine, run_id: UUID) -> bool:
    """Begin an approved run; one that is not to be applied (yet) stays, and `reresolve` says why."""
    try:
        with database.unit_of_work() as session:
            begin(session, engine, run_id)
    except Conflict:
        return False
    return True
