"""Benchmarks by others, as floors that a change may not fall through."""

from pathlib import Path

import pytest

from benchmarks.linkage import agreement, cdc, ecm, febrl
from benchmarks.linkage.run import load, load_truth
from matching.batch import Linker
from matching.evaluate import Evaluation, evaluate
from matching.model import Model
from tests.external import EXTERNAL

CDC_OWN = 0.814
"""What CDC's RecordLinker reaches on its own test when probes are never matched with probes."""


def check_floors(result: Evaluation) -> None:
    assert result.pairwise.f1.value >= 0.998
    assert result.over_merged <= 1


@pytest.mark.parametrize("number", [2, 3, 4])
def test_febrl(number: int) -> None:
    check_floors(febrl.measure(number))


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


def test_febrl_1_where_no_reference_does_better_on_the_same_pairs() -> None:
    rows = febrl.load(1)
    model, table, pairs = febrl.learn(rows)
    truth = [febrl.person_of(row) for row in rows]
    reference = ecm.ecm(model, table, pairs, truth)[2]
    ours = evaluate(Linker(model, table).link(pairs), truth)
    check_floors(ours)
    assert 0.98 <= reference <= ours.pairwise.f1.value


def test_one_by_one_and_all_at_once_differ_by_what_waits_for_a_steward(benchmark: Path) -> None:
    members = load(benchmark)
    found = agreement.compare(members, load_truth(benchmark), Model.load().for_population(len(members)))
    assert found.f1 > 0.9
    assert found.online_alone.total() <= found.both // 100
    seemed_new = sum(count for (why, _), count in found.batch_alone.items() if why != agreement.WAITS)
    assert seemed_new <= found.both // 50
