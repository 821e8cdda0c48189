"""How far records resolved one by one and all at once agree: `python -m benchmarks.linkage.agreement --data DIR`.

One by one, a record in doubt waits for a steward as a person of its own, and what is linked stays; all at once, every
record is seen before anything is decided. Each pair that one of them links and the other doesn't is put down to its
cause.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from benchmarks.linkage.online import Index
from benchmarks.linkage.run import RECORDS_PER_PERSON, load, load_truth
from matching.batch import Linker, block
from matching.cluster import Member
from matching.model import Model
from matching.table import tabulate

Pair = tuple[int, int]
WAITS = "waits for a steward"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Pairs linked by both, and by one alone: how many of each, by cause and by whether they are right."""

    both: int
    online_alone: Counter[tuple[str, bool]]
    batch_alone: Counter[tuple[str, bool]]

    @property
    def f1(self) -> float:
        """Of either against the other."""
        alone = self.online_alone.total() + self.batch_alone.total()
        return 2 * self.both / max(2 * self.both + alone, 1)


def compare(members: Sequence[Member], truth: Sequence[Hashable], model: Model) -> Agreement:
    """Resolve the same records both ways, with one model."""
    index, labels, kinds = Index(model), [], []
    for number, member in enumerate(members):
        person, decision = index.register(member, number)
        labels.append(person)
        kinds.append(decision.kind)
    table = tabulate(member.normalised for member in members)
    online, batch = set(linked(labels)), set(linked(Linker(model, table).link(block(table))))
    return Agreement(
        both=len(online & batch),
        online_alone=Counter(("linked for good before more was known", right(pair, truth)) for pair in online - batch),
        batch_alone=Counter((cause(pair, kinds), right(pair, truth)) for pair in batch - online),
    )


def linked(labels: Sequence[Hashable]) -> Iterator[Pair]:
    """Pairs of records with one label."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for number, label in enumerate(labels):
        groups[label].append(number)
    for group in groups.values():
        yield from combinations(group, 2)


def cause(pair: Pair, kinds: Sequence[str]) -> str:
    """Why records were not linked when they came one by one."""
    if any(kinds[number] == "review" for number in pair):
        return WAITS
    return "seemed new when it came"


def right(pair: Pair, truth: Sequence[Hashable]) -> bool:
    """Whether the two are one person."""
    return truth[pair[0]] == truth[pair[1]]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    members = load(options.data)
    model = Model.load(options.model).for_population(len(members) / RECORDS_PER_PERSON)
    found = compare(members, load_truth(options.data), model)
    print(f"linked by both {found.both}; F1 of either against the other {found.f1:.5f}")
    for side, causes in (("one by one only", found.online_alone), ("all at once only", found.batch_alone)):
        for (why, is_right), count in sorted(causes.items()):
            print(f"{side:<18}{why:<40}{'right' if is_right else 'wrong':<7}{count:>7}")


if __name__ == "__main__":
    main()
