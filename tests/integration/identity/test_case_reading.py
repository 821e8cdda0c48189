"""A case side by side: what a steward is shown, what only on asking, and whose case nobody sees."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from matching.records import Document, DocumentType
from registry.audit.models import AuditEvent
from registry.errors import Forbidden, InvalidInput
from registry.identity.comparison import read_case
from registry.identity.deciding import decide
from registry.identity.service import Engine
from registry.identity.stewards import Steward
from tests.integration.identity.conftest import (
    ROSA,
    Doubt,
    Register,
    same,
)


def test_case_is_shown_side_by_side_and_read_in_the_open(
    session: Session, engine: Engine, steward: Steward, doubt: Doubt
) -> None:
    case = read_case(session, engine, steward, doubt.case_id)
    assert case.record is not None
    assert (case.record.values["given_names"], case.record.values["maternal_surname"]) == ("Rosa", "")
    [rival] = case.rivals
    states = {one.field: one.state for one in rival.fields}
    assert (states["paternal"], states["given"], states["maternal"]) == ("same", "similar", "missing")
    assert rival.weight_bits == pytest.approx(sum(one.weight for one in rival.fields))
    assert case.evidence_model == engine.model.hash
    [said] = rival.records
    assert said.values["phone"].startswith("····")
    assert said.values["phone"].endswith("233")
    session.flush()
    read = session.scalars(select(AuditEvent).where(AuditEvent.action == "identity:case:read")).all()
    assert {row.person_id for row in read} == {doubt.placed.person_id, doubt.home.person_id}
    assert {row.actor_role for row in read} == {"steward"}


def test_sensitive_fields_are_shown_to_who_asks_and_that_is_in_the_log(
    session: Session, engine: Engine, steward: Steward, doubt: Doubt
) -> None:
    case = read_case(session, engine, steward, doubt.case_id, reveal={"phone"})
    said = case.rivals[0].records[0]
    assert said.values["phone"] == ROSA.phone
    assert said.values["address"].startswith("····")
    session.flush()
    [row, _] = session.scalars(select(AuditEvent).where(AuditEvent.action == "identity:case:revealed")).all()
    assert row.detail["fields"] == ["phone"]
    with pytest.raises(InvalidInput):
        read_case(session, engine, steward, doubt.case_id, reveal={"given_names"})


def test_nobody_sees_or_decides_their_own_case(
    session: Session, engine: Engine, appoint: Callable[[str], Steward], register: Register, doubt: Doubt
) -> None:
    register(replace(ROSA, documents=(Document(DocumentType.DNI, "40718293"),)))
    rosa = appoint("40718293")
    for act in (
        lambda: read_case(session, engine, rosa, doubt.case_id),
        lambda: decide(session, engine, rosa, doubt.case_id, same()),
    ):
        with pytest.raises(Forbidden) as refused:
            act()
        assert refused.value.error_code == "own-case"
