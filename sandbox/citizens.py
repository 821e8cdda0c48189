"""Everybody with a DNI: what RENIEC answers about them, and how they sign in at ID Perú."""

import secrets
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

from sandbox.geography import BY_UBIGEO
from sandbox.population import Person

ADULT = 18
SCHEMA = """
CREATE TABLE IF NOT EXISTS citizens (
    dni TEXT PRIMARY KEY, given_names TEXT NOT NULL, paternal_surname TEXT NOT NULL, maternal_surname TEXT NOT NULL,
    address TEXT NOT NULL, place TEXT NOT NULL, civil_status TEXT NOT NULL, restriction TEXT NOT NULL,
    password TEXT NOT NULL, otp TEXT NOT NULL, pin TEXT NOT NULL
) STRICT
"""


@dataclass(frozen=True, slots=True)
class Citizen:
    """A citizen; the credentials are empty for those who can't sign in (minors)."""

    dni: str
    given_names: str
    paternal_surname: str
    maternal_surname: str
    address: str
    place: str
    civil_status: str
    restriction: str
    password: str
    otp: str
    pin: str


class Directory(Protocol):
    """Who can sign in somewhere."""

    def find(self, dni: str) -> Citizen | None:
        """Return who has that number, or None."""


_COLUMNS = ", ".join(field.name for field in fields(Citizen))


class Citizens:
    """The register, in SQLite: opens at once whatever its size."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
        with closing(self._connect()) as db:
            db.execute(SCHEMA)

    def enrol(self, people: Iterable[Person]) -> None:
        """Add those with a DNI who are not in yet; who is in keeps the credentials given then."""
        rows = [_row(person) for person in people if person.document and person.document.type == "dni"]
        with closing(self._connect()) as db, db:
            db.executemany(f"INSERT OR IGNORE INTO citizens ({_COLUMNS}) VALUES ({_marks()})", rows)  # noqa: S608

    def find(self, dni: str) -> Citizen | None:
        """Return the citizen of that number, or None."""
        with closing(self._connect()) as db:
            row = db.execute(f"SELECT {_COLUMNS} FROM citizens WHERE dni = ?", (dni,)).fetchone()  # noqa: S608
        return Citizen(*row) if row else None

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30)


@dataclass(frozen=True, slots=True)
class Workers:
    """Those of the register who work with the registry: only they can sign in at the staff's provider."""

    citizens: Citizens
    numbers: frozenset[str]

    def find(self, dni: str) -> Citizen | None:
        """Return the worker of that number, or None."""
        return self.citizens.find(dni) if dni in self.numbers else None


def _marks() -> str:
    return ", ".join("?" for _ in fields(Citizen))


def _row(person: Person) -> tuple[str, ...]:
    document = person.document
    place = BY_UBIGEO[person.ubigeo]
    credentials = _credentials() if person.age >= ADULT else ("", "", "")
    return (
        document.number if document else "",
        person.given_names,
        person.paternal_surname,
        person.maternal_surname,
        person.address,
        f"{place.region}/{place.province}/{place.name}",
        "CASADO" if person.married_surname else "SOLTERO",
        "NINGUNA",
        *credentials,
    )


def _credentials() -> tuple[str, str, str]:
    """Return a password a person can type, a second-factor code and a DNIe PIN, all by chance."""
    password = "-".join(f"{secrets.randbelow(10_000):04d}" for _ in range(2))
    return password, f"{secrets.randbelow(1_000_000):06d}", f"{secrets.randbelow(1_000_000):06d}"
