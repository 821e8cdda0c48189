"""Where a record belongs: the engine's resolution turned into a placement, pure and without a database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from matching.cluster import Member, Resolution, resolve
from matching.model import Model
from matching.normalise import Normalised
from matching.score import score
from registry.identity.agreement import dnis, documents_contradict, exchanged_dni, names_contradict

Decision = Literal["link", "review", "new", "keep"]
LEAST_EVIDENCE_BITS = -4.0
DOCUMENT_CONFLICT = "document-conflict"
RULED = "steward-ruling"
NOBODY: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Home:
    """The person a known record is kept under, what it said before (and whether RENIEC confirmed that), and whether
    it is the only one there.
    """

    person_id: UUID
    previous: Normalised
    alone: bool
    verified: bool = False
    held: bool = False
    """A steward ruled that the record belongs here, and its data have not changed since."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The decision; `person_id` None is a new person, `same_human` whether the record still speaks of whom it did."""

    decision: Decision
    person_id: UUID | None
    resolution: Resolution[UUID]
    same_human: bool = True

    @property
    def rivals(self) -> list[UUID]:
        """Persons a steward should look at beside the one chosen."""
        named = (self.resolution.key, *self.resolution.rivals)
        return sorted({key for key in named if key is not None and key != self.person_id})


def place(
    model: Model,
    arrival: Member,
    candidates: Mapping[UUID, Sequence[Member]],
    home: Home | None = None,
    barred: Collection[UUID] = NOBODY,
) -> Placement:
    """Place a record among the persons found, which must not contain the record itself.

    An unseen record is linked, or gets a person of its own (with a case for the steward when in doubt). A known record
    stays where it is unless what it says now links it elsewhere, or no longer agrees with anyone there. Alone in its
    person it leaves when it no longer agrees with its own former version: a local number was given to someone else.
    In doubt it stays only where neither its document nor its names speak against the others (`_stays_in_doubt`), and no
    record brings a new DNI into a person of a verified one without a steward. What stewards ruled goes before all that:
    a record stays where it was found to belong, and `barred` persons are never looked at.
    """
    others = {key: members for key, members in candidates.items() if members and key not in barred}
    if home is not None and home.held:
        return Placement("keep", home.person_id, Resolution("link", home.person_id, None, RULED))
    found = resolve(model, arrival.normalised, others, establishment=arrival.establishment, verified=arrival.verified)
    target = found.key if found.kind == "link" else None
    if target is not None and _brings_other_dni(arrival, others[target], target, home):
        found = replace(found, kind="review", reason=DOCUMENT_CONFLICT)
    if home is None:
        return Placement(found.kind, found.key if found.kind == "link" else None, found)
    same = _same_human(model, home, arrival.normalised)
    if found.kind == "link":
        decision: Decision = "keep" if found.key == home.person_id else "link"
        return Placement(decision, found.key, found, same)
    if found.kind == "review":
        stays = _stays_in_doubt(arrival.normalised, others.get(home.person_id, ()), home, found, same=same)
        return Placement("review", home.person_id if stays else None, found, same)
    stays = home.alone and same
    return Placement("keep" if stays else "new", home.person_id if stays else None, found, same)


def _brings_other_dni(arrival: Member, members: Sequence[Member], key: UUID, home: Home | None) -> bool:
    """Whether the record would add a DNI to a person of whom RENIEC confirmed another one."""
    confirmed = [one.normalised for one in members if one.verified]
    brought = dnis(arrival.normalised)
    if home is not None and home.person_id == key:
        confirmed += [home.previous] if home.verified else []
        brought -= dnis(home.previous)
    known = frozenset[str]().union(*map(dnis, confirmed))
    return bool(known) and not brought <= known


def _stays_in_doubt(
    now: Normalised, others: Sequence[Member], home: Home, found: Resolution[UUID], *, same: bool
) -> bool:
    """Whether a revised record the engine is not sure of may stay where it is.

    What a record was linked by must not be exchanged, step by step, for another human's document and names.
    """
    if exchanged_dni(home.previous, now):
        return False
    if home.alone:
        return same
    carried = dnis(home.previous).union(*(dnis(one.normalised) for one in others))
    if home.person_id not in {found.key, *found.rivals} or not dnis(now) <= carried:
        return False
    return not any(documents_contradict(now, one.normalised) or names_contradict(now, one.normalised) for one in others)


def _same_human(model: Model, home: Home, now: Normalised) -> bool:
    """Whether two versions of one record may be one human's.

    Sharing a local number replaces the prior of two records taken at random, so only the evidence beyond it counts.
    A DNI that RENIEC confirmed and that is now another one says no, whatever else agrees.
    """
    if home.verified and exchanged_dni(home.previous, now):
        return False
    compared = score(model, home.previous, now)
    prior = sum(part.weight for part in compared.contributions if part.field == "prior")
    return compared.weight_bits - prior >= LEAST_EVIDENCE_BITS
