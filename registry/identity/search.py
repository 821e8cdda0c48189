"""Searching for persons by demographics (IHE PDQm ITI-119) and by identifier (IHE PIXm ITI-83)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from matching.blocking import JANUARY, blocking_keys
from matching.cluster import Member, decide, rank
from matching.compare import compare_birth
from matching.compare_names import compare_surnames
from matching.levels import DIFFERENT, MISSING
from matching.normalise import Normalised, normalise
from matching.records import Demographics
from matching.score import Score, explain
from registry.errors import Unprocessable
from registry.identity.candidates import LoadedPerson, find_likely, find_persons, load_persons
from registry.identity.contents import local_domain
from registry.identity.engine import Engine, blind_keys
from registry.identity.models import Membership, SourceRecord
from registry.sealing import Sealer

Grade = Literal["certain", "probable", "possible"]
GRADES: tuple[Grade, ...] = ("certain", "probable", "possible")
MOST_RESULTS = 50
ANY_KEY = 1
BIRTHS = frozenset({"same", "same_partial", "swapped", "slip", "part"})


class SearchTooWide(Unprocessable):
    """What is sent makes no blocking key: too many people would answer to it."""

    code = "search-too-wide"
    fhir_code = "too-costly"

    def __init__(self) -> None:
        super().__init__(
            "This says too little to search for a person.", hint="Send a document number, or names with a birth date."
        )


@dataclass(frozen=True, slots=True)
class Match:
    """A person found, how sure the engine is, and the person's records for the caller to show what it may."""

    person: LoadedPerson
    score: float
    grade: Grade


def match(
    session: Session,
    engine: Engine,
    demographics: Demographics,
    *,
    count: int = 10,
    only_certain: bool = False,
    corroborated: bool = False,
) -> list[Match]:
    """Persons these demographics may be about, best first.

    `certain` is what registration would link without asking anybody: at most one person. With `only_certain` anything
    else gives no result; with `corroborated` a person is found only where a surname or the birth date agrees too, so
    that a document number alone tells nothing of its holder. Raises Unprocessable when the demographics say too little
    to search by.
    """
    wanted = normalise(demographics)
    tokens = blind_keys(engine.sealer, blocking_keys(wanted))
    if not tokens:
        raise SearchTooWide
    if corroborated and not _can_be_corroborated(wanted):
        return []  # before anybody is looked up: the time taken would tell whether the number is known
    persons = find_likely(session, engine, wanted, tokens)
    graded = _grade(engine, wanted, persons)
    if corroborated:
        graded = [found for found in graded if _corroborates(wanted, found.person)]
    if only_certain:
        graded = [found for found in graded if found.grade == "certain"]
    return graded[: min(count, MOST_RESULTS)]


def find_candidates(
    session: Session, sealer: Sealer, readings: Iterable[Demographics], *, whole_day: bool = True
) -> list[LoadedPerson]:
    """Persons with a record that shares a blocking key with any of the readings, by id; raises SearchTooWide.

    A reading with a document finds only whom a surname or the birth date agrees with too (`match`, corroborated).
    Without a `whole_day` of birth the year alone is no key: those whose day is known would seem not to exist.
    """
    wanted = [normalise(one) for one in readings]
    keyed = [(one, blocking_keys(one)) for one in wanted]
    if not any(whole_day or not key.startswith(JANUARY) for _, keys in keyed for key in keys):
        raise SearchTooWide
    answerable = [keys for one, keys in keyed if not one.documents or _can_be_corroborated(one)]
    tokens = sorted({token for keys in answerable for token in blind_keys(sealer, keys)})
    if not tokens:
        return []
    persons = find_persons(session, sealer, tokens, ANY_KEY)
    return [
        person
        for _, person in sorted(persons.items())
        if any(not one.documents or _corroborates(one, person) for one in wanted)
    ]


def _grade(engine: Engine, wanted: Normalised, persons: dict[UUID, LoadedPerson]) -> list[Match]:
    arrival = Member(wanted)
    standings = rank(engine.model, arrival, {key: [one.member() for one in p.members] for key, p in persons.items()})
    decision = decide(engine.model, standings)
    certain = decision.key if decision.kind == "link" else None
    found = []
    for standing in standings:
        person = persons[standing.key]
        if _worth_showing(engine, wanted, person, standing.bits):
            best = explain(engine.model, standing.closest)
            grade = _grade_of(engine, best, is_certain=standing.key == certain)
            found.append(Match(person, best.probability, grade))
    return sorted(found, key=lambda one: (GRADES.index(one.grade), -one.score, one.person.person_id))


def _can_be_corroborated(wanted: Normalised) -> bool:
    """Whether a name or a birth date is there to agree, besides a document number."""
    return bool(wanted.birth_date or wanted.paternal or wanted.maternal or wanted.married or wanted.given)


def _corroborates(wanted: Normalised, person: LoadedPerson) -> bool:
    """A surname or the birth date of one of the person's records agrees with what was sent."""
    return any(
        compare_birth(wanted, one.normalised) in BIRTHS
        or any(level not in {MISSING, DIFFERENT} for level, _ in compare_surnames(wanted, one.normalised)[:2])
        for one in person.members
    )


def _worth_showing(engine: Engine, wanted: Normalised, person: LoadedPerson, bits: float) -> bool:
    """Enough evidence, or the very document that was asked for."""
    documents = set(wanted.documents)
    carries = any(documents & set(one.normalised.documents) for one in person.members)
    return carries or bits >= engine.model.thresholds.review


def _grade_of(engine: Engine, best: Score, *, is_certain: bool) -> Grade:
    if is_certain:
        return "certain"
    return "probable" if best.weight_bits >= engine.model.thresholds.link and not best.conflicts else "possible"


def find_by_local_number(session: Session, sealer: Sealer, establishment_id: UUID, number: str) -> LoadedPerson | None:
    """The person a local number in use of an establishment is about, with its records.

    None for an unknown number, and for one that was removed or replaced by another (PIXm ITI-83).
    """
    token = sealer.blind(local_domain(establishment_id), number)
    query = (
        select(Membership.person_id)
        .join(SourceRecord, SourceRecord.id == Membership.source_record_id)
        .where(SourceRecord.local_token == token, SourceRecord.establishment_id == establishment_id)
        .where(SourceRecord.active)
    )
    return _load(session, sealer, session.scalar(query))


def find_by_source_record(session: Session, sealer: Sealer, record_id: UUID) -> LoadedPerson | None:
    """The person a source record is about, with its records; None for an unknown id."""
    query = select(Membership.person_id).where(Membership.source_record_id == record_id)
    return _load(session, sealer, session.scalar(query))


def _load(session: Session, sealer: Sealer, person_id: UUID | None) -> LoadedPerson | None:
    return load_persons(session, sealer, [person_id]).get(person_id) if person_id else None
