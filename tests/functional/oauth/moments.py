"""Moments of a test's parameters: relative when collected, absolute when the test runs."""

import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class After:
    """So many seconds after (before, when negative) the moment the test runs; whole ones stay whole."""

    seconds: float

    def resolve(self) -> float:
        now = int(time.time())
        return now + (int(self.seconds) if self.seconds == int(self.seconds) else self.seconds)


def resolve(changes: dict[str, Any]) -> dict[str, Any]:
    """The changes with every moment made absolute."""
    return {name: value.resolve() if isinstance(value, After) else value for name, value in changes.items()}
