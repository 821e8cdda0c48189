"""What the order of arrival may change, and what it may not (docs/decisions/0009-life-of-an-identity.md)."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from uuid import UUID

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from matching.blocking import blocking_keys
from matching.cluster import Member
from matching.model import Model
from matching.normalise import Normalised, normalise
from matching.records import Demographics
from matching.score import score
from registry.identity.placement import place
from tests.concurrency.identity.test_race import SPELLINGS, variation

MODEL = Model.load()
DROPPED = st.sampled_from([{}, {"documents": ()}, {"maternal_surname": None}, {"sex": None}, {"given_names": "Rosa"}])


@st.composite
def records(draw: st.DrawFn) -> list[Normalised]:
    """Up to seven records of up to three people, some of them poor."""
    made: list[Demographics] = []
    for _ in range(draw(st.integers(2, 7))):
        facts = variation(draw(st.sampled_from(SPELLINGS)), draw(st.integers(41, 43)))
        made.append(replace(facts, **draw(DROPPED)) if draw(st.booleans()) else facts)
    return [normalise(facts) for facts in made]


def arrive(order: Sequence[int], found: Sequence[Normalised]) -> set[frozenset[int]]:
    """The persons there are once the records have arrived in that order, each from an establishment of its own."""
    persons: dict[UUID, list[int]] = {}
    for index in order:
        keys = blocking_keys(found[index])
        near = {
            key: [Member(found[one], establishment=str(one)) for one in members]
            for key, members in persons.items()
            if any(keys & blocking_keys(found[one]) for one in members)
        }
        placed = place(MODEL, Member(found[index], establishment=str(index)), near).person_id
        persons.setdefault(placed or UUID(int=index + 1), []).append(index)
    return {frozenset(members) for members in persons.values()}


def beyond_doubt(one: Normalised, other: Normalised) -> bool | None:
    """Whether two records are one person's; None where the engine would ask somebody."""
    compared, limits = score(MODEL, one, other), MODEL.thresholds
    if compared.weight_bits < limits.review:
        return False
    return True if compared.weight_bits >= limits.link and not compared.conflicts else None


@settings(max_examples=60, deadline=None)
@given(records(), st.randoms(use_true_random=False))
def test_where_no_two_records_are_in_doubt_the_order_changes_nothing(found: list[Normalised], dice: object) -> None:
    pairs = {(a, b): beyond_doubt(found[a], found[b]) for a, b in combinations(range(len(found)), 2)}
    assume(None not in pairs.values())
    alike = [{b for b in range(len(found)) if a == b or pairs[min(a, b), max(a, b)]} for a in range(len(found))]
    assume(all(alike[a] == alike[b] for (a, b), same in pairs.items() if same))
    expected = {frozenset(group) for group in alike}
    order = list(range(len(found)))
    for _ in range(4):
        dice.shuffle(order)  # type: ignore[attr-defined]
        assert arrive(order, found) == expected
