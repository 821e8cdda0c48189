"""What the steward's pages are made of, without a page."""

from hypothesis import given
from hypothesis import strategies as st

from matching.levels import FIELDS, LEVELS
from portal.dates import bits, parse_minute, percent
from portal.steward import words
from portal.steward.differences import mark_differences
from portal.steward.present import weights
from registry.identity.contests import REASONS as CLAIMS
from registry.identity.decisions import REASONS
from registry.identity.stewardship import COMPARED, FieldComparison


@given(st.text(max_size=30), st.text(max_size=30))
def test_pieces_put_together_are_what_was_given(one: str, other: str) -> None:
    mine, theirs = mark_differences(one, other)
    assert "".join(piece.text for piece in mine) == one
    assert "".join(piece.text for piece in theirs) == other
    assert all(piece.text for piece in (*mine, *theirs))


def test_what_differs_is_marked_and_case_and_accents_do_not() -> None:
    mine, theirs = mark_differences("HUAMAN", "Guamán")
    assert [(piece.text, piece.differs) for piece in mine] == [("H", True), ("UAMAN", False)]
    assert [(piece.text, piece.differs) for piece in theirs] == [("G", True), ("uamán", False)]


def test_nothing_in_common_is_marked_nowhere() -> None:
    assert not any(piece.differs for side in mark_differences("ABC", "XYZ") for piece in side)
    assert mark_differences("", "XYZ")[0] == []


def test_every_code_has_its_words() -> None:
    assert set(words.GROUNDS) == REASONS
    assert set(words.CLAIMS) == CLAIMS
    assert set(words.FIELDS) == set(COMPARED)
    assert set(FIELDS) <= set(words.EVIDENCE)
    assert {level for levels in LEVELS.values() for level in levels} <= set(words.LEVELS)


def test_bars_stay_inside_their_frame() -> None:
    shown = weights([FieldComparison("given", "same", "same", bits) for bits in (40.0, -40.0, 3.0, 0.0)])
    assert [(one.start, one.length) for one in shown] == [(50, 50), (0, 50), (50, 3.75)]


def test_numbers_as_peru_writes_them() -> None:
    assert (bits(9.44), bits(-25.0)) == ("+9.4", "−25.0")
    assert (percent(0.888), percent(1.0), percent(0.0)) == ("88.8 %", "99.9 %", "0.1 %")


def test_a_moment_is_read_in_lima_and_garbage_is_none() -> None:
    read = parse_minute("2026-03-05", "14:05")
    assert read is not None
    assert read.isoformat() == "2026-03-05T14:05:00-05:00"
    assert parse_minute("2026-03-05", "") is not None
    assert [
        parse_minute(*typed)
        for typed in (("", "10:00"), ("ayer", ""), ("2026-03-05", "25:99"), ("2026-03-05", "10:00+02:00"))
    ] == [None] * 4
