"""A threshold keeps to the rate of false links asked for, and says how sure it is."""

import numpy as np
import pytest

from matching.thresholds import link_threshold

WEIGHTS = np.concatenate([np.full(3000, 20.0), np.linspace(-10, 20, 3000)])


def test_a_stricter_rate_asks_for_more_bits() -> None:
    loose, strict = (link_threshold(WEIGHTS, target) for target in (0.02, 0.001))
    assert loose.bits < strict.bits
    for found, target in ((loose, 0.02), (strict, 0.001)):
        assert found.low <= found.rate <= found.high <= target
        assert found.pairs == int((found.bits <= WEIGHTS).sum())


def test_the_rate_is_kept_by_links_that_are_as_true_as_their_weights_say() -> None:
    rng = np.random.default_rng(5)
    found = link_threshold(WEIGHTS, 0.005)
    linked = WEIGHTS[found.bits <= WEIGHTS]
    false = rng.random((500, len(linked))) < 1 / (1 + np.exp2(linked))
    assert np.quantile(false.mean(axis=1), 0.9) <= 0.005


def test_few_pairs_promise_nothing_but_what_they_show() -> None:
    for weights, target in ((np.array([]), 0.01), (np.full(20, -3.0), 0.01), (WEIGHTS, 0.0), (WEIGHTS, 1.0)):
        with pytest.raises(ValueError, match="false links"):
            link_threshold(weights, target)
