"""A case side by side: what the record and each rival say, how field compares with field, and how much that weighs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from matching.levels import DIFFERENT, FIELDS, MISSING, SAME
from matching.records import Demographics, Document
from matching.score import Score, score
from registry.audit.service import record as audit
from registry.errors import InvalidInput
from registry.identity.candidates import LoadedMember, LoadedPerson, load_persons
from registry.identity.deciding import current_ids
from registry.identity.decisions import Decision, list_decisions
from registry.identity.engine import Engine
from registry.identity.plans import conflicting
from registry.identity.records import list_checks
from registry.identity.stewards import Steward, require_steward, require_stranger
from registry.identity.worklist import CaseLine, get_line

SENSITIVE = frozenset({"documents", "mother_document", "address", "phone"})
"""Fields shown masked until a steward asks for them, which is in the log of the person."""

SHOWN_CHARACTERS = 3
MASK = "····"
COMPARED = {
    "documents": ("document",),
    "paternal_surname": ("paternal", "surname_order"),
    "maternal_surname": ("maternal",),
    "married_surname": (),
    "given_names": ("given",),
    "sex": ("sex",),
    "birth_date": ("birth",),
    "ubigeo": ("place",),
    "address": ("address",),
    "phone": ("phone",),
    "mother_document": ("mother",),
    "multiple_birth_order": ("birth_order",),
}
"""The fields in the order they are shown, and the engine's fields that compare them."""

State = Literal["same", "similar", "different", "missing"]
_SAME = frozenset({SAME, "straight", "district"})
_DIFFERENT = frozenset({DIFFERENT, "generation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A source record in words: who said it and when, what the identity registry answered, and every value.

    `values` has an entry for each field of `COMPARED`, empty where nothing was said; `masked` names those not shown.
    """

    record_id: UUID
    person_id: UUID
    establishment_id: UUID
    version: int
    received_at: datetime
    active: bool
    check: str | None
    values: Mapping[str, str]
    masked: frozenset[str]


@dataclass(frozen=True, slots=True)
class FieldComparison:
    """How one field agrees: the engine's level, in one of four words, and what it adds to the weight in bits."""

    field: str
    level: str
    state: State
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A person the record may be about: its records, and the comparison with the one most like it.

    `weight_bits` and `probability` are by the current model (`model_hash`); None where a rival can't be opened.
    `two_humans` when RENIEC confirmed different DNIs, so that nobody may join them.
    """

    person_id: UUID
    is_home: bool
    records: Sequence[Said]
    closest: UUID | None
    fields: Sequence[FieldComparison]
    weight_bits: float | None
    probability: float | None
    model_hash: str
    two_humans: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All a steward needs to decide; `evidence` is what the engine saw when it asked, under `evidence_model`."""

    line: CaseLine
    record: Said | None
    companions: Sequence[Said]
    """The other records of the person the record is kept under."""
    rivals: Sequence[Rival]
    evidence: Sequence[FieldComparison]
    evidence_model: str
    decisions: Sequence[Decision]


def read_case(session: Session, engine: Engine, steward: Steward, case_id: UUID, reveal: Collection[str] = ()) -> Case:
    """A case side by side; the reading, and each sensitive field asked for, is in the log of every person concerned.

    Raises NotFound, Forbidden (no steward, or a case about oneself), InvalidInput for a field nobody may reveal.
    """
    require_steward(session, steward)
    if not SENSITIVE.issuperset(reveal):
        raise InvalidInput(f"What can be revealed: {', '.join(sorted(SENSITIVE))}.", code="field-unknown")
    line = get_line(session, case_id)
    rivals = current_ids(session, line.rivals)
    persons = load_persons(session, engine.sealer, {line.person_id, *rivals})
    require_stranger(engine.sealer, steward, persons.values())
    _account(session, steward, line, persons, reveal)
    viewer = _Viewer(session, engine, persons, frozenset(reveal))
    home = persons.get(line.person_id)
    members = home.members if home else ()
    record = next((one for one in members if one.record_id == line.source_record_id), None)
    return Case(
        line=line,
        record=viewer.say(line.person_id, record) if record else None,
        companions=[viewer.say(line.person_id, one) for one in members if one is not record],
        rivals=[viewer.rival(key, record, is_home=key == line.person_id) for key in rivals],
        evidence=_stored(line.contributions),
        evidence_model=line.model_hash,
        decisions=list_decisions(session, case_id=case_id),
    )


def _account(
    session: Session, steward: Steward, line: CaseLine, persons: Collection[UUID], reveal: Collection[str]
) -> None:
    action = "identity:case:revealed" if reveal else "identity:case:read"
    for person_id in sorted(persons):
        audit(session, steward.event(action, person_id, line.reason, case=str(line.id), fields=sorted(reveal)))


class _Viewer:
    """Turns loaded persons into what is shown of them."""

    def __init__(
        self, session: Session, engine: Engine, persons: Mapping[UUID, LoadedPerson], reveal: frozenset[str]
    ) -> None:
        self.engine, self.persons, self.masked = engine, persons, SENSITIVE - reveal
        self.checks = list_checks(session, [one.record_id for person in persons.values() for one in person.members])

    def say(self, person_id: UUID, member: LoadedMember) -> Said:
        """One record in words."""
        return say(person_id, member, self.checks.get(member.record_id), self.masked)

    def rival(self, person_id: UUID, record: LoadedMember | None, *, is_home: bool) -> Rival:
        """A person beside the record, compared by its closest member under the current model."""
        person = self.persons.get(person_id)
        members = [one for one in person.members if one is not record] if person else []
        closest, best = self._closest(record, members)
        return Rival(
            person_id=person_id,
            is_home=is_home,
            records=[self.say(person_id, one) for one in members],
            closest=closest.record_id if closest else None,
            fields=_fields(best) if best else [],
            weight_bits=best.weight_bits if best else None,
            probability=best.probability if best else None,
            model_hash=self.engine.model.hash,
            two_humans=record is not None and conflicting([record.member()], [one.member() for one in members]),
        )

    def _closest(
        self, record: LoadedMember | None, members: Sequence[LoadedMember]
    ) -> tuple[LoadedMember | None, Score | None]:
        if record is None or not members:
            return None, None
        scored = [(score(self.engine.model, record.normalised, one.normalised), one) for one in members]
        best, closest = max(scored, key=lambda pair: (pair[0].weight_bits, -pair[1].record_id.int))
        return closest, best


def say(person_id: UUID, member: LoadedMember, check: str | None, masked: frozenset[str]) -> Said:
    """A record in words, the masked fields by their end only."""
    values = values_of(member.content.demographics, member.content.born)
    return Said(
        record_id=member.record_id,
        person_id=person_id,
        establishment_id=member.establishment_id,
        version=member.version,
        received_at=member.received_at,
        active=member.active,
        check=check,
        values={field: mask(value) if field in masked else value for field, value in values.items()},
        masked=masked,
    )


def values_of(facts: Demographics, born: str | None) -> dict[str, str]:
    """Every field as it was said, in the order it is shown, `born` the birth date; empty where nothing was."""
    return {
        "documents": ", ".join(map(_document, facts.documents)),
        "paternal_surname": facts.paternal_surname or "",
        "maternal_surname": facts.maternal_surname or "",
        "married_surname": facts.married_surname or "",
        "given_names": facts.given_names or "",
        "sex": facts.sex or "",
        "birth_date": born or "",
        "ubigeo": facts.ubigeo or "",
        "address": facts.address or "",
        "phone": facts.phone or "",
        "mother_document": _document(facts.mother_document) if facts.mother_document else "",
        "multiple_birth_order": str(facts.multiple_birth_order or ""),
    }


def mask(value: str) -> str:
    """A value as it is shown before anybody asked: that there is one, and its end."""
    return f"{MASK}{value[-SHOWN_CHARACTERS:]}" if value else ""


def state_of(level: str) -> State:
    """An engine's level in one of four words."""
    if level == MISSING:
        return "missing"
    return "same" if level in _SAME else "different" if level in _DIFFERENT else "similar"


def _document(document: Document) -> str:
    country = "" if document.country == "PER" else f" {document.country}"
    return f"{document.type.value}{country} {document.number}"


def _fields(compared: Score) -> list[FieldComparison]:
    """Every field the engine compares, then the odds before any evidence and what relatives take away."""
    parts = {part.field: part for part in compared.contributions}
    missing = [FieldComparison(name, MISSING, "missing", 0.0) for name in FIELDS if name not in parts]
    return [*_stored([(part.field, part.level, part.weight) for part in compared.contributions]), *missing]


def _stored(contributions: Sequence[Sequence[str | float]]) -> list[FieldComparison]:
    """Contributions as they were kept with a decision of the engine."""
    return [
        FieldComparison(str(field), str(level), state_of(str(level)), float(weight))
        for field, level, weight in contributions
    ]
