"""What a check of the environment saw, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "broken"]


@dataclass(frozen=True)
class Finding:
    """What one check saw; `mend` says what to do when it is not well."""

    subject: str
    verdict: Verdict
    seen: str
    mend: str = ""


def judge(subject: str, seen: str, *, fine: bool, mend: str) -> Finding:
    """`ok`, or `broken` with what to do."""
    return Finding(subject, "ok", seen) if fine else Finding(subject, "broken", seen, mend)
