"""A session: the played registry is served, the candidate is asked line by line, and a report is made of it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from joserfc.jwk import KeySet
from werkzeug.serving import WSGIRequestHandler, make_server

from conformance.bench import Act, Bench, Plan
from conformance.catalogue import SECTIONS
from conformance.gateway import Gateway
from conformance.lines import Result
from conformance.registry.app import create_app
from conformance.registry.state import State
from conformance.report import Report
from conformance.sections import judge
from conformance.trust import trust


class _Quiet(WSGIRequestHandler):
    """Keeps connections open and writes no line per request: a line would hold a patient's number."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


@contextmanager
def playing(state: State, host: str, port: int) -> Iterator[None]:
    """Serve the registry while the session lasts; raises OSError where the address is taken."""
    server = make_server(host, port, create_app(state), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def new_state(plan: Plan, issuer: str, client_id: str, client_keys: KeySet) -> State:
    """A registry that knows one client and nobody else."""
    return State(url=issuer, audience=plan.base, client_id=client_id, client_keys=client_keys)


def count_lines(plan: Plan) -> int:
    """How many lines a session of that plan has."""
    return sum(len(section.checks) for section in SECTIONS if section.part in plan.parts)


def run(plan: Plan, state: State, act: Act, tell: Callable[[Result], None]) -> Report:
    """Try every line of the plan's parts against the candidate; `tell` hears each result as it comes.

    The registry of `state` must be served already. Whatever the candidate does, a report comes of it.
    """
    started = datetime.now(UTC)
    gateway = Gateway(plan.base, trust(plan.ca))
    bench = Bench(plan, state, gateway, act)
    results: list[Result] = []
    try:
        for section in SECTIONS:
            if section.part in plan.parts:
                for line, check in section.checks:
                    results.append(judge(section, line, check, bench))
                    tell(results[-1])
    finally:
        gateway.close()
    return Report(
        client_id=state.client_id,
        fhir_base=plan.base,
        software=bench.software,
        parts=tuple(sorted(plan.parts)),
        started_at=started,
        finished_at=datetime.now(UTC),
        latencies=dict(bench.latencies),
        results=tuple(results),
    )
