"""Resolve a benchmark record by record, as a registry does: `python -m benchmarks.linkage.online --data DIR`.

What goes to review stays a person of its own (the steward has not come yet); the report also says how often the
reviewed candidate was right.
"""

import argparse
import time
from collections import Counter, defaultdict
from pathlib import Path

from benchmarks.linkage.report import show
from benchmarks.linkage.run import load, load_truth
from matching.blocking import ENOUGH, MORE, blocking_keys, document_keys, worth
from matching.cluster import Member, Resolution, likely, resolve
from matching.evaluate import evaluate
from matching.model import Model


class Index:
    """Persons and the blocking keys of their records, in memory."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.persons: dict[int, list[Member]] = {}
        self.members: dict[int, Member] = {}
        self.person_of: dict[int, int] = {}
        self.by_key: dict[str, list[int]] = defaultdict(list)

    def register(self, member: Member, number: int) -> tuple[int, Resolution[int]]:
        """Resolve one record and store it; the person it went to, and the decision."""
        keys = blocking_keys(member.normalised)
        documents = document_keys(member.normalised)
        shared: Counter[int] = Counter()
        for key in keys:
            shared.update(dict.fromkeys(self.by_key[key], MORE if key in documents else worth(key)))
        first = {one: self.members[one].normalised for one, count in shared.items() if count >= MORE}
        rest = {one: self.members[one].normalised for one, count in shared.items() if count == ENOUGH}
        found = likely(self.model, member.normalised, first, lambda: rest)
        candidates = {person: self.persons[person] for person in {self.person_of[record] for record in found}}
        decision = resolve(self.model, member.normalised, candidates, establishment=member.establishment)
        person = decision.key if decision.kind == "link" and decision.key is not None else number
        self.persons.setdefault(person, []).append(member)
        self.members[number] = member
        self.person_of[number] = person
        for key in keys:
            self.by_key[key].append(number)
        return person, decision


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    index, truth = Index(Model.load(options.model)), load_truth(options.data)
    members = load(options.data)
    labels: list[int] = []
    outcomes: Counter[tuple[str, str, bool]] = Counter()
    started = time.perf_counter()
    for number, member in enumerate(members):
        person, decision = index.register(member, number)
        right = decision.key is not None and truth[decision.key] == truth[number]
        outcomes[decision.kind, decision.reason, right] += 1
        labels.append(person)
    spent = time.perf_counter() - started
    for (kind, reason, right), count in sorted(outcomes.items()):
        print(f"{kind:<8}{reason:<24}{'right person' if right else 'other or none':<16}{count:>7}")
    print(f"{1e6 * spent / len(members):.0f} µs a record, keys and decision")
    show(evaluate(labels, truth))


if __name__ == "__main__":
    main()
