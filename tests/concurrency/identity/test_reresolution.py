"""Re-resolution beside registrations, by several at once, and through kill -9: nothing lost, nothing done twice."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from matching.model import Model
from matching.records import Demographics, Document, DocumentType
from registry.app import Renhice
from registry.database import new_id, now
from registry.directory.documents import document_token
from registry.directory.models import StaffRole
from registry.identity.engine import Engine
from registry.identity.events import replay
from registry.identity.models import Membership, MembershipEvent, Person
from registry.identity.reresolution.application import apply_changes
from registry.identity.reresolution.models import ReresolutionChange, ReresolutionRun, ReresolutionSlice
from registry.identity.reresolution.report import report
from registry.identity.reresolution.runs import approve, begin, cancel, finish
from registry.identity.reresolution.shadow import SLICE, judge_slices, start
from registry.identity.service import Content, Registration, engine_of, register_source_record
from registry.identity.stewards import Steward, handle_of
from registry.settings import Settings

ROOT = Path(__file__).parents[3]
SURNAMES = ("Zevallos", "Ccahuana", "Yupanqui", "Huallpa", "Tirado", "Ñaupari", "Quiñones", "Villafuerte", "Apaza")
GIVEN = ("Rosa Elvira", "Melquiades", "Eustaquia", "Wenceslao", "Hermelinda", "Zenobia", "Policarpo")


def human(seed: int) -> Demographics:
    """Somebody unlike the others."""
    return Demographics(
        documents=(Document(DocumentType.DNI, f"{10_000_000 + seed * 7_919_311 % 80_000_000:08d}"),),
        paternal_surname=SURNAMES[seed % len(SURNAMES)],
        maternal_surname=SURNAMES[seed // 3 % len(SURNAMES)],
        given_names=GIVEN[seed % len(GIVEN)],
        birth_date=date(1930 + seed * 7 % 70, 1 + seed % 12, 2 + seed % 26),
    )


def visit(renhice: Renhice, engine: Engine, facts: Demographics) -> None:
    with renhice.database.unit_of_work() as session:
        content = Content("https://example.pe/hc", str(new_id()), facts)
        register_source_record(
            session, engine, Registration(establishment_id=new_id(), client_id="sihce", content=content)
        )


@pytest.fixture
def timid(renhice: Renhice) -> Engine:
    """A former engine that linked nobody."""
    document = engine_of(renhice).model.document
    limits = {**document["thresholds"], "link": 200.0, "review": 200.0}
    return replace(engine_of(renhice), model=Model.from_document({**document, "thresholds": limits}))


@pytest.fixture
def approved(renhice: Renhice) -> Callable[[], ReresolutionRun]:
    """A run of the model in force, judged and approved, ready to be applied."""

    def call() -> ReresolutionRun:
        engine = engine_of(renhice)
        with renhice.database.unit_of_work() as session:
            run = start(session, engine.model, "former", "operator test")
        list(judge_slices(renhice.database, engine, run.id))
        with renhice.database.unit_of_work() as session:
            report(session, lambda _session, _persons: 0, run.id)
            for number in ("80000001", "80000002"):
                document = Document(DocumentType.DNI, number)
                token, until = document_token(renhice.sealer, document), now() + timedelta(days=1)
                session.add(StaffRole(document_token=token, sealed=b"-", role="steward", valid_until=until))
                session.flush()
                approve(session, Steward(handle=handle_of(renhice.sealer, document)), run.id)
            begin(session, engine, run.id)
        return run

    return call


def test_applying_by_several_while_people_register_leaves_one_consistent_history(
    renhice: Renhice, timid: Engine, approved: Callable[[], ReresolutionRun]
) -> None:
    engine, people = engine_of(renhice), [human(seed) for seed in range(8)]
    for facts in people:
        for told in (facts, replace(facts, documents=()), replace(facts, maternal_surname=None)):
            visit(renhice, timid, told)
    run = approved()

    def apply() -> list[str]:
        return list(apply_changes(renhice.database, engine, run.id))

    def register() -> list[str]:
        for facts in people:
            visit(renhice, engine, facts)
        return []

    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(work) for work in (apply, register, apply, register, apply, register)]
        statuses = [status for call in calls for status in call.result()]
    with renhice.database.unit_of_work() as session:
        assert finish(session, run.id)
        changes = session.scalars(select(ReresolutionChange).where(ReresolutionChange.run_id == run.id)).all()
        assert len(statuses) == len(changes) == 16
        events = session.scalars(select(MembershipEvent).order_by(MembershipEvent.position)).all()
        today = {row.source_record_id: row.person_id for row in session.scalars(select(Membership))}
        assert replay(events).memberships == today
        assert set(today.values()) == set(session.scalars(select(Person.id).where(Person.status == "active")))
        merged = [one.person_id for one in events if one.kind == "merged"]
        assert len(merged) == len(set(merged)) == statuses.count("applied")
        assert statuses.count("applied") >= len(people)


def test_a_killed_run_is_taken_up_where_it_was(
    renhice: Renhice, timid: Engine, settings: Settings, tmp_path: Path
) -> None:
    people = [human(100 + seed) for seed in range(5 * SLICE // 4)]
    for facts in people:
        visit(renhice, timid, facts)
        visit(renhice, timid, replace(facts, documents=()))
    model = tmp_path / "model.json"
    model.write_text(json.dumps(dict(engine_of(renhice).model.document)), encoding="utf-8")
    environment = {
        **os.environ,
        "RENHICE_ENVIRONMENT": "test",
        "RENHICE_DATABASE_URL": str(settings.database_url),
        "RENHICE_BROKER_URL": settings.broker_url,
        "RENHICE_KEYS_DIR": str(settings.keys_dir),
    }
    command = [sys.executable, "-m", "deploy", "identity", "reresolve", "--model", str(model)]
    run = partial(subprocess.Popen, command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    with run() as first:
        try:
            _wait_for_a_slice(renhice, first)
        finally:
            first.kill()
    with renhice.database.unit_of_work() as session:
        slices = select(func.count(ReresolutionSlice.done_at), func.count())
        done, total = session.execute(slices.where(ReresolutionSlice.run_id == _running(session))).one()
        assert 1 <= done < total
    with run() as second:
        said, _ = second.communicate(timeout=600)
    assert second.returncode == 0
    assert f"judged {total} of {total} slices" in said
    with renhice.database.unit_of_work() as session:
        (resumed,) = session.scalars(select(ReresolutionRun).where(ReresolutionRun.status == "reported"))
        cancel(session, resumed.id, "operator test")
        again = start(session, engine_of(renhice).model, "former", "operator test")
    list(judge_slices(renhice.database, engine_of(renhice), again.id))
    with renhice.database.unit_of_work() as session:
        whole = report(session, lambda _session, _persons: 0, again.id)
        figures = ("persons", "records", "merges", "links", "unlinks", "reviews", "unchanged")
        assert {name: resumed.report[name] for name in figures} == {name: whole.report[name] for name in figures}
        assert resumed.report["merges"] > SLICE
        cancel(session, again.id, "operator test")


def _wait_for_a_slice(renhice: Renhice, judging: "subprocess.Popen[str]") -> None:
    """Until another process has committed a slice."""
    while judging.poll() is None:
        time.sleep(0.02)
        with renhice.database.unit_of_work() as session:
            done = select(func.count(ReresolutionSlice.done_at)).where(ReresolutionSlice.run_id == _running(session))
            if session.scalar(done):
                return


def _running(session: Session) -> UUID | None:
    return session.scalar(select(ReresolutionRun.id).where(ReresolutionRun.status == "shadow"))
