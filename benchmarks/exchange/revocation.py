"""How long a revocation takes to be felt: `python -m benchmarks.exchange.revocation [--rounds 30]`.

Needs a running system (`./renhice up --detach`). Each round a patient permits, a holder and a reader use what was
issued, and the patient takes it back at a random moment. Measured from the start of the revocation's commit until (a)
introspection says no, (b) the gateway refuses, (c) the pushed event arrives, (d) the status list shows it.
"""

import argparse
import json
import random
import statistics
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import Empty

import httpx

from benchmarks.exchange.client import Introspector, Reader
from benchmarks.exchange.holders import Holder, served
from benchmarks.exchange.world import Permitted, World, permit, revoke, running_world
from consent_broker.resource_server.jwks import IssuerKeys
from consent_broker.resource_server.revocations import StatusLists

LONGEST = 30.0
BOUNDS = {"introspection": 0.0, "gateway": 0.0, "pushed event": 4.0, "status list": 2.5}
"""Seconds by decision 15: the first two from the next call on, an event after two turns, a list after one and work."""


@dataclass
class Watch:
    """When each road first said no, and how often one said yes to a call begun after the commit had returned."""

    denied: dict[str, float] = field(default_factory=dict)
    late: int = 0
    committed: float = float("inf")

    def poll(self, name: str, permits: Callable[[], bool], pause: float) -> None:
        """Ask until the answer is no."""
        until = time.perf_counter() + LONGEST
        while (begun := time.perf_counter()) < until:
            if not permits():
                self.denied[name] = time.perf_counter()
                return
            self.late += begun > self.committed and name in {"introspection", "gateway"}
            time.sleep(pause)


def play(world: World, holder: Holder, reader: Reader) -> tuple[dict[str, float], int]:
    """One round; seconds from the start of the commit for each road, and the late permits."""
    given, watch = permit(world, reader.thumbprint), Watch()
    threads = [threading.Thread(target=one, daemon=True) for one in _roads(world, holder, reader, given, watch)]
    for one in threads:
        one.start()
    time.sleep(0.3 + random.uniform(0, 2))
    with world.app.app_context():
        work = world.parts.database.begin()
        revoke(work.session, world, given.consent_id)
        work.session.flush()
        begun = time.perf_counter()
        work.commit()
        watch.committed = time.perf_counter()
        work.close()
    for one in threads:
        one.join(LONGEST)
    return {name: moment - begun for name, moment in watch.denied.items()}, watch.late


def _roads(
    world: World, holder: Holder, reader: Reader, given: Permitted, watch: Watch
) -> Sequence[Callable[[], None]]:
    base = world.parts.settings.base_url
    introspector = Introspector(base, world.clients[0], world.key)
    path = f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}"
    claims = json.loads(_body(given.holder_token))
    client = httpx.Client(timeout=10)

    def listed() -> bool:
        """A list of this moment: what a holder keeps for five seconds is its own."""
        return not StatusLists(client, IssuerKeys(client, f"{base}/oauth/jwks"), base).revoked(claims)

    def pushed() -> None:
        until = time.perf_counter() + LONGEST
        while time.perf_counter() < until:
            try:
                arrived, event = holder.events.get(timeout=1)
            except Empty:
                continue
            if str(claims["jti"]) in _body(event):
                watch.denied["pushed event"] = arrived
                return

    return [
        lambda: watch.poll("introspection", lambda: introspector.is_active(given.holder_token), 0.005),
        lambda: watch.poll("gateway", lambda: reader.get(path, given.gateway_token)[0] == 200, 0.005),
        lambda: watch.poll("status list", listed, 0.05),
        pushed,
    ]


def _body(token: str) -> str:
    """What a token says, unverified: both ends are ours."""
    payload = token.split(".")[1]
    return urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()


def show(rounds: Sequence[dict[str, float]], late: int) -> None:
    """The table, and whether the bounds held."""
    print(f"{'from the commit until':<24}{'n':>4}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}   bound")
    for name, bound in BOUNDS.items():
        found = sorted(1000 * one[name] for one in rounds if name in one)
        marks = statistics.quantiles(found, n=20, method="inclusive")
        met = "met" if not bound or found[-1] <= 1000 * bound else "MISSED"
        said = f"{1000 * bound:.0f} ms: {met}" if bound else "the next call"
        print(f"{name:<24}{len(found):>4}{marks[9]:>9.0f}{marks[18]:>9.0f}{found[-1]:>9.0f}   {said}")
    print(f"\npermitted although the call began after the commit: {late}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    with ExitStack() as stack:
        holder = stack.enter_context(served(Holder(0.0)))
        world = stack.enter_context(running_world([holder]))
        reader = Reader(world.parts.settings.base_url)
        played = [play(world, holder, reader) for _ in range(options.rounds)]
    show([times for times, _ in played], sum(late for _, late in played))


if __name__ == "__main__":
    main()
