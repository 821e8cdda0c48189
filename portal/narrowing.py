"""Permitting only a part of what was asked: what may be chosen, and what was chosen, read strictly.

Nothing is ticked beforehand and the shortest period comes first: whoever does not choose permits the least.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from werkzeug.datastructures import MultiDict

from consent_broker.consents.mandates import start_of
from consent_broker.consents.narrowing import AS_ASKED, Narrowing
from consent_broker.consents.vocabulary import NORMAL, end_of_day
from portal.dates import read_day
from portal.errors import BadForm
from portal.views import ConsentQuestion
from registry.calendar import LIMA
from registry.errors import Unprocessable

ALL, PART, NOTHING = "permitir", "permitir-parte", "no-permitir"
AS_LONG_AS_ASKED, UNTIL_A_DAY = "todo", "otro"
DAYS = {"0": "Solo hoy", "3": "Tres días", "7": "Siete días", "30": "Treinta días"}
FIRST_DAY, LAST_DAY, END_DAY = "datos-desde", "datos-hasta", "ultimo-dia"
DATES = (FIRST_DAY, LAST_DAY, END_DAY)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person chose; `narrowing` None is a refusal, unless `problems` say what is wrong, by field."""

    narrowing: Narrowing | None
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Typed:
    """A part as it was filled in, so that a mistake costs nothing else."""

    categories: Sequence[str] = ()
    labels: Sequence[str] = ()
    fields: Mapping[str, str] = field(default_factory=dict)


def ends(until: datetime, moment: datetime) -> dict[str, str]:
    """The ends a person may choose: each earlier than the one asked for, which comes last."""
    earlier = {days: label for days, label in DAYS.items() if _end(days, moment) < until}
    return earlier | {AS_LONG_AS_ASKED: "Todo el tiempo que pide"}


def typed_in(form: MultiDict[str, str]) -> Typed:
    """What to show again of a form."""
    said = {name: form.get(name, "").strip()[:40] for name in ("hasta", *DATES)}
    return Typed(form.getlist("categoria"), form.getlist("reservado"), said)


def read_choice(form: MultiDict[str, str], question: ConsentQuestion, moment: datetime) -> Choice:
    """What was decided on a consent page; raises BadForm when nothing was, so that silence never grants."""
    decision = form.get("decision", "")
    if decision == NOTHING:
        return Choice(None)
    if decision == ALL:
        return Choice(replace(AS_ASKED, labels=frozenset({NORMAL, *question.labels})))
    if decision != PART:
        raise BadForm("Elija «Permitir» o «No permitir».", hint="Vuelva atrás y elija una de las respuestas.")
    return _read_part(typed_in(form), question, moment)


def _read_part(typed: Typed, question: ConsentQuestion, moment: datetime) -> Choice:
    categories, labels = frozenset(typed.categories), frozenset(typed.labels)
    if not labels <= set(question.labels):
        raise BadForm("No entendimos lo que eligió.", hint="Vuelva atrás y elija otra vez.")
    problems: dict[str, str] = {}
    if not categories or not categories <= set(question.categories):
        problems["categoria"] = "Marque al menos una parte de su historia."
    first, last = read_days(typed.fields, question.days, problems)
    ends_at = _read_end(typed.fields, question.until, moment, problems)
    if problems:
        return Choice(None, problems)
    return Choice(
        Narrowing(
            categories=categories, labels=labels | {NORMAL}, data_from=first, data_until=last, ends_at=ends_at
        )
    )  # fmt: skip


def read_days(
    typed: Mapping[str, str], asked: tuple[date | None, date | None], problems: dict[str, str]
) -> tuple[date | None, date | None]:
    """The first and last day of the records permitted, as typed; what is wrong with them goes into `problems`."""
    first, last = (read_day(typed.get(name, ""), name, problems) for name in (FIRST_DAY, LAST_DAY))
    if first and last and last < first:
        problems[LAST_DAY] = "La última fecha va después de la primera."
    elif not problems.keys() & {FIRST_DAY, LAST_DAY}:
        try:
            Narrowing(data_from=first, data_until=last).of_days(*asked)
        except Unprocessable:
            problems[FIRST_DAY] = "Elija fechas dentro de las que pide."
    return first, last


def _read_end(typed: Mapping[str, str], until: datetime, moment: datetime, problems: dict[str, str]) -> datetime | None:
    """The end chosen: one of those offered, or the end of a day in Lima that is neither past nor later than asked."""
    chosen = typed.get("hasta", "")
    if chosen != UNTIL_A_DAY:
        if chosen not in ends(until, moment):
            problems["hasta"] = "Elija hasta cuándo."
            return None
        return until if chosen == AS_LONG_AS_ASKED else _end(chosen, moment)
    day = read_day(typed.get(END_DAY, ""), END_DAY, problems)
    if END_DAY in problems:
        return None
    if day is None or day < moment.astimezone(LIMA).date() or start_of(day) >= until:
        problems[END_DAY] = "Escriba un día desde hoy hasta el último que pide."
        return None
    return min(end_of_day(day), until)


def narrowed(question: ConsentQuestion, narrowing: Narrowing) -> ConsentQuestion:
    """The question as the person answers it: its words are what is kept as evidence."""
    categories = [code for code in question.categories if code in (narrowing.categories or question.categories)]
    labels = [code for code in question.labels if code in (narrowing.labels or ())]
    days = narrowing.data_from or question.days[0], narrowing.data_until or question.days[1]
    until = narrowing.ends_at or question.until
    return replace(question, categories=categories, labels=labels, until=until, days=days)


def _end(days: str, moment: datetime) -> datetime:
    return end_of_day(moment.astimezone(LIMA).date() + timedelta(days=int(days)))
