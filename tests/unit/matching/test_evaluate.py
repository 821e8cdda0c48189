import pytest

from matching.evaluate import evaluate, pairs_completeness


def test_a_perfect_linkage() -> None:
    result = evaluate([1, 1, 2], ["a", "a", "b"])
    assert result.pairwise.f1.value == result.b_cubed.f1.value == 1
    assert (result.over_merged, result.split) == (0, 0)


def test_a_linkage_counted_by_hand() -> None:
    # persons {0,1,2} {3,4}; clusters {0,1} {2,3} {4}
    result = evaluate([1, 1, 2, 2, 3], ["a", "a", "a", "b", "b"])
    assert result.pairwise.precision.value == pytest.approx(1 / 2)
    assert result.pairwise.recall.value == pytest.approx(1 / 4)
    assert result.b_cubed.precision.value == pytest.approx((1 + 1 + 0.5 + 0.5 + 1) / 5)
    assert result.b_cubed.recall.value == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 / 2 + 1 / 2) / 5)
    assert (result.clusters, result.over_merged, result.split) == (3, 1, 2)


def test_intervals_hold_the_value() -> None:
    truth = [i // 2 for i in range(200)]
    predicted = [i // 2 if i % 10 else 1000 + i for i in range(200)]
    recall = evaluate(predicted, truth).pairwise.recall
    assert recall.low < recall.value < recall.high


@pytest.mark.parametrize(("predicted", "truth"), [([], []), ([1], [1, 2])])
def test_unequal_or_empty_labels_are_refused(predicted: list[int], truth: list[int]) -> None:
    with pytest.raises(ValueError, match="one predicted and one true label"):
        evaluate(predicted, truth)


def test_pairs_completeness() -> None:
    assert pairs_completeness([0, 3], [1, 4], ["a", "a", "a", "b", "b"]) == pytest.approx(2 / 4)
    assert pairs_completeness([], [], ["a", "b"]) == 1.0
