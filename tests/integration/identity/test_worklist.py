"""The stewards' worklist: who works on what, in which order, and who may look at all."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from registry.database import new_id, now
from registry.directory.models import StaffRole
from registry.errors import Conflict, Forbidden, NotFound
from registry.identity.comparison import read_case
from registry.identity.deciding import Judgement, decide
from registry.identity.models import PossibleMatch
from registry.identity.service import Engine
from registry.identity.stewards import Steward
from registry.identity.undoing import undo
from registry.identity.worklist import Filters, assign, count_cases, get_line, list_cases, release, take
from tests.integration.identity.conftest import (
    ROSA,
    VAGUE,
    WHY,
    Doubt,
    Register,
    same,
)


def test_worklist_shows_the_doubt_and_who_works_on_it(
    session: Session, engine: Engine, steward: Steward, second: Steward, doubt: Doubt
) -> None:
    [line] = list_cases(session, steward)
    assert (line.id, line.person_id, list(line.rivals)) == (
        doubt.case_id,
        doubt.placed.person_id,
        [doubt.home.person_id],
    )
    assert line.weight is not None
    taken = take(session, steward, line.id, line.revision)
    assert taken.assigned_to == steward.handle
    assert [count_cases(session, second, Filters(assigned=whose)) for whose in ("any", "nobody", "mine")] == [1, 0, 0]
    with pytest.raises(Conflict, match="Another steward"):
        take(session, second, line.id)
    with pytest.raises(Conflict, match="has changed"):
        release(session, steward, line.id, line.revision)
    given = assign(session, steward, line.id, second.handle)
    assert given.assigned_to == second.handle
    with pytest.raises(Conflict, match="Another steward"):
        decide(session, engine, steward, line.id, same())


def test_case_nobody_touched_for_a_day_is_anybodys(
    session: Session, steward: Steward, second: Steward, doubt: Doubt
) -> None:
    take(session, steward, doubt.case_id)
    session.execute(update(PossibleMatch).values(assigned_at=now() - timedelta(hours=25)))
    assert count_cases(session, second, Filters(assigned="nobody")) == 1
    assert take(session, second, doubt.case_id).assigned_to == second.handle


def test_worklist_comes_in_pages(session: Session, steward: Steward, register: Register) -> None:
    register(replace(ROSA, documents=()))
    for _ in range(5):
        register(VAGUE)
    everything = [line.id for line in list_cases(session, steward)]
    assert len(everything) == 5
    for order in ("oldest", "newest", "score"):
        whole = [line.id for line in list_cases(session, steward, order=order)]  # type: ignore[arg-type]
        paged, after = [], None
        while page := list_cases(session, steward, order=order, after=after, limit=2):  # type: ignore[arg-type]
            paged += [line.id for line in page]
            after = page[-1].id
        assert paged == whole
    assert [line.id for line in list_cases(session, steward, order="newest")] == everything[::-1]
    with pytest.raises(NotFound):
        list_cases(session, steward, after=new_id())


def test_nobody_but_a_steward_of_this_moment(session: Session, engine: Engine, steward: Steward, doubt: Doubt) -> None:
    session.execute(update(StaffRole).values(ended_at=now()))
    for act in (
        lambda: list_cases(session, steward),
        lambda: take(session, steward, doubt.case_id),
        lambda: read_case(session, engine, steward, doubt.case_id),
        lambda: decide(session, engine, steward, doubt.case_id, same()),
        lambda: list_cases(session, Steward(handle="not a handle")),
    ):
        with pytest.raises(Forbidden) as refused:
            act()
        assert refused.value.audit is not None


def test_what_cannot_be_told_goes_back_to_the_end_of_the_worklist(
    session: Session, engine: Engine, steward: Steward, doubt: Doubt
) -> None:
    take(session, steward, doubt.case_id)
    made = decide(session, engine, steward, doubt.case_id, Judgement(verdict="unknown", grounds=WHY))
    line = get_line(session, doubt.case_id)
    assert (line.status, line.assigned_to, line.undecided) == ("open", None, 1)
    undo(session, engine, steward, made.id, WHY)
    assert get_line(session, doubt.case_id).undecided == 0
