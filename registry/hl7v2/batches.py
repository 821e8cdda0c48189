"""Batches (HL7 v2.5 §2.10.3): FHS and BHS before messages, BTS and FTS behind them; answered with a batch."""

import re
from collections.abc import Sequence

from registry.hl7v2.answers import SENDER, moment
from registry.hl7v2.faults import SEGMENT_SEQUENCE, Rejected

MOST_MESSAGES = 100
_FRAME = re.compile(rb"(?:FHS|BHS|BTS|FTS)(?=[^A-Za-z0-9]|$)")


def split(frame: bytes) -> list[bytes] | None:
    """The messages of a batch; None where the frame is none. Raises Rejected for one without messages, or too many."""
    if not frame.startswith((b"FHS", b"BHS")):
        return None
    messages: list[list[bytes]] = []
    for line in re.split(rb"[\r\n]+", frame):
        if line.startswith(b"MSH"):
            messages.append([])
        if line and not _FRAME.match(line):
            if not messages:
                raise Rejected("A message of a batch begins with MSH.", number=SEGMENT_SEQUENCE, place="MSH^1")
            messages[-1].append(line)
    if not 0 < len(messages) <= MOST_MESSAGES:
        raise Rejected(f"A batch has one to {MOST_MESSAGES} messages.", number=SEGMENT_SEQUENCE, place="BHS^1")
    return [b"\r".join(lines) + b"\r" for lines in messages]


def join(answers: Sequence[bytes | None]) -> bytes | None:
    """The answers that are wanted as one batch; None without any."""
    wanted = [one for one in answers if one is not None]
    header, trailer = "|".join(["BHS", "^~\\&", *SENDER, "", "", moment()]) + "\r", f"BTS|{len(wanted)}\r"
    return b"".join([header.encode(), *wanted, trailer.encode()]) if wanted else None
