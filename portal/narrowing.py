"""Permitting only a part of what was asked: what may be chosen, and what was chosen, read strictly.

Nothing is ticked beforehand and the shortest period comes first: whoever does not choose permits the least.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from werkzeug.datastructures import MultiDict

from consent_broker.consents.narrowing import AS_ASKED, Narrowing
from consent_broker.consents.vocabulary import NORMAL, end_of_day
from portal.errors import BadForm
from portal.views import ConsentQuestion
from registry.calendar import LIMA

ALL, PART, NOTHING = "permitir", "permitir-parte", "no-permitir"
AS_LONG_AS_ASKED = "todo"
DAYS = {"0": "Solo hoy", "3": "Tres días", "7": "Siete días", "30": "Treinta días"}


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person chose; `narrowing` None is a refusal, `problem` says what is missing."""

    narrowing: Narrowing | None
    problem: str | None = None


def ends(until: datetime, moment: datetime) -> dict[str, str]:
    """The ends a person may choose: each earlier than the one asked for, which comes last."""
    earlier = {days: label for days, label in DAYS.items() if _end(days, moment) < until}
    return earlier | {AS_LONG_AS_ASKED: "Todo el tiempo que pide"}


def read_choice(form: MultiDict[str, str], question: ConsentQuestion, moment: datetime) -> Choice:
    """What was decided on a consent page; raises BadForm when nothing was, so that silence never grants."""
    decision = form.get("decision", "")
    if decision == NOTHING:
        return Choice(None)
    if decision == ALL:
        return Choice(replace(AS_ASKED, labels=frozenset({NORMAL, *question.labels})))
    if decision != PART:
        raise BadForm("Elija «Permitir» o «No permitir».", hint="Vuelva atrás y elija una de las respuestas.")
    return _read_part(form, question, moment)


def _read_part(form: MultiDict[str, str], question: ConsentQuestion, moment: datetime) -> Choice:
    until, categories = form.get("hasta", ""), frozenset(form.getlist("categoria"))
    labels = frozenset(form.getlist("reservado"))
    if not labels <= set(question.labels):
        raise BadForm("No entendimos lo que eligió.", hint="Vuelva atrás y elija otra vez.")
    if not categories or not categories <= set(question.categories):
        return Choice(None, "Marque al menos una parte de su historia.")
    if until not in ends(question.until, moment):
        return Choice(None, "Elija hasta cuándo.")
    ends_at = question.until if until == AS_LONG_AS_ASKED else _end(until, moment)
    return Choice(Narrowing(categories=categories, labels=labels | {NORMAL}, ends_at=ends_at))


def narrowed(question: ConsentQuestion, narrowing: Narrowing) -> ConsentQuestion:
    """The question as the person answers it: its words are what is kept as evidence."""
    categories = [code for code in question.categories if code in (narrowing.categories or question.categories)]
    labels = [code for code in question.labels if code in (narrowing.labels or ())]
    return replace(question, categories=categories, labels=labels, until=narrowing.ends_at or question.until)


def _end(days: str, moment: datetime) -> datetime:
    return end_of_day(moment.astimezone(LIMA).date() + timedelta(days=int(days)))
