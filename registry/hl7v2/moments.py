"""When a message was said (HL7 v2.5 §2.A.77, TS): EVN-2, when it was recorded, else MSH-7; pure but for the clock."""

import re
from datetime import UTC, datetime, timedelta

from registry.calendar import LIMA
from registry.database import now
from registry.hl7v2.faults import DATA_TYPE, Fault
from registry.hl7v2.parsing import Message

_MOMENT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)?(?P<day>\d\d)?(?P<hour>\d\d)?(?P<minute>\d\d)?(?P<second>\d\d)?"
    r"(?:\.(?P<fraction>\d{1,4}))?(?P<zone>[+-]\d{4})?",
    re.ASCII,
)
SPANS = (
    ("fraction", timedelta()),
    ("second", timedelta(seconds=1)),
    ("minute", timedelta(minutes=1)),
    ("hour", timedelta(hours=1)),
    ("day", timedelta(days=1)),
    ("month", timedelta(days=31)),
    ("year", timedelta(days=366)),
)
"""How long the shortest part that is stated lasts."""


def said_at(message: Message) -> datetime:
    """The moment a feed message speaks of, never in the future; one without any speaks of now. Raises Fault.

    A vague one, such as a day, is taken for as late as it may be: only what is surely older is held to be late.
    """
    recorded = next((one.text(2) for one in message.all("EVN")), "")
    if recorded:
        return _latest(recorded, "EVN^1^2")
    sent = message.header.text(7)
    return _latest(sent, "MSH^1^7") if sent else now()


def _latest(text: str, place: str) -> datetime:
    found = _MOMENT.fullmatch(text)
    moment = _read(found) if found else None
    if moment is None:
        raise Fault("A moment is written YYYY[MM[DD[HH[MM[SS[.S]]]]]][+ZZZZ].", number=DATA_TYPE, place=place)
    return min(moment, now())


def _read(found: re.Match[str]) -> datetime | None:
    """The latest it may be, in UTC; None beyond the calendar's ends."""
    try:
        return (_moment(found) + _span(found)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _moment(found: re.Match[str]) -> datetime:
    parts = [int(found[name] or least) for name, least in (("month", 1), ("day", 1), ("hour", 0), ("minute", 0))]
    moment = datetime(int(found["year"]), *parts, int(found["second"] or 0), tzinfo=LIMA)  # type: ignore[misc,arg-type]
    moment += timedelta(seconds=float(f"0.{found['fraction'] or 0}"))
    return moment.replace(tzinfo=datetime.strptime(found["zone"], "%z").tzinfo) if found["zone"] else moment


def _span(found: re.Match[str]) -> timedelta:
    return next(span for name, span in SPANS if found[name])
