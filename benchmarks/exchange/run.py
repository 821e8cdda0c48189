"""What the gateway adds to the slowest holder: `python -m benchmarks.exchange.run [--count 300] [--holders 3]`.

Needs a running system (`./renhice up --detach`). One reader asks one question at a time; each holder says how long it
took, so that the rest of the wall time is the gateway's: decision, tokens, audit, connections, its own answer.
"""

import argparse
import statistics
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.exchange.client import Reader
from benchmarks.exchange.holders import Holder, served
from benchmarks.exchange.world import World, permit, processor_seconds, running_world, server_processes

DELAYS = (0.0, 0.02, 0.1)
GOAL_MS = 10.0
WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """Milliseconds: the whole answer, the slowest holder's share of it, and the rest; processor time a reading."""

    whole: list[float]
    slowest: list[float]
    added: list[float]
    cpu: float
    connections: int


def measure(world: World, reader: Reader, holders: list[Holder], count: int) -> Outcome:
    """One question after the other."""
    path = f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}"
    token = permit(world, reader.thumbprint).gateway_token
    for _ in range(WARM_UP):
        reader.get(path, token)
    whole, slowest = list[float](), list[float]()
    processes, opened = server_processes(world), sum(one.connections for one in holders)
    spent = processor_seconds(processes)
    for _ in range(count):
        for holder in holders:
            holder.took.clear()
        proof = reader.proof(path, token)
        status, took = reader.get(path, token, proof)
        if status != 200 or not all(len(holder.took) == 1 for holder in holders):
            raise SystemExit(f"status {status}: not every holder was asked once")
        whole.append(1000 * took)
        slowest.append(1000 * max(holder.took[0] for holder in holders))
    spent = processor_seconds(processes) - spent
    opened = sum(one.connections for one in holders) - opened
    added = [all_of - part for all_of, part in zip(whole, slowest, strict=True)]
    return Outcome(whole, slowest, added, 1000 * spent / count, opened)


def show(holders: int, delay: float, found: Outcome) -> float:
    """One row; returns the added median."""
    marks = statistics.quantiles(found.added, n=20)
    middle = [statistics.median(one) for one in (found.whole, found.slowest)]
    print(
        f"{holders:>7}{1000 * delay:>9.0f}{middle[0]:>12.1f}{middle[1]:>14.1f}{marks[9]:>11.1f}{marks[18]:>11.1f}"
        f"{found.cpu:>10.1f}{found.connections:>13}",
        flush=True,
    )
    return marks[9]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--holders", type=int, default=3)
    options = parser.parse_args()
    with ExitStack() as stack:
        holders = [stack.enter_context(served(Holder(0.0))) for _ in range(options.holders)]
        world = stack.enter_context(running_world(holders))
        reader = Reader(world.parts.settings.base_url)
        print(f"{'holders':>7}{'delay ms':>9}{'whole p50':>12}{'slowest p50':>14}{'added p50':>11}{'added p95':>11}"
              f"{'CPU ms':>10}{'connections':>13}")  # fmt: skip
        added = []
        for delay in DELAYS:
            holders[0].delay = delay
            added.append(show(len(holders), delay, measure(world, reader, holders, options.count)))
    met = "met" if max(added) <= GOAL_MS else "MISSED"
    print(f"\nadded to the slowest holder: {max(added):.1f} ms at most; the goal is {GOAL_MS:.0f} ms: {met}")


if __name__ == "__main__":
    main()
