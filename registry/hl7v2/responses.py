"""The segments every query response has: QAK, the query repeated, and what was found (§5.5.2)."""

from collections.abc import Sequence

from registry.hl7v2.answers import Answer
from registry.hl7v2.faults import Fault
from registry.hl7v2.parsing import DEFAULT, Segment


def respond(
    kind: str, qpd: Segment, segments: Sequence[str], *, total: int, left: int = 0, pointer: str = ""
) -> Answer:
    """What was found: OK, or NF for nothing; with `pointer` there is more."""
    status = "OK" if segments else "NF"
    counts = f"{total}|{len(segments)}|{left}"
    more = [f"DSC|{pointer}|I"] if pointer else []
    return Answer("AA", (), [_acknowledged(qpd, status, counts), qpd.written(), *segments, *more], kind)


def refuse(kind: str, qpd: Segment, fault: Fault) -> Answer:
    """A query that could not be answered: AE in MSA and QAK, and where it is at fault."""
    status = "AR" if fault.ack == "AR" else "AE"
    return Answer(fault.ack, (fault,), [_acknowledged(qpd, status, "0|0|0"), qpd.written()], kind)


def _acknowledged(qpd: Segment, status: str, counts: str) -> str:
    return f"QAK|{DEFAULT.escaped(qpd.text(2))}|{status}|{qpd.rewritten(1)}|{counts}"
