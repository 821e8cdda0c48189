"""What careless clerks make of a birth date."""

import random
from collections.abc import Callable
from datetime import date, timedelta


def _missing(_: random.Random, __: date) -> str:
    return ""


def _day_month(_: random.Random, born: date) -> str:
    return f"{born.year:04d}-{born.day:02d}-{born.month:02d}" if born.day <= 12 else born.isoformat()


def _digit(rng: random.Random, born: date) -> str:
    kind = rng.random()
    if kind < 0.4:
        return replace_day(born, rng.choice((born.day % 10, born.day + 10, born.day - 10, born.day + 1, born.day - 1)))
    if kind < 0.6:
        return f"{born.year:04d}-{rng.randint(1, 12):02d}-{min(born.day, 28):02d}"
    return f"{born.year + rng.choice((-1, 1, -2, 3)):04d}-{born.month:02d}-{min(born.day, 28):02d}"


def replace_day(born: date, day: int) -> str:
    """The same month with another day, where the calendar has it."""
    return f"{born.year:04d}-{born.month:02d}-{min(max(day, 1), 28):02d}"


def _decade(rng: random.Random, born: date) -> str:
    return f"{born.year + rng.choice((-10, 10)):04d}-{born.month:02d}-{min(born.day, 28):02d}"


def _january(_: random.Random, born: date) -> str:
    return f"{born.year:04d}-01-01"


def _nineteen_hundred(_: random.Random, __: date) -> str:
    return "1900-01-01"


def _wrong(rng: random.Random, born: date) -> str:
    return (born + timedelta(days=rng.randint(-4000, 4000))).isoformat()


BIRTH_ERRORS: tuple[tuple[float, Callable[[random.Random, date], str]], ...] = (
    (0.04, _missing),
    (0.06, _day_month),
    (0.09, _digit),
    (0.10, _decade),
    (0.12, _january),
    (0.13, _nineteen_hundred),
    (0.135, _wrong),
)
