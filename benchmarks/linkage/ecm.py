"""recordlinkage's ECM classifier as a reference: `python -m benchmarks.linkage.ecm --febrl 3` or `--data DIR`.

Both learn without labels from the same pairs and the same comparisons. ECM sees of each field whether it agrees, and
judges pair by pair; ours sees the level of agreement, how common the name is and who could be a relative, and makes
persons of the pairs.
"""

import argparse
import warnings
from collections.abc import Hashable, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.linkage import febrl
from benchmarks.linkage.report import show
from benchmarks.linkage.run import load, load_truth
from matching.batch import Linker, Pairs, block
from matching.evaluate import evaluate
from matching.levels import FIELDS, LEVELS
from matching.model import Model
from matching.table import Table, compare_pairs, tabulate
from matching.train import train

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it imports has deprecations of its own
    from recordlinkage import ECMClassifier

AGREED = frozenset({
    "same", "other_type", "phonetic", "typo", "slip", "joined", "reordered", "variant", "same_partial", "swapped",
    "similar", "district",
})  # fmt: skip
"""What a careful user of a yes-or-no classifier would call agreement; wider or narrower it does worse on FEBRL."""
SEEN = [name for name in FIELDS if name != "surname_order"]
"""Surnames are in order in nearly every pair: that column drowns the others."""


def agreements(model: Model, table: Table, pairs: Pairs) -> pd.DataFrame:
    """One row a pair, one column a field: 1 where it agrees."""
    levels = pd.DataFrame(compare_pairs(model, table, pairs.one, pairs.other).levels, columns=list(FIELDS))
    agree = {
        name: levels[name].isin([place for place, level in enumerate(LEVELS[name], 1) if level in AGREED])
        for name in SEEN
    }
    index = pd.MultiIndex.from_arrays([pairs.one, pairs.other])
    seen = pd.DataFrame(agree).astype(int).set_index(index)
    return seen.loc[:, seen.nunique() > 1]


def pairwise(linked: "pd.MultiIndex[int]", truth: Sequence[Hashable]) -> tuple[float, float, float]:
    """Precision, recall and F1 of the linked pairs."""
    right = sum(truth[one] == truth[other] for one, other in linked)
    sizes = pd.Series(truth).value_counts()
    true_pairs = int((sizes * (sizes - 1) // 2).sum())
    precision, recall = right / max(len(linked), 1), right / max(true_pairs, 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def ecm(model: Model, table: Table, pairs: Pairs, truth: Sequence[Hashable]) -> tuple[float, float, float]:
    """Precision, recall and F1 of the pairs ECM calls matches, learnt from these pairs alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pairwise(ECMClassifier().fit_predict(agreements(model, table, pairs)), truth)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--febrl", type=int, choices=febrl.FILES)
    data.add_argument("--data", type=Path)
    options = parser.parse_args()
    if options.febrl:
        rows = febrl.load(options.febrl)
        model, table, pairs = febrl.learn(rows)
        truth = [febrl.person_of(row) for row in rows]
    else:
        table = tabulate(member.normalised for member in load(options.data))
        truth, pairs, model = load_truth(options.data), block(table), Model.load(None)
        model = Model.from_document(train(model.for_population(table.size), table, pairs.one, pairs.other))
    print("recordlinkage ECM  P {:.5f}  R {:.5f}  F1 {:.5f}".format(*ecm(model, table, pairs, truth)))
    print("ours")
    show(evaluate(Linker(model, table).link(pairs), truth))


if __name__ == "__main__":
    main()
