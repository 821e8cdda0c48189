"""The application can add to the history of identity, and can't rewrite it."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from tests.integration.identity.conftest import ROSA, Register


@pytest.mark.parametrize("table", ["source_record_versions", "membership_events", "verifications"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET source_record_id = NULL", "TRUNCATE {}"])
def test_history_is_append_only(session: Session, register: Register, table: str, statement: str) -> None:
    register(ROSA)
    with pytest.raises(ProgrammingError, match=r"append-only|permission denied"):
        session.execute(text(statement.format(table)))


@pytest.mark.parametrize("table", ["source_records", "persons", "memberships", "possible_matches"])
def test_nothing_of_identity_is_deleted(session: Session, register: Register, table: str) -> None:
    register(ROSA)
    with pytest.raises(ProgrammingError, match="permission denied"):
        session.execute(text(f"DELETE FROM {table}"))
