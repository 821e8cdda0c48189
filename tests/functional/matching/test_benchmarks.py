"""Benchmarks by others, as floors that a change may not fall through."""

import os
from pathlib import Path

import pytest

from benchmarks.linkage import cdc, febrl

EXTERNAL = Path(os.environ.get("RENHICE_EXTERNAL_TESTS", Path(__file__).parents[4] / "shared" / "external"))
CDC_OWN = 0.814
"""What CDC's RecordLinker reaches on its own test when probes are never matched with probes."""


@pytest.mark.parametrize("number", list(febrl.FILES))
def test_febrl(number: int) -> None:
    result = febrl.measure(number)
    assert result.pairwise.f1.value >= 0.998
    assert result.over_merged <= 1


@pytest.mark.skipif(
    not (EXTERNAL / "cdc-recordlinker").is_dir(), reason="CDC's files are not here: name them in RENHICE_EXTERNAL_TESTS"
)
def test_cdc() -> None:
    outcome = cdc.measure(EXTERNAL / "cdc-recordlinker")
    assert sum(outcome.counts.values()) == 234
    assert sum(count for (expected, _), count in outcome.counts.items() if expected == "possible_match") == 26
    assert outcome.f1 > CDC_OWN
    assert outcome.f1_settled > CDC_OWN
    assert outcome.astray == 0
