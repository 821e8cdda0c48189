"""How many lines are registered at once: as many as take a moment, since nobody else registers meanwhile."""

from dataclasses import dataclass, field

FIRST, LEAST = 50, 10
MOMENT = 1.0
"""Seconds; a fifth of what an online registration waits before it is refused (`RENHICE_LOCK_TIMEOUT_MS`)."""


@dataclass(slots=True)
class Pace:
    """Begins small, since some chunks are prepared ahead before it is known what one takes."""

    most: int
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = min(FIRST, self.most)

    def learn(self, lines: int, seconds: float) -> None:
        """So many lines took so long."""
        fitting = int(max(lines, 1) * MOMENT / max(seconds, 0.001))
        self.size = min(max(fitting, LEAST), self.most)
