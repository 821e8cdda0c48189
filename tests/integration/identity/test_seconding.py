"""Many records need a second steward, who may agree or refuse."""

from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from registry.errors import Conflict, Forbidden
from registry.identity.deciding import decide, merge
from registry.identity.seconding import confirm, refuse
from registry.identity.service import Engine
from registry.identity.stewards import Steward
from registry.identity.undoing import undo
from registry.identity.worklist import get_line
from tests.integration.identity.conftest import (
    PEDRO,
    ROSA,
    VAGUE,
    WHY,
    Doubt,
    Register,
    assert_history_holds,
    misspelt,
    same,
    snapshot,
    where,
)


def test_many_records_need_a_second_steward(
    session: Session, engine: Engine, steward: Steward, second: Steward, register: Register
) -> None:
    careful = replace(engine, four_eyes_above=2)
    one, other = register(ROSA), register(PEDRO)
    register(misspelt(ROSA))
    before = snapshot(session)
    made = merge(session, careful, steward, (one.person_id, other.person_id), WHY)
    assert (made.state, snapshot(session)) == ("pending", before)
    with pytest.raises(Forbidden) as refused:
        confirm(session, careful, steward, made.id)
    assert refused.value.error_code == "second-steward-needed"
    confirmed = confirm(session, careful, second, made.id)
    assert (confirmed.state, confirmed.second_steward) == ("applied", second.handle)
    assert where(session, other.source_record_id) == one.person_id
    with pytest.raises(Conflict):
        confirm(session, careful, second, made.id)
    taken_back = undo(session, careful, second, made.id, WHY)
    assert taken_back.state == "pending"
    confirm(session, careful, steward, taken_back.id)
    assert snapshot(session) == before
    assert_history_holds(session)


def test_second_steward_may_refuse_and_changed_data_void_the_first_ones_word(
    session: Session, engine: Engine, steward: Steward, second: Steward, register: Register, doubt: Doubt
) -> None:
    careful = replace(engine, four_eyes_above=1)
    before = snapshot(session)
    made = decide(session, careful, steward, doubt.case_id, same())
    assert get_line(session, doubt.case_id).awaiting == made.id
    with pytest.raises(Conflict, match="second steward"):
        decide(session, careful, steward, doubt.case_id, same())
    assert refuse(session, second, made.id).state == "refused"
    again = decide(session, careful, steward, doubt.case_id, same())
    register(replace(VAGUE, sex=None), at=doubt.place)
    with pytest.raises(Conflict) as changed:
        confirm(session, careful, second, again.id)
    assert changed.value.error_code in {"data-changed", "case-changed"}
    assert snapshot(session) == before
