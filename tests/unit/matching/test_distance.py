"""The distance that decides what one slip is, against another library's."""

import jellyfish
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA, DamerauLevenshtein

WORDS = st.text(alphabet="ABCÑÉ 01", max_size=12)


@given(WORDS, WORDS)
def test_one_slip_is_one_slip_by_any_library(one: str, other: str) -> None:
    assert DamerauLevenshtein.distance(one, other) == jellyfish.damerau_levenshtein_distance(one, other)
    assert OSA.distance(one, other) >= DamerauLevenshtein.distance(one, other)
