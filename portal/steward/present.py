"""Cases and decisions turned into what pages show: establishments looked up once a page, codes into Spanish."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from portal.steward import words
from portal.steward.differences import Piece, mark_differences, whole
from portal.steward.views import (
    CaseView,
    DecisionView,
    Happened,
    RecordCard,
    RivalView,
    Row,
    Source,
    Weight,
    WorklistLine,
)
from registry.database import now
from registry.directory.service import list_establishments
from registry.identity.comparison import state_of
from registry.identity.models import MembershipEvent
from registry.identity.stewardship import COMPARED, Case, CaseLine, Decision, FieldComparison, Rival, Said

UNKNOWN = "No consta"
LEAST_SCALE = 10.0
"""Bits that fill half a bar, at least: a weak field looks weak."""

LEAST_SHOWN = 0.05


@dataclass(frozen=True, slots=True)
class Names:
    """What a page calls things: establishments by name, stewards by a mark, and which of them is oneself."""

    places: Mapping[UUID, str]
    me: str

    def place(self, key: UUID) -> str:
        """An establishment."""
        return self.places.get(key, UNKNOWN)

    def who(self, handle: str | None) -> str:
        """A steward: colleagues are told apart, and not named."""
        if handle is None:
            return ""
        return "Usted" if handle == self.me else f"Gestor {handle[:4].upper()}"


def names_for(session: Session, me: str, establishments: Collection[UUID]) -> Names:
    """The names a page needs."""
    return Names({place.id: place.name for place in list_establishments(session, set(establishments))}, me)


def worklist(session: Session, me: str, lines: Sequence[CaseLine]) -> list[WorklistLine]:
    """Cases as the worklist shows them."""
    names = names_for(session, me, [line.establishment_id for line in lines])
    return [
        WorklistLine(
            id=line.id,
            reason=words.reason(line.reason),
            establishment=names.place(line.establishment_id),
            days=_days(line.created_at),
            since=line.created_at,
            weight=line.weight,
            assigned=names.who(line.assigned_to) or "Libre",
            undecided=line.undecided,
            contested=line.contested,
            awaiting=line.awaiting is not None,
            state=words.CASE_STATES.get(line.status, line.status),
        )
        for line in lines
    ]


def case(session: Session, me: str, found: Case, revealed: Collection[str], version: str) -> CaseView:
    """A case as its page shows it; `version` is that of the model the rivals are weighed by."""
    said = [found.record, *found.companions, *(one for rival in found.rivals for one in rival.records)]
    names = names_for(session, me, {one.establishment_id for one in said if one} | {found.line.establishment_id})
    line = found.line
    return CaseView(
        id=line.id,
        revision=line.revision,
        reason=words.reason(line.reason),
        state=line.status,
        days=_days(line.created_at),
        since=line.created_at,
        assigned=names.who(line.assigned_to) or "Libre",
        mine=line.assigned_to == me,
        taken=line.assigned_to not in {None, me},
        contested=line.contested,
        awaiting=line.awaiting,
        person_id=line.person_id,
        source=source(names, found.record) if found.record else None,
        companions=[record_card(names, one) for one in found.companions],
        rivals=[_rival(names, found.record, one) for one in found.rivals],
        decisions=[decision(names, one) for one in found.decisions],
        model=version,
        asked_by=line.model_hash[:12],
        revealed=sorted(revealed),
    )


def decision(names: Names, one: Decision, note: str | None = None) -> DecisionView:
    """A decision and how it stands."""
    return DecisionView(
        id=one.id,
        verdict=one.verdict,
        word=words.VERDICTS[one.verdict],
        state=one.state,
        reason=words.GROUNDS.get(one.reason, one.reason),
        by=names.who(one.steward),
        mine=one.steward == names.me,
        at=one.decided_at,
        second=names.who(one.second_steward),
        answered_at=one.answered_at,
        note=note,
        case_id=one.possible_match_id,
        person_id=one.person_id,
        others=one.others,
        undoes=one.undoes,
        undone_by=one.undone_by,
    )


def source(names: Names, said: Said) -> Source:
    """Where a record's values come from."""
    return Source(
        record_id=said.record_id,
        establishment=names.place(said.establishment_id),
        version=said.version,
        received_at=said.received_at,
        check=words.CHECKS.get(said.check or "", "Sin consultar a Reniec"),
        active=said.active,
    )


def record_card(names: Names, said: Said) -> RecordCard:
    """A record by itself: what it says, without what it leaves out."""
    return RecordCard(source=source(names, said), facts=facts(said.values))


def facts(values: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is said of a field after a field, without what is not."""
    return [(words.FIELDS[field], _written(field, value)) for field, value in values.items() if value]


def history(events: Sequence[MembershipEvent], person_id: UUID) -> list[Happened]:
    """What happened to a person's records, as it is told."""
    return [
        Happened(
            at=event.at,
            what=words.EVENTS[event.kind],
            by=words.ACTORS.get(event.actor, event.actor),
            reason=words.reason(event.reason),
            bits=event.weight,
            model=(event.model_hash or "")[:12],
            decision_id=event.decision_id,
            person_id=event.person_id,
            other_id=event.other_person_id,
            elsewhere=event.person_id != person_id,
        )
        for event in events
    ]


def stored(contributions: Sequence[Sequence[str | float]]) -> list[FieldComparison]:
    """Contributions as they were kept, ready for `weights`."""
    return [
        FieldComparison(str(field), str(level), state_of(str(level)), float(weight))
        for field, level, weight in contributions
    ]


def weights(fields: Sequence[FieldComparison]) -> list[Weight]:
    """What each field adds or takes, with a bar around the middle of 100; what weighs nothing is left out."""
    counted = [one for one in fields if abs(one.weight) >= LEAST_SHOWN]
    most = max([LEAST_SCALE, *(abs(one.weight) for one in counted)])
    return [_weight(one, 50 * abs(one.weight) / most) for one in counted]


def _weight(one: FieldComparison, length: float) -> Weight:
    return Weight(
        label=words.EVIDENCE.get(one.field, one.field),
        level=words.level(one.level) if one.level else "",
        bits=one.weight,
        start=round(50 if one.weight >= 0 else 50 - length, 2),
        length=round(length, 2),
    )


def _rival(names: Names, record: Said | None, rival: Rival) -> RivalView:
    closest = next((one for one in rival.records if one.record_id == rival.closest), None)
    rows = [_row(field, record, closest, rival.fields) for field in COMPARED]
    return RivalView(
        person_id=rival.person_id,
        is_home=rival.is_home,
        source=source(names, closest) if closest else None,
        rows=[row for row in rows if row.ours or row.theirs],
        absent=[row.label for row in rows if not row.ours and not row.theirs],
        weights=weights(rival.fields),
        bits=rival.weight_bits,
        probability=rival.probability,
        others=[record_card(names, one) for one in rival.records if one is not closest],
        records=len(rival.records),
        two_humans=rival.two_humans,
    )


def _row(field: str, ours: Said | None, theirs: Said | None, compared: Sequence[FieldComparison]) -> Row:
    mine = _written(field, ours.values[field]) if ours else ""
    others = _written(field, theirs.values[field]) if theirs else ""
    masked = any(said is not None and field in said.masked for said in (ours, theirs))
    state = _state(field, mine, others, compared)
    left, right = _pieces(mine, others, marked=not masked and state in {"similar", "different"})
    return Row(
        label=words.FIELDS[field],
        ours=left,
        theirs=right,
        state=state,
        state_word=words.STATES[state],
        sensitive=field if masked and (mine or others) else "",
    )


def _pieces(mine: str, others: str, *, marked: bool) -> tuple[list[Piece], list[Piece]]:
    return mark_differences(mine, others) if marked else (whole(mine), whole(others))


def _state(field: str, mine: str, others: str, compared: Sequence[FieldComparison]) -> str:
    """The engine's word where it compares the field, else whether both say the same."""
    if not mine or not others:
        return "missing"
    by_field = {one.field: one for one in compared}
    first = next((by_field[name] for name in COMPARED[field] if name in by_field), None)
    if first is not None and first.state != "missing":
        return first.state
    return "same" if mine.upper() == others.upper() else "different"


def _written(field: str, value: str) -> str:
    """A value as it is written in Peru: days before months."""
    if field == "birth_date" and value:
        return "/".join(reversed(value.split("-")))
    return {"F": "Mujer", "M": "Hombre"}.get(value, value) if field == "sex" else value


def _days(moment: datetime) -> int:
    return (now() - moment).days
