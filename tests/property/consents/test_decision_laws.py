"""Laws of the decision function that no set of directives may break, category by category and item by item."""

from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from consent_broker.consents.decision import Reason, decide
from consent_broker.consents.directives import AccessQuery, Directive, Item, Kind, outranks
from consent_broker.consents.vocabulary import ALL_CATEGORIES, SENSITIVE
from tests.property.consents.oracle import SOURCES, atoms_from, atoms_of, counting, flows, more_specific
from tests.property.consents.strategies import (
    IDS,
    NOW,
    PURPOSES,
    alive,
    categories,
    directives,
    items,
    meeting_query,
    meetings,
    patient,
    queries,
    rivals,
    sets,
)

things = st.lists(items(), min_size=1, max_size=6)


def released(query: AccessQuery, held: list[Directive], things: list[Item]) -> set[int]:
    """Which of the items flow, by their place in the list."""
    decision = decide(query, held, NOW)
    return {place for place, item in enumerate(things) if decision.allows(item)}


def asked(loose: tuple[AccessQuery, list[Directive]] | list[Directive]) -> tuple[AccessQuery, list[Directive]]:
    return loose if isinstance(loose, tuple) else (meeting_query, loose)


questions = (meetings | meetings | st.tuples(queries, sets)).map(asked)
"""A reader and a person's directives; mostly such as meet."""


@patient
@given(questions, st.lists(items(), min_size=1, max_size=3))
def test_what_flows_is_what_the_written_rule_lets_flow(
    question: tuple[AccessQuery, list[Directive]], of: list[Item]
) -> None:
    """Also what the function does not try one by one: days between two cuts, and what no directive tells apart."""
    decision, told = decide(*question, NOW), counting(*question)
    ruled = [item.category in question[0].categories and all(flows(a, told) for a in atoms_of(item)) for item in of]
    assert [decision.allows(item) for item in of] == ruled


@patient
@given(questions)
def test_categories_are_those_of_which_the_written_rule_lets_something_flow(
    question: tuple[AccessQuery, list[Directive]],
) -> None:
    decision, told, wanted = decide(*question, NOW), counting(*question), question[0].categories
    ruled = {at: {one for one in wanted if any(flows(a, told) for a in atoms_from(one, [at]))} for at in SOURCES}
    assert {at: decision.categories_at(at) for at in SOURCES} == ruled
    assert decision.categories == set[str]().union(*ruled.values())


@patient
@given(questions)
def test_the_reader_is_told_of_a_restriction_where_the_written_rule_restricts(
    question: tuple[AccessQuery, list[Directive]],
) -> None:
    """Of the sensitivities permitted at all; what is hidden does not count, and nothing does that is one item's."""
    decision, told = decide(*question, NOW), [one for one in counting(*question) if not one.hides]
    for category in decision.categories:
        permitted = [one for one in told if one.kind is Kind.PERMISSION and category in (one.categories or {category})]
        labels = {label for one in permitted for label in one.labels or {"N"}}
        atoms = [atom for atom in atoms_from(category, SOURCES) if atom.label in labels]
        assert decision.restricts(category) == any(not flows(atom, told) for atom in atoms)


@patient
@given(rivals())
def test_which_of_two_prevails_is_what_is_written(pair: tuple[Directive, Directive]) -> None:
    permission, objection = pair
    assert outranks(permission, objection) == more_specific(permission, objection)


@patient
@given(queries, sets)
def test_permitted_is_within_requested_and_consented(query: AccessQuery, held: list[Directive]) -> None:
    decision = decide(query, held, NOW)
    permissions = [one for one in held if one.kind is Kind.PERMISSION and one.person_id == query.person_id]
    consented = {c for one in permissions for c in (ALL_CATEGORIES if one.categories is None else one.categories)}
    assert decision.categories <= query.categories & consented
    assert decision.permit == bool(decision.categories)
    assert {finding.category for finding in decision.findings} == query.categories


@patient
@given(queries, sets, directives(), things)
def test_an_objection_never_widens(query: AccessQuery, held: list[Directive], extra: Directive, of: list[Item]) -> None:
    objection = replace(alive(extra), kind=Kind.OBJECTION)
    assert decide(query, [*held, objection], NOW).categories <= decide(query, held, NOW).categories
    assert released(query, [*held, objection], of) <= released(query, held, of)


@patient
@given(queries, sets, directives(), things)
def test_a_permission_never_narrows(
    query: AccessQuery, held: list[Directive], extra: Directive, of: list[Item]
) -> None:
    permission = replace(alive(extra), kind=Kind.PERMISSION, hides=False, items=None)
    assert decide(query, held, NOW).categories <= decide(query, [*held, permission], NOW).categories
    assert released(query, held, of) <= released(query, [*held, permission], of)


@patient
@given(queries, sets, things)
def test_ended_future_and_revoked_directives_never_count(
    query: AccessQuery, held: list[Directive], of: list[Item]
) -> None:
    alive_ones = [one for one in held if one.in_force(NOW)]
    assert decide(query, held, NOW).categories == decide(query, alive_ones, NOW).categories
    assert released(query, held, of) == released(query, alive_ones, of)


@patient
@given(queries, sets, st.randoms(), things)
def test_the_order_of_directives_does_not_matter(
    query: AccessQuery, held: list[Directive], random: object, of: list[Item]
) -> None:
    shuffled = list(held)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = decide(query, held, NOW), decide(query, shuffled, NOW)
    assert one == other
    assert released(query, held, of) == released(query, shuffled, of)


@patient
@given(queries, sets, directives(), things)
def test_an_unrelated_directive_changes_nothing(
    query: AccessQuery, held: list[Directive], extra: Directive, of: list[Item]
) -> None:
    unrelated = [
        replace(alive(extra), person_id=IDS[2]),
        replace(alive(extra), purposes=frozenset({"CAREMGT"})),
        replace(alive(extra), establishment_id=UUID(int=77), establishment_category=None, establishment_sector=None),
        replace(alive(extra), categories=ALL_CATEGORIES - query.categories),
    ]
    for other in unrelated:
        assert decide(query, [*held, other], NOW).findings == decide(query, held, NOW).findings
        assert released(query, [*held, other], of) == released(query, held, of)


@patient
@given(queries, sets, categories, things)
def test_a_narrower_request_never_gets_more(
    query: AccessQuery, held: list[Directive], fewer: frozenset[str], of: list[Item]
) -> None:
    narrower = replace(query, categories=query.categories & fewer)
    assert decide(narrower, held, NOW).categories == decide(query, held, NOW).categories & fewer
    assert released(narrower, held, of) <= released(query, held, of)


@patient
@given(queries, sets, things)
def test_who_is_less_known_never_gets_more(query: AccessQuery, held: list[Directive], of: list[Item]) -> None:
    for unknown in (
        replace(query, professional_id=None, treats=False),
        replace(query, establishment_category=None),
        replace(query, establishment_sector=None),
        replace(query, treats=False),
    ):
        assert released(unknown, held, of) <= released(query, held, of)


@patient
@given(queries, sets, things)
def test_an_item_said_to_be_more_sensitive_or_of_any_date_never_flows_more(
    query: AccessQuery, held: list[Directive], of: list[Item]
) -> None:
    worse = [replace(item, labels=item.labels | {"PSY"}) for item in of]
    undated = [replace(item, first=None, last=None) for item in of]
    assert released(query, held, worse) <= released(query, held, of)
    assert released(query, held, undated) <= released(query, held, of)


@patient
@given(queries, sets, things)
def test_nothing_sensitive_flows_unless_a_permission_names_it(
    query: AccessQuery, held: list[Directive], of: list[Item]
) -> None:
    named = {label for one in held if one.kind is Kind.PERMISSION for label in one.labels or ()}
    for place in released(query, held, of):
        assert of[place].labels & SENSITIVE <= named


@patient
@given(queries, sets, things)
def test_whatever_flows_is_of_a_permitted_category_of_that_holder(
    query: AccessQuery, held: list[Directive], of: list[Item]
) -> None:
    decision = decide(query, held, NOW)
    for place in released(query, held, of):
        assert of[place].category in decision.categories_at(of[place].source)


@patient
@given(queries, sets)
def test_every_finding_says_what_it_rests_on(query: AccessQuery, held: list[Directive]) -> None:
    by_id = {one.consent_id: one for one in held}
    for finding in decide(query, held, NOW).findings:
        if finding.permitted:
            assert finding.consent_id is not None
            assert by_id[finding.consent_id].kind is Kind.PERMISSION
            assert by_id[finding.consent_id].in_force(NOW)
            assert all(by_id[one].kind is Kind.OBJECTION for one in finding.over)
        elif finding.reason is Reason.OBJECTION:
            assert finding.consent_id in by_id


@patient
@given(directives(), directives())
def test_of_two_that_say_the_same_neither_is_more_specific(one: Directive, other: Directive) -> None:
    assert not outranks(one, replace(one, kind=Kind.OBJECTION))
    assert not (outranks(one, other) and outranks(other, one))


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
    within = [replace(one, categories=None, sources=None, data_from=None, data_until=None) for one in held]
    decision = decide(replace(query, professional_id=None), [*within, everything], NOW)
    assert not decision.permit
    assert decision.reason in {Reason.OBJECTION, Reason.NO_CONSENT}
