"""Answers: acknowledgments (§2.9) and query responses (§5.3), in the usual delimiters."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from registry.database import new_id, now
from registry.hl7v2.faults import MEANINGS, Fault
from registry.hl7v2.parsing import CHARACTER_SETS, DEFAULT, Message

OLD_VERSIONS = frozenset({"2.3.1", "2.4"})
"""They know ERR-1 alone; what comes behind it they ignore."""

SENDER = ("RENHICE", "MINSA")
ACCEPT = {"AA": "CA", "AE": "CE", "AR": "CR"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: AA, AE or AR, the faults, and the segments a query asked for."""

    ack: str = "AA"
    faults: Sequence[Fault] = ()
    segments: Sequence[str] = field(default=())
    kind: str = ""
    """MSH-9; empty for an acknowledgment."""


def wanted(message: Message, answer: Answer) -> bool:
    """Whether the sender wants to hear of it: in enhanced mode MSH-15 and MSH-16 say so (table 0155)."""
    conditions = [one for one in (message.header.text(15), message.header.text(16)) if one]
    if not conditions or answer.segments:
        return True
    good = answer.ack == "AA"
    return any(one == "AL" or (one == "SU" and good) or (one == "ER" and not good) for one in conditions)


def code(message: Message, answer: Answer) -> str:
    """MSA-1: where only an accept acknowledgment is asked for it is CA, CE or CR, given when all is stored."""
    accept_only = message.header.text(15) and message.header.text(16) in {"", "NE"}
    return ACCEPT[answer.ack] if accept_only else answer.ack


def write(message: Message, answer: Answer) -> bytes:
    """The bytes of an answer to a message, in its character set, or UTF-8 where that can't hold it."""
    header = message.header
    version = header.text(12) or "2.5"
    kind = answer.kind or f"ACK^{DEFAULT.escaped(header.text(9, 2))}" + ("" if version in OLD_VERSIONS else "^ACK")
    receiver = [header.rewritten(5) or SENDER[0], header.rewritten(6) or SENDER[1]]
    sender = [header.rewritten(3), header.rewritten(4)]
    first = ["MSH", "^~\\&", *receiver, *sender, moment(), "", kind, new_id().hex[:20], header.rewritten(11) or "P"]
    control = DEFAULT.escaped(header.text(10))
    text = DEFAULT.escaped(answer.faults[0].message) if answer.faults else ""
    body = [f"MSA|{code(message, answer)}|{control}" + (f"|{text}" if text else "")]
    body += [_error(fault, version) for fault in answer.faults]
    return _encode(message.character_set, [*first, DEFAULT.escaped(version)], [*body, *answer.segments])


def write_rejection(fault: Fault, control: str = "") -> bytes:
    """The answer to what could not be read as a message: nothing of it is repeated but its MSH-10."""
    first = ["MSH", "^~\\&", *SENDER, "", "", moment(), "", "ACK^^ACK", new_id().hex[:20], "P", "2.5"]
    text = DEFAULT.escaped(fault.message)
    return _encode("", first, [f"MSA|{fault.ack}|{control}|{text}", _error(fault, "2.5")])


def _error(fault: Fault, version: str) -> str:
    """ERR: where, what (table 0357), how bad, and in words that hold nothing of the message."""
    meaning = f"{fault.number}^{MEANINGS[fault.number]}^HL70357"
    segment, sequence, position = (*fault.place.split("^"), "", "", "")[:3]
    old = "^".join([segment, sequence, position, meaning.replace("^", "&")]) if version in OLD_VERSIONS else ""
    words = " ".join(filter(None, (fault.message, fault.hint)))
    return f"ERR|{old}|{fault.place}|{meaning}|E||||{DEFAULT.escaped(words)}"


def moment() -> str:
    """Now, as HL7 writes it."""
    return now().strftime("%Y%m%d%H%M%S+0000")


def _encode(character_set: str, header: Sequence[str], segments: Sequence[str]) -> bytes:
    for name in (character_set, "UNICODE UTF-8"):
        fields = [*header, *[""] * (17 - len(header)), name] if name else list(header)
        text = "\r".join(["|".join(fields), *segments]) + "\r"
        encoding = "ascii" if name == "" else CHARACTER_SETS[name.upper()]
        try:
            return text.encode(encoding)
        except UnicodeEncodeError:
            continue
    raise AssertionError  # UTF-8 holds all text
