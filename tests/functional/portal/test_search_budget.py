"""A professional who looks up one person after the other is stopped for a while, in words that say what to do."""

from datetime import timedelta

from sqlalchemy import select, update

from registry.audit.models import AuditEvent
from registry.database import now
from registry.identity.budgets import SearchBudget
from sandbox import story
from tests.functional.portal.world import Visitor, World


def test_a_spent_budget_is_a_page_in_spanish_and_ends_by_itself(world: World, physician: Visitor) -> None:
    number = story.PATIENT.document.number
    found = physician.press(physician.open("/profesional"), "/profesional", "dni", dni=number)
    assert found.url.path == f"/profesional/persona/{world.person_id}"
    budget = select(SearchBudget.searcher).where(SearchBudget.searcher.startswith("professional:")).scalar_subquery()
    spent = update(SearchBudget).where(SearchBudget.searcher == budget)
    with world.renhice.database.unit_of_work() as session:
        session.execute(spent.values(spent_until=now() + timedelta(hours=1)))
    page = physician.press(physician.open("/profesional"), "/profesional", "dni", dni=number)
    assert page.status == 429
    assert page.body.count("<h1") == 1
    assert "Buscó a muchas personas en poco tiempo" in page.text
    assert number not in page.body
    assert 1 <= int(physician.heard[-1].headers["retry-after"]) <= 36
    assert physician.open(f"/profesional/persona/{world.person_id}").status == 200
    with world.renhice.database.unit_of_work() as session:
        query = select(AuditEvent).where(AuditEvent.action == "portal:person:searched", AuditEvent.outcome == "refused")
        refusal = session.scalars(query).one()
        session.execute(spent.values(spent_until=now()))
    assert refusal.reason == "search-budget-spent"
    assert refusal.professional_id is not None
    again = physician.press(physician.open("/profesional"), "/profesional", "dni", dni=number)
    assert again.url.path == f"/profesional/persona/{world.person_id}"


def test_a_mistyped_search_costs_nothing(world: World, physician: Visitor) -> None:
    with world.renhice.database.unit_of_work() as session:
        before = session.scalars(select(SearchBudget.spent_until)).all()
    assert physician.press(physician.open("/profesional"), "/profesional", "dni", dni="123").status == 422
    with world.renhice.database.unit_of_work() as session:
        assert session.scalars(select(SearchBudget.spent_until)).all() == before
