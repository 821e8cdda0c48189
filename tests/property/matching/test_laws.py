import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matching.batch import Linker, block
from matching.blocking import blocking_keys
from matching.cluster import Member, resolve
from matching.compare import ASPECTS
from matching.documents import normalise_document
from matching.model import Model
from matching.normalise import Normalised, normalise
from matching.records import Demographics, Document
from matching.score import score, weigh
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


@settings(LAW, max_examples=50)
@given(st.lists(demographics, min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_order_of_pairs_changes_nothing(records: list[Demographics], rng: random.Random) -> None:
    members = [Member(normalise(record)) for record in records]
    pairs = sorted(block([member.normalised for member in members]).pairs)
    turned = rng.sample(pairs, len(pairs))
    assert Linker(MODEL, members).link(pairs) == Linker(MODEL, members).link(turned)
