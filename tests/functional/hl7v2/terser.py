"""Values of an answer by terser paths, as HL7 test suites write them."""

import re
from dataclasses import dataclass, field

_PATH = re.compile(
    r"(?:(?P<group>[A-Z_]+)(?:\((?P<rep>\d+)\))?/\.)?(?P<segment>[A-Z0-9]{3})(?:\(\d\))?(?P<rest>(?:-.*)?)"
)
_FIELD = re.compile(r"-(?P<number>\d+)(?:\((?P<rep>\d+)\))?(?:-(?P<component>\d+))?(?:-(?P<sub>\d+))?")


@dataclass
class Reply:
    """An answer, taken apart by its delimiters and nothing else."""

    frame: bytes
    segments: list[list[str]] = field(init=False)

    def __post_init__(self) -> None:
        text = self.frame.decode("iso-8859-1" if b"8859/1" in self.frame else "utf-8")
        self.segments = [line.split("|") for line in text.split("\r") if line]

    def all(self, name: str) -> list[list[str]]:
        return [one for one in self.segments if one[0] == name]

    def get(self, path: str) -> str | None:
        """The value at a path; None where the segment is missing.

        Groups count from 0 and field repetitions from 1, of which 0 is the first too: so alone the asserts of one step
        of the OpenHIE suite agree with each other.
        """
        found = _PATH.fullmatch(path)
        assert found, path
        segments = self.all(found["segment"])
        index = int(found["rep"] or 0)
        if index >= len(segments):
            return None
        part = _FIELD.fullmatch(found["rest"])
        return _value(segments[index], part) if part else "|".join(segments[index])

    def __getitem__(self, path: str) -> str:
        return self.get(path) or ""


def _value(segment: list[str], part: re.Match[str]) -> str:
    number = int(part["number"]) - (segment[0] == "MSH")
    text = segment[number] if number < len(segment) else ""
    repetition = _nth(text.split("~"), max(int(part["rep"] or 1), 1))
    whole = part["component"] is None and "^" not in repetition
    component = repetition if whole else _nth(repetition.split("^"), int(part["component"] or 1))
    return _nth(component.split("&"), int(part["sub"] or 1))


def _nth(parts: list[str], number: int) -> str:
    return parts[number - 1] if number <= len(parts) else ""
