"""Judging an answer that should have been a refusal."""

from collections.abc import Collection

from conformance.gateway import Answer
from conformance.lines import Finding, broken, doubtful, held

REFUSED = frozenset({400, 401, 403, 404, 405, 406, 415, 422})


def refused(answer: Answer, expected: Collection[int] = frozenset({401})) -> Finding:
    """Held for an expected status, doubtful for another refusal, broken for anything else."""
    if answer.status in expected:
        return held(str(answer))
    if answer.status in REFUSED:
        return doubtful(f"{answer}; se esperaba {' o '.join(map(str, sorted(expected)))}")
    if answer.status >= 500 or not answer.status:
        return broken(f"{answer}: falla en vez de negar")
    return broken(f"{answer}: atendido")


def yields_nothing(answer: Answer, expected: Collection[int] = REFUSED) -> Finding:
    """Held when it is refused or finds nothing."""
    if answer.status == 200 and not answer.resources:
        return held(str(answer))
    return refused(answer, expected)
