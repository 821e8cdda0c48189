"""Laws of judging groups of records."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matching.cluster import Member, resolve
from matching.groups import divide, gather, tie_between
from matching.model import Model
from matching.normalise import normalise
from matching.records import Demographics
from tests.property.matching.strategies import demographics

MODEL = Model.load()
LAW = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
members = st.builds(
    lambda facts, verified, place: Member(normalise(facts), verified, place),
    demographics,
    st.booleans(),
    st.sampled_from(["", "00000001", "00000002"]),
)
groups = st.lists(st.lists(members, min_size=1, max_size=3), min_size=2, max_size=5)


@LAW
@given(members, members)
def test_a_record_and_a_person_of_one_are_judged_as_registration_does(one: Member, other: Member) -> None:
    placed = resolve(MODEL, one.normalised, {"other": [other]}, establishment=one.establishment, verified=one.verified)
    found = gather(MODEL, "one", {"one": [one], "other": [other]}, lambda _one, _other: False)
    assert (placed.kind == "link") == (found.joined == ("other",))
    assert (placed.kind == "review") == (found.doubt is not None)
    if found.doubt:
        assert found.doubt == placed.reason


@LAW
@given(groups, st.randoms(use_true_random=False))
def test_the_order_of_groups_and_members_changes_nothing(drawn: list[list[Member]], chance: random.Random) -> None:
    named = {str(number): group for number, group in enumerate(drawn)}
    shuffled = {key: chance.sample(group, len(group)) for key, group in chance.sample(list(named.items()), len(named))}
    before = gather(MODEL, "0", named, lambda _one, _other: False)
    after = gather(MODEL, "0", shuffled, lambda _one, _other: False)
    assert (before.joined, before.rivals, before.doubt) == (after.joined, after.rivals, after.doubt)


@LAW
@given(groups)
def test_nobody_is_joined_whom_the_state_knows_as_another(drawn: list[list[Member]]) -> None:
    named = {str(number): group for number, group in enumerate(drawn)}
    found = gather(MODEL, "0", named, lambda _one, _other: False)
    together = ["0", *found.joined]
    ties = [tie_between(MODEL, named[one], named[other]) for one in together for other in together if one < other]
    assert not any(tie.excluded for tie in ties)


@LAW
@given(groups)
def test_dividing_leaves_nobody_out_and_puts_nobody_twice(drawn: list[list[Member]]) -> None:
    parts = divide(MODEL, drawn)
    assert sorted(index for part in parts for index in part) == list(range(len(drawn)))
    assert all(parts)


@LAW
@given(demographics)
def test_a_record_beside_itself_is_not_divided_where_it_says_anything(facts: Demographics) -> None:
    one = Member(normalise(facts))
    tie = tie_between(MODEL, [one], [one])
    together = divide(MODEL, [[one], [one]]) == [[0, 1]]
    assert together == (tie.bits >= max(MODEL.thresholds.pair, MODEL.thresholds.consistency))
