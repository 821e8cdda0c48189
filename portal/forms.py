"""What a professional types, read strictly: each field has a form, a limit and a plain message when it is wrong."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from werkzeug.datastructures import MultiDict

from consent_broker.consents.vocabulary import end_of_day
from matching.records import Demographics, Document, DocumentType
from portal.texts import ASKABLE_PURPOSES, CATEGORIES, LABELS
from registry.calendar import LIMA

MAX_NAME = 100
DAYS = {"1", "7", "30", "90"}
_DNI = re.compile(r"\d{8}", re.ASCII)
_NAME = re.compile(r"[^\W\d_][^\d<>{}\x00-\x1f]*")
_OLDEST = date(1890, 1, 1)


@dataclass(frozen=True, slots=True)
class Search:
    """A search as typed; `problems` names each field that is wrong, `demographics` is None then."""

    demographics: Demographics | None
    typed: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for access as typed; `problem` says what is missing."""

    establishment_id: UUID | None
    purpose: str
    categories: frozenset[str]
    ends_at: datetime
    problem: str | None
    labels: frozenset[str] = frozenset()


def read_search(form: Mapping[str, str], today: date) -> Search:
    """A search by DNI, or by name and birth date (at least two identifiers)."""
    return _by_document(form) if form.get("por") == "dni" else _by_name(form, today)


def read_request(form: MultiDict[str, str], moment: datetime) -> Asked:
    """What is asked of the person; until midnight in Lima of the last day."""
    wanted, labels = frozenset(form.getlist("categoria")), frozenset(form.getlist("reservado"))
    purpose, days = form.get("motivo", ""), form.get("dias", "")
    problem = None
    if not wanted or not wanted <= CATEGORIES.keys():
        problem = "Marque al menos una parte de la historia."
    elif not labels <= LABELS.keys():
        problem = "Elija lo reservado de la lista."
    elif purpose not in ASKABLE_PURPOSES:
        problem = "Elija para qué la necesita."
    elif days not in DAYS:
        problem = "Elija durante cuánto tiempo."
    last_day = moment.astimezone(LIMA).date() + timedelta(days=int(days) if days in DAYS else 1)
    return Asked(_uuid(form.get("establecimiento", "")), purpose, wanted, end_of_day(last_day), problem, labels)


def _by_document(form: Mapping[str, str]) -> Search:
    number = re.sub(r"[\s.-]", "", form.get("dni", "")[:40])
    if not _DNI.fullmatch(number):
        return Search(None, problems={"dni": "Escriba las ocho cifras del DNI."})
    return Search(Demographics(documents=(Document(DocumentType.DNI, number),)))


def _by_name(form: Mapping[str, str], today: date) -> Search:
    names = ("paterno", "materno", "nombres")
    typed = {name: " ".join(form.get(name, "")[:200].split()) for name in (*names, "nacimiento")}
    born = _day(typed["nacimiento"])
    problems = {name: "Use solo letras, hasta 100." for name in names if typed[name] and not _is_name(typed[name])}
    if not typed["paterno"]:
        problems["paterno"] = "Escriba el apellido paterno."
    if not typed["nombres"]:
        problems["nombres"] = "Escriba al menos un nombre."
    if born is None or not _OLDEST <= born <= today:
        problems["nacimiento"] = "Escriba la fecha de nacimiento: día, mes y año."
    if problems:
        return Search(None, typed, problems)
    demographics = Demographics(
        paternal_surname=typed["paterno"],
        maternal_surname=typed["materno"] or None,
        given_names=typed["nombres"],
        birth_date=born,
    )
    return Search(demographics, typed)


def _is_name(text: str) -> bool:
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
