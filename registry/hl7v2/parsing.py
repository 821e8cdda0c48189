"""A message off the wire as segments and fields (HL7 v2.5 chapter 2): character set, delimiters, escapes.

python-hl7 takes messages apart; what it does to escape sequences is not used, since it logs what it can't read.
"""

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import hl7

from registry.hl7v2.faults import DATA_TYPE, REQUIRED_FIELD, SEGMENT_SEQUENCE, Fault, Rejected

CHARACTER_SETS = {
    "": "utf-8",
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-8",
    "UTF-8": "utf-8",
    "8859/1": "iso-8859-1",
    "ISO-8859-1": "iso-8859-1",
    "8859/15": "iso-8859-15",
}
"""Table 0211, as far as it is spoken here, and what engines write for it; without MSH-18 the standard means ASCII, of
which UTF-8 is more. Of several the first is that of the message (§2.15.9.18)."""

MOST_SEGMENTS, MOST_REPETITIONS, MAX_VALUE = 200, 50, 1000
MOST_PARTS = 10_000
"""Fields, repetitions and components of a message: each costs many times its byte to take apart."""

_HEADER = re.compile(rb"MSH([!-/:-@\[-`{-~])([!-/:-@\[-`{-~]{4})\1")
_PLAIN = re.compile(rb"[A-Za-z0-9._+-]{1,199}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_NULL = '""'


@dataclass(frozen=True, slots=True)
class Delimiters:
    """MSH-1 and MSH-2."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str

    def unescape(self, text: str) -> str:
        """Text with its escape sequences resolved (§2.7); formatting becomes a space, what is unknown goes."""
        if self.escape not in text:
            return text
        parts = text.split(self.escape)
        if len(parts) % 2 == 0:
            return text
        return "".join(part if index % 2 == 0 else self._resolve(part) for index, part in enumerate(parts))

    def _resolve(self, code: str) -> str:
        known = {
            "F": self.field,
            "S": self.component,
            "T": self.subcomponent,
            "R": self.repetition,
            "E": self.escape,
        }
        if re.fullmatch(r"[CM]([0-9A-Fa-f]{2})+", code):
            raise Fault("The character set is not switched within a message here.", number=DATA_TYPE)
        if code.startswith("X") and re.fullmatch(r"X([0-9A-Fa-f]{2})+", code):
            return bytes.fromhex(code[1:]).decode("utf-8", "replace")
        return known.get(code, " " if code.startswith(".") else "")

    def escaped(self, text: str) -> str:
        """Text that holds no delimiter and no line end."""
        codes = {
            self.escape: "E",
            self.field: "F",
            self.component: "S",
            self.subcomponent: "T",
            self.repetition: "R",
        }
        clean = _CONTROL.sub("", text.replace("\r", " ").replace("\n", " "))
        return "".join(f"{self.escape}{codes[sign]}{self.escape}" if sign in codes else sign for sign in clean)


DEFAULT = Delimiters("|", "^", "~", "\\", "&")


class Repetition:
    """One repetition of a field: components, and subcomponents within them, counted from 1."""

    def __init__(self, node: object, delimiters: Delimiters) -> None:
        self._node, self._delimiters = node, delimiters

    def text(self, component: int = 1, subcomponent: int = 1) -> str:
        """A value, unescaped and trimmed; empty for one that is missing or HL7's null."""
        value = _leaf(_leaf(self._node, component), subcomponent)
        text = self._delimiters.unescape(str(value)).strip()
        if len(text) > MAX_VALUE or _CONTROL.search(text):
            raise Fault("A value is too long, or holds control characters.", number=DATA_TYPE)
        return "" if text == _NULL else text

    def texts(self, component: int) -> list[str]:
        """The subcomponents of a component."""
        node = _leaf(self._node, component)
        count = len(node) if isinstance(node, hl7.Component) else 1
        return [self.text(component, number) for number in range(1, count + 1)]

    def rewritten(self) -> str:
        """The repetition in the usual delimiters."""
        count = len(self._node) if isinstance(self._node, hl7.Repetition) else 1
        return "^".join("&".join(map(DEFAULT.escaped, self.texts(part))) for part in range(1, count + 1))


def _leaf(node: object, number: int) -> object:
    """A part of a node by its number; a node without parts is its own first part."""
    if isinstance(node, (hl7.Repetition, hl7.Component)):
        return node[number - 1] if number <= len(node) else ""
    return node if number == 1 else ""


class Segment:
    """A segment: fields, counted from 1, each a list of repetitions."""

    def __init__(self, node: hl7.Segment, delimiters: Delimiters) -> None:
        self._node, self._delimiters = node, delimiters
        self.name = str(node[0])

    def repetitions(self, number: int) -> list[Repetition]:
        """The repetitions of a field that hold anything; raises Fault beyond 50."""
        node = self._node[number] if number < len(self._node) else None
        parts = list(node) if isinstance(node, hl7.Field) else [] if node is None else [node]
        if len(parts) > MOST_REPETITIONS:
            raise Fault(f"A field repeats at most {MOST_REPETITIONS} times.", number=DATA_TYPE)
        return [Repetition(part, self._delimiters) for part in parts if str(part).strip()]

    def text(self, number: int, component: int = 1, subcomponent: int = 1) -> str:
        """A value of a field's first repetition."""
        found = self.repetitions(number)
        return found[0].text(component, subcomponent) if found else ""

    def rewritten(self, number: int) -> str:
        """A field as it was sent, in the usual delimiters, for an answer to repeat."""
        return "~".join(one.rewritten() for one in self.repetitions(number))

    def written(self) -> str:
        """The whole segment in the usual delimiters."""
        return "|".join([self.name, *(self.rewritten(number) for number in range(1, len(self._node)))])


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its segments in order, the delimiters and the character set it was written in."""

    segments: Sequence[Segment]
    delimiters: Delimiters
    character_set: str

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    def all(self, name: str) -> list[Segment]:
        """The segments of that name."""
        return [one for one in self.segments if one.name == name]

    def one(self, name: str) -> Segment:
        """The first segment of that name; raises Fault where there is none."""
        found = self.all(name)
        if not found:
            raise Fault(f"The message has no {name} segment.", number=SEGMENT_SEQUENCE, place=f"{name}^1")
        return found[0]

    @property
    def kind(self) -> str:
        """Message and event of MSH-9, such as `ADT^A01`."""
        return f"{self.header.text(9, 1)}^{self.header.text(9, 2)}"


def control_id(frame: bytes) -> str:
    """MSH-10 of what may not be readable as a message; empty where it is anything but plain text."""
    header = _HEADER.match(frame)
    fields = re.split(rb"[\r\n]", frame, maxsplit=1)[0].split(header[1]) if header else []
    return found[0].decode() if len(fields) > 9 and (found := _PLAIN.fullmatch(fields[9])) else ""


def trimmed(frame: bytes) -> bytes:
    """A frame without the blank lines and the mark of UTF-8 that some engines put before a message."""
    return frame.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")


def parse(frame: bytes) -> Message:
    """The message of a frame; raises Rejected for what is none, or in a character set that is not spoken here."""
    header = _HEADER.match(frame)
    if header is None or len({*header[1], *header[2]}) != 5:
        raise Rejected("This is no HL7 v2 message.", number=SEGMENT_SEQUENCE, place="MSH^1")
    text, character_set = _decode(frame, header[1])
    lines = list(_lines(text))
    if len(lines) > MOST_SEGMENTS:
        raise Rejected(f"A message has at most {MOST_SEGMENTS} segments.", number=SEGMENT_SEQUENCE)
    signs = (header[1] + header[2]).decode("ascii")
    if sum(text.count(sign) for sign in signs) > MOST_PARTS:
        raise Rejected(f"A message has at most {MOST_PARTS} fields and parts.", number=SEGMENT_SEQUENCE)
    delimiters = Delimiters(*signs)
    nodes = hl7.parse("\r".join(lines) + "\r")
    message = Message([Segment(node, delimiters) for node in nodes if str(node[0])], delimiters, character_set)
    if len(message.all("MSH")) != 1:
        raise Rejected("A frame holds one message.", number=SEGMENT_SEQUENCE, place="MSH^2")
    _check_repeatable(message)
    return message


def _check_repeatable(message: Message) -> None:
    """What every answer repeats must be fit for it: found too late, effects would stay and the sender try for ever."""
    for segment in (*message.all("MSH"), *message.all("QPD")):
        try:
            segment.written()
        except Fault as fault:
            raise Rejected(fault.message, number=DATA_TYPE, place=f"{segment.name}^1") from None


def _decode(frame: bytes, separator: bytes) -> tuple[str, str]:
    header = re.split(rb"[\r\n]", frame, maxsplit=1)[0].split(separator)
    stated = header[17].split(header[1][1:2])[0] if len(header) > 17 else b""
    name = stated.strip().decode("ascii", "replace")
    encoding = CHARACTER_SETS.get(name.upper())
    if encoding is None:
        raise Rejected("The character set of MSH-18 is not spoken here.", number=DATA_TYPE, place="MSH^1^18")
    try:
        return frame.decode(encoding), name
    except UnicodeDecodeError:
        raise Rejected(
            "The message is not in the character set of MSH-18.",
            number=DATA_TYPE,
            place="MSH^1^18",
            hint="Without MSH-18 it is read as UTF-8.",
        ) from None


def _lines(text: str) -> Iterator[str]:
    """The segments; line feeds are taken for carriage returns, as many engines write them."""
    for line in re.split(r"\r\n|\r|\n", text):
        if not line.strip():
            continue
        if _SEGMENT.fullmatch(line[:3]) is None:
            raise Rejected("A segment has no name.", number=SEGMENT_SEQUENCE)
        yield line


def require(value: str, what: str, place: str) -> str:
    """A value that must be there; raises Fault."""
    if not value:
        raise Fault(f"{what} is missing.", number=REQUIRED_FIELD, place=place)
    return value
