"""The port to whoever carries text messages, and what a message is."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it leaves: `to` in E.164, words any old telephone shows."""

    to: str
    text: str


class NotSent(Exception):
    """The gateway did not take the message; `final` when it never will. The text is a code, without data."""

    def __init__(self, code: str, *, final: bool = False) -> None:
        super().__init__(code)
        self.final = final


class SmsGateway(Protocol):
    """Carries messages; the same `key` twice is one message."""

    def send(self, key: str, letter: Letter) -> None:
        """Hand a message over; raises NotSent."""
