"""Moments and numbers as people in Peru write and read them."""

from datetime import date, datetime, time, timedelta

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal, format_percent

from registry.calendar import LIMA

LOCALE = "es_PE"
_YEARS = range(1900, 2200)


def long_moment(value: datetime) -> str:
    """`5 de marzo de 2026, 14:05`, in Lima."""
    return str(format_datetime(value, "d 'de' MMMM 'de' y, HH:mm", tzinfo=LIMA, locale=LOCALE))


def hour(value: datetime) -> str:
    """`14:05`, in Lima."""
    return str(format_datetime(value, "HH:mm", tzinfo=LIMA, locale=LOCALE))


def long_day(value: date | datetime) -> str:
    """`5 de marzo de 2026`, in Lima when it is a moment."""
    day = value.astimezone(LIMA).date() if isinstance(value, datetime) else value
    return str(format_date(day, "d 'de' MMMM 'de' y", locale=LOCALE))


def said_day(text: str) -> str:
    """A FHIR date in words: a day, `mayo de 1984` or `1984`."""
    if len(text) == len("1984"):
        return text
    month = len(text) == len("1984-05")
    day = date.fromisoformat(f"{text}-01" if month else text)
    return str(format_date(day, "MMMM 'de' y", locale=LOCALE)) if month else long_day(day)


def number(value: float) -> str:
    """Digits grouped as in Peru."""
    return str(format_decimal(value, locale=LOCALE))


def bits(value: float) -> str:
    """A weight with its sign and one decimal: `+9.4`."""
    return str(format_decimal(value, format="+0.0;−0.0", locale=LOCALE))


def percent(value: float) -> str:
    """A probability; never a certainty."""
    shown = min(max(value, 0.001), 0.999)
    return str(format_percent(shown, format="0.0 %", locale=LOCALE))


def age(born: date, today: date) -> int:
    """Completed years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def parse_day(text: str) -> datetime | None:
    """The start of an ISO day in Lima; None when empty, not a day, or of no century anybody is asking about."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        return None
    return datetime.combine(day, datetime.min.time(), LIMA) if day.year in _YEARS else None


def read_day(text: str, name: str, problems: dict[str, str]) -> date | None:
    """An ISO day as typed in a field; None when empty, or when it is none, which goes into `problems`."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        problems[name] = "Escriba una fecha como 2024-12-31."
        return None
    if day.year not in _YEARS:
        problems[name] = "Escriba una fecha de este siglo o del anterior."
        return None
    return day


def parse_minute(day: str, minute: str) -> datetime | None:
    """A day and an hour in Lima as typed; the end of the day without an hour. None when either can't be read."""
    start = parse_day(day)
    if start is None:
        return None
    try:
        clock = time.fromisoformat(minute.strip()) if minute.strip() else time(23, 59, 59)
    except ValueError:
        return None
    return None if clock.tzinfo else datetime.combine(start.date(), clock, LIMA)


def next_day(start: datetime) -> datetime:
    """The start of the following day."""
    return start + timedelta(days=1)
