"""A searcher's budget holds across processes, refills steadily, and is nobody else's."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count

import pytest
from sqlalchemy import select

from registry.app import Renhice
from registry.audit.event import Event
from registry.database import Database, make_engine
from registry.identity.budgets import SearchBudget, SearchBudgetSpent, Searcher, spend_search
from registry.settings import Settings

REFUSAL = Event(action="identity:person:matched", outcome="refused", reason="search-budget-spent")
names = count()


@pytest.fixture
def tight(settings: Settings) -> Settings:
    return settings.model_copy(update={"searches_per_hour_client": 5, "searches_per_hour_professional": 2})


@pytest.fixture
def searcher() -> Searcher:
    return Searcher("client", f"sihce-{next(names)}")


def spend(database: Database, settings: Settings, searcher: Searcher) -> int:
    """Search once; 0, or the seconds to wait."""
    try:
        with database.unit_of_work() as session:
            spend_search(session, settings, searcher, REFUSAL)
    except SearchBudgetSpent as spent:
        return spent.retry_after or -1
    return 0


def rest(renhice: Renhice, searcher: Searcher, pause: timedelta) -> None:
    """Let that much time pass for one searcher."""
    with renhice.database.unit_of_work() as session:
        query = select(SearchBudget).where(SearchBudget.searcher == f"{searcher.kind}:{searcher.key}")
        session.scalars(query).one().spent_until -= pause


def test_an_hours_budget_may_be_spent_at_once_and_then_comes_back_one_by_one(
    renhice: Renhice, tight: Settings, searcher: Searcher
) -> None:
    assert [spend(renhice.database, tight, searcher) for _ in range(5)] == [0] * 5
    assert 715 <= spend(renhice.database, tight, searcher) <= 720
    rest(renhice, searcher, timedelta(minutes=12))
    assert spend(renhice.database, tight, searcher) == 0
    assert spend(renhice.database, tight, searcher) > 700


def test_a_long_rest_fills_one_hour_and_no_more(renhice: Renhice, tight: Settings, searcher: Searcher) -> None:
    for _ in range(5):
        spend(renhice.database, tight, searcher)
    rest(renhice, searcher, timedelta(days=30))
    assert [spend(renhice.database, tight, searcher) for _ in range(6)][:5] == [0] * 5
    assert spend(renhice.database, tight, searcher) > 0


def test_refused_searches_cost_nothing(renhice: Renhice, tight: Settings, searcher: Searcher) -> None:
    for _ in range(5):
        spend(renhice.database, tight, searcher)
    waits = [spend(renhice.database, tight, searcher) for _ in range(20)]
    assert max(waits) <= 720
    assert waits == sorted(waits, reverse=True)


def test_one_spends_nothing_of_anothers(renhice: Renhice, tight: Settings, searcher: Searcher) -> None:
    for _ in range(6):
        spend(renhice.database, tight, searcher)
    assert spend(renhice.database, tight, Searcher("client", f"{searcher.key}-b")) == 0
    professional = Searcher("professional", searcher.key)
    assert [spend(renhice.database, tight, professional) for _ in range(3)][:2] == [0, 0]
    assert spend(renhice.database, tight, professional) > 1700


def test_many_at_once_from_several_processes_get_no_more(tight: Settings, searcher: Searcher) -> None:
    databases = [Database(make_engine(tight)) for _ in range(2)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda number: spend(databases[number % 2], tight, searcher), range(40)))
    for database in databases:
        database.engine.dispose()
    assert answers.count(0) == 5


def test_what_was_spent_stays_spent_when_the_search_fails(
    renhice: Renhice, tight: Settings, searcher: Searcher
) -> None:
    for _ in range(5):
        with pytest.raises(RuntimeError), renhice.database.unit_of_work() as session:  # noqa: PT012
            spend_search(session, tight, searcher, REFUSAL)
            raise RuntimeError
    assert spend(renhice.database, tight, searcher) > 0
