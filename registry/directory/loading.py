"""A directory file: read, checked item by item, and brought into the tables; the same file twice changes nothing."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from registry.directory.administration import Desk, take_turn
from registry.directory.entries import put_establishment, put_professional, put_record_system, put_staff
from registry.directory.schemas import EstablishmentItem, Item, ProfessionalItem, RecordSystemItem, StaffItem
from registry.errors import DomainError, InvalidInput, TooLarge

MAX_BYTES = 64 * 1024 * 1024
MAX_ITEMS = 100_000
# In the order in which one kind may lean on another.
KINDS: Mapping[str, tuple[type[Item], Callable[[Desk, Any], str]]] = {
    "establishments": (EstablishmentItem, put_establishment),
    "record_systems": (RecordSystemItem, put_record_system),
    "professionals": (ProfessionalItem, put_professional),
    "staff": (StaffItem, put_staff),
}
_CONFLICTS = {
    "uq_establishments_identifier_system": "identifier_system: belongs to another establishment",
    "uq_establishments_hl7_namespace": "hl7_namespace: belongs to another establishment",
    "ix_client_certificates_current": "certificates: one of them is another record system's",
    "uq_professionals_document_token": "document: belongs to another professional",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One checked item and where it stood in the file, such as `professionals[3]`."""

    place: str
    kind: str
    item: Item


@dataclass(slots=True)
class Report:
    """What an import did: counts by kind and outcome (`added`, `changed`, `same`), and one line per fault."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def parse(content: bytes) -> tuple[list[Entry], list[str]]:
    """The items that hold and one line per fault (place and rule, never the value); raises InvalidInput, TooLarge."""
    if len(content) > MAX_BYTES:
        raise TooLarge(f"The file is larger than {MAX_BYTES // 1024**2} MiB; split it.")
    entries: list[Entry] = []
    faults: list[str] = []
    for kind, items in _kinds(content):
        for index, raw in enumerate(items):
            place = f"{kind}[{index}]"
            try:
                entries.append(Entry(place, kind, KINDS[kind][0].model_validate(raw)))
            except ValidationError as error:
                faults.extend(_lines(place, error))
    return entries, faults


def load(desk: Desk, entries: Iterable[Entry]) -> Report:
    """Bring items into the directory, each in a savepoint: one that conflicts is reported and leaves no trace."""
    take_turn(desk.session)
    report = Report()
    for entry in entries:
        outcome, fault = _put(desk, entry)
        report.counts[entry.kind, outcome] += 1
        if fault:
            report.faults.append(f"{entry.place}.{fault}")
    return report


def _put(desk: Desk, entry: Entry) -> tuple[str, str | None]:
    try:
        with desk.session.begin_nested():
            outcome = KINDS[entry.kind][1](desk, entry.item)
            desk.session.flush()
    except DomainError as error:
        return "refused", f"{error.error_code}: {error.message}"
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        return "refused", _CONFLICTS.get(constraint or "", f"conflict: {constraint}")
    return outcome, None


def _kinds(content: bytes) -> list[tuple[str, Sequence[Any]]]:
    try:
        body = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidInput(f"The file is not JSON in UTF-8{where}.") from None
    if not isinstance(body, dict) or not body:
        raise InvalidInput("The file must hold one JSON object.", hint="Its fields: " + ", ".join(KINDS))
    unknown = sorted(set(body) - set(KINDS))
    if unknown:
        raise InvalidInput(f"Unknown field {unknown[0][:40]!r}.", hint="Known: " + ", ".join(KINDS))
    if not all(isinstance(items, list) for items in body.values()):
        raise InvalidInput("Each field must hold a list.")
    if sum(map(len, body.values())) > MAX_ITEMS:
        raise TooLarge(f"The file holds more than {MAX_ITEMS} items; split it.")
    return [(kind, body[kind]) for kind in KINDS if kind in body]


def _lines(place: str, error: ValidationError) -> list[str]:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    return [f"{place}{_path(detail['loc'])}: {detail['msg'].removeprefix('Value error, ')}" for detail in details]


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part[:60]}" for part in location)
