"""Budgets of person searches: nobody learns the registry's people by asking for one number after the other.

A budget is an amount an hour that refills steadily; a whole hour's may be spent at once. It is one row of the database,
so it holds across processes and restarts, by the database's clock.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped, Session, mapped_column

from registry.audit.event import Event
from registry.database import Base
from registry.errors import TooManyRequests
from registry.questions import await_no_disk
from registry.settings import Settings
from registry.telemetry import SEARCHES

HOUR = timedelta(hours=1)
_SPEND = text(
    "INSERT INTO search_budgets AS budget (searcher, spent_until) VALUES (:searcher, clock_timestamp() + :step) "
    "ON CONFLICT (searcher) DO UPDATE SET spent_until = greatest(budget.spent_until, clock_timestamp()) + :step "
    "WHERE budget.spent_until + :step <= clock_timestamp() + :hour RETURNING spent_until"
)
_WAIT = text(
    "SELECT extract(epoch FROM spent_until + :step - clock_timestamp() - :hour) "
    "FROM search_budgets WHERE searcher = :searcher"
)


class SearchBudget(Base):
    """What one searcher has spent: at the rate it refills, the budget is whole again at `spent_until`."""

    __tablename__ = "search_budgets"

    searcher: Mapped[str] = mapped_column(primary_key=True)
    spent_until: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Searcher:
    """Who searches: a record system's client, or a professional at the portal."""

    kind: Literal["client", "professional"]
    key: str | UUID

    def per_hour(self, settings: Settings) -> int:
        """Searches an hour."""
        limits = {"client": settings.searches_per_hour_client, "professional": settings.searches_per_hour_professional}
        return limits[self.kind]


class SearchBudgetSpent(TooManyRequests):
    """The searcher has asked for more persons than its budget allows; `retry_after` says when one search is back."""

    code = "search-budget-spent"

    def __init__(self, seconds: int, refusal: Event) -> None:
        hint = f"One more search is possible in {seconds} s."
        super().__init__("Too many person searches in the past hour.", hint=hint, audit=refusal)
        self.retry_after = seconds


def spend_search(session: Session, settings: Settings, searcher: Searcher, refusal: Event, searches: int = 1) -> None:
    """Take searches from the budget and commit: they are spent whatever becomes of them, and no row stays locked.

    A call that asks for several identifiers counts as many searches, since it may find a person of each.

    The commit waits for no disk: a crash of the server forgets at most what was spent in its last second. Raises
    SearchBudgetSpent, which records `refusal`.
    """
    per_hour = searcher.per_hour(settings)
    step = min(searches, per_hour) * HOUR / per_hour
    values = {"searcher": f"{searcher.kind}:{searcher.key}", "step": step, "hour": HOUR}
    spent = session.scalar(_SPEND, values)
    SEARCHES.labels(searcher.kind, "permitted" if spent else "refused").inc()
    if spent is None:
        raise SearchBudgetSpent(max(1, math.ceil(session.scalar(_WAIT, values) or 0)), refusal)
    await_no_disk(session)
    session.commit()
