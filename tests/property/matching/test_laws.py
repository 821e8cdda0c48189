import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matching.batch import Linker, Pairs, block
from matching.blocking import blocking_keys
from matching.cluster import Member, resolve
from matching.compare import ASPECTS
from matching.documents import normalise_document
from matching.model import Model
from matching.normalise import Normalised, normalise
from matching.records import Demographics, Document
from matching.score import score, weigh
from matching.table import tabulate, weigh_pairs, weigh_strong
from tests.property.matching.strategies import demographics, documents

MODEL = Model.load()
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine breaks no law


@LAW
@given(demographics)
def test_normalising_twice_is_normalising_once(record: Demographics) -> None:
    once = normalise(record)
    assert normalise(once.demographics()) == once


@LAW
@given(documents)
def test_a_normalised_document_stays(document: Document) -> None:
    once = normalise_document(document)
    assert normalise_document(once) == once


@LAW
@given(demographics, demographics)
def test_score_is_symmetric(one: Demographics, other: Demographics) -> None:
    a, b = normalise(one), normalise(other)
    assert score(MODEL, a, b) == score(MODEL, b, a)


@LAW
@given(demographics, demographics)
def test_contributions_add_up_to_the_weight(one: Demographics, other: Demographics) -> None:
    a, b = normalise(one), normalise(other)
    result = score(MODEL, a, b)
    assert sum(part.weight for part in result.contributions) == pytest.approx(result.weight_bits, abs=1e-6)
    assert result.weight_bits == weigh(MODEL, a, b)
    assert 0 <= result.probability <= 1


@LAW
@given(demographics, demographics)
def test_an_aspect_reads_only_what_it_says(one: Demographics, other: Demographics) -> None:
    a, b = normalise(one), normalise(other)
    for aspect in ASPECTS:
        bare = [Normalised(**{name: getattr(record, name) for name in aspect.reads}) for record in (a, b)]
        assert aspect.outcomes(*bare) == aspect.outcomes(a, b) == aspect.outcomes(b, a)


@LAW
@given(demographics)
def test_keys_depend_on_the_normalised_record_only(record: Demographics) -> None:
    once = normalise(record)
    assert blocking_keys(once) == blocking_keys(normalise(once.demographics()))


@LAW
@given(demographics)
def test_nothing_is_more_like_a_record_than_itself(record: Demographics) -> None:
    clean = normalise(record)
    assert not any(part.level == "different" for part in score(MODEL, clean, clean).contributions)


@LAW
@given(st.lists(demographics, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_order_of_candidates_and_members_changes_nothing(records: list[Demographics], rng: random.Random) -> None:
    arrival, *others = (normalise(record) for record in records)
    people = {str(i): [Member(other), Member(arrival)] for i, other in enumerate(others)}
    shuffled = list(people.items())
    rng.shuffle(shuffled)
    turned = {key: members[::-1] for key, members in shuffled}
    assert resolve(MODEL, arrival, people) == resolve(MODEL, arrival, turned)


@LAW
@given(st.lists(demographics, min_size=2, max_size=6))
def test_columns_keep_all_that_is_compared(records: list[Demographics]) -> None:
    clean = [normalise(record) for record in records]
    table = tabulate(clean)
    one, other = np.triu_indices(len(clean), 1)
    expected = [weigh(MODEL, clean[i], clean[j]) for i, j in zip(one, other, strict=True)]
    assert weigh_pairs(MODEL, table, one, other) == pytest.approx(expected, abs=1e-9)
    assert [weigh(MODEL, table.record(i), table.record(j)) for i, j in zip(one, other, strict=True)] == expected


@LAW
@given(st.lists(demographics, min_size=2, max_size=6), st.integers(-20, 20))
def test_a_pair_left_out_of_the_strong_ones_weighs_less(records: list[Demographics], least: int) -> None:
    table = tabulate(normalise(record) for record in records)
    one, other = np.triu_indices(len(records), 1)
    weights = weigh_pairs(MODEL, table, one, other)
    kept, found = weigh_strong(MODEL, table, one, other, least)
    assert found == pytest.approx(weights[kept], abs=1e-9)
    assert set(np.flatnonzero(weights >= least)) <= set(kept)


@LAW
@given(st.lists(demographics, min_size=2, max_size=6))
def test_pairs_are_those_that_share_a_key(records: list[Demographics]) -> None:
    clean = [normalise(record) for record in records]
    pairs = block(tabulate(clean))
    keys = [blocking_keys(record) for record in clean]
    expected = [(i, j) for i in range(len(clean)) for j in range(i + 1, len(clean)) if keys[i] & keys[j]]
    assert list(zip(pairs.one, pairs.other, strict=True)) == expected


@settings(LAW, max_examples=50)
@given(st.lists(demographics, min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_order_of_pairs_changes_nothing(records: list[Demographics], rng: random.Random) -> None:
    table = tabulate(normalise(record) for record in records)
    pairs = block(table)
    turned = rng.sample(range(len(pairs)), len(pairs))
    shuffled = Pairs(pairs.one[turned], pairs.other[turned])
    assert Linker(MODEL, table).link(pairs) == Linker(MODEL, table).link(shuffled)
