"""Laws of the decision function that no set of directives may break."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent_broker.consents.decision import AccessQuery, Directive, Kind, Reason, decide
from consent_broker.consents.vocabulary import ALL_CATEGORIES

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
IDS = [UUID(int=number) for number in range(1, 4)]
PURPOSES = ["TREAT", "COC"]
ids = st.sampled_from(IDS)
categories = st.frozensets(st.sampled_from(sorted(ALL_CATEGORIES)))
moments = st.integers(-3, 3).map(lambda days: NOW + timedelta(days=days))


@st.composite
def directives(draw: st.DrawFn) -> Directive:
    establishment = draw(st.none() | ids)
    return Directive(
        consent_id=draw(st.uuids(version=4)),
        kind=draw(st.sampled_from(Kind)),
        person_id=draw(ids),
        establishment_id=establishment,
        professional_id=draw(st.none() | ids) if establishment else None,
        categories=draw(st.none() | categories),
        purposes=draw(st.none() | st.frozensets(st.sampled_from(PURPOSES))),
        starts_at=draw(moments),
        ends_at=draw(st.none() | moments),
        revoked=draw(st.booleans()),
    )


queries = st.builds(
    AccessQuery,
    person_id=ids,
    establishment_id=ids,
    professional_id=st.none() | ids,
    purpose=st.sampled_from(PURPOSES),
    categories=categories,
)
sets = st.lists(directives(), max_size=8)


@patient
@given(queries, sets)
def test_permitted_is_within_requested_and_consented(query: AccessQuery, given_directives: list[Directive]) -> None:
    decision = decide(query, given_directives, NOW)
    permissions = [one for one in given_directives if one.kind is Kind.PERMISSION and one.person_id == query.person_id]
    consented = {c for one in permissions for c in (ALL_CATEGORIES if one.categories is None else one.categories)}
    assert decision.categories <= query.categories & consented
    assert decision.permit == bool(decision.categories)


@patient
@given(queries, sets, directives())
def test_an_objection_never_widens(query: AccessQuery, held: list[Directive], extra: Directive) -> None:
    objection = replace(extra, kind=Kind.OBJECTION)
    assert decide(query, [*held, objection], NOW).categories <= decide(query, held, NOW).categories


@patient
@given(queries, sets, directives())
def test_a_permission_never_narrows(query: AccessQuery, held: list[Directive], extra: Directive) -> None:
    permission = replace(extra, kind=Kind.PERMISSION)
    assert decide(query, held, NOW).categories <= decide(query, [*held, permission], NOW).categories


@patient
@given(queries, sets)
def test_ended_future_and_revoked_directives_never_count(query: AccessQuery, held: list[Directive]) -> None:
    alive = [
        one for one in held if not one.revoked and one.starts_at <= NOW and (one.ends_at is None or one.ends_at > NOW)
    ]
    assert decide(query, held, NOW).categories == decide(query, alive, NOW).categories


@patient
@given(queries, sets, st.randoms())
def test_the_order_of_directives_does_not_matter(query: AccessQuery, held: list[Directive], random: object) -> None:
    shuffled = list(held)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert decide(query, held, NOW).categories == decide(query, shuffled, NOW).categories


@patient
@given(queries, sets)
def test_a_plain_objection_of_the_same_breadth_beats_every_permission(
    query: AccessQuery, held: list[Directive]
) -> None:
    everything = Directive(
        consent_id=UUID(int=99),
        kind=Kind.OBJECTION,
        person_id=query.person_id,
        establishment_id=query.establishment_id,
        professional_id=IDS[0],
        categories=ALL_CATEGORIES,
        purposes=frozenset(PURPOSES),
        starts_at=NOW,
        ends_at=None,
    )
    decision = decide(replace(query, professional_id=None), [*held, everything], NOW)
    assert not decision.permit
    assert decision.reason in {Reason.OBJECTION, Reason.NO_CONSENT}
