"""Where a record belongs: the engine's resolution turned into a placement, pure and without a database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from matching.cluster import Member, Resolution, resolve
from matching.model import Model
from matching.normalise import Normalised
from matching.score import score

Decision = Literal["link", "review", "new", "keep"]
LEAST_EVIDENCE_BITS = -4.0


@dataclass(frozen=True, slots=True)
class Home:
    """The person a known record is kept under, what it said before, and whether it is the only one there."""

    person_id: UUID
    previous: Normalised
    alone: bool


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
    model: Model, arrival: Member, candidates: Mapping[UUID, Sequence[Member]], home: Home | None = None
) -> Placement:
    """Place a record among the persons found, which must not contain the record itself.

    An unseen record is linked, or gets a person of its own (with a case for the steward when in doubt). A known record
    stays where it is unless what it says now links it elsewhere, or no longer agrees with anyone there. Alone in its
    person it leaves when it no longer agrees with its own former version: a local number was given to someone else.
    """
    others = {key: members for key, members in candidates.items() if members}
    found = resolve(model, arrival.normalised, others, establishment=arrival.establishment, verified=arrival.verified)
    if home is None:
        return Placement(found.kind, found.key if found.kind == "link" else None, found)
    same = _same_human(model, home.previous, arrival.normalised)
    if found.kind == "link":
        decision: Decision = "keep" if found.key == home.person_id else "link"
        return Placement(decision, found.key, found, same)
    stays = same if home.alone else home.person_id in {found.key, *found.rivals}
    if found.kind == "review":
        return Placement("review", home.person_id if stays else None, found, same)
    return Placement("keep" if stays else "new", home.person_id if stays else None, found, same)


def _same_human(model: Model, previous: Normalised, now: Normalised) -> bool:
    """Whether two versions of one record may be one human's.

    Sharing a local number replaces the prior of two records taken at random, so only the evidence beyond it counts.
    """
    compared = score(model, previous, now)
    prior = sum(part.weight for part in compared.contributions if part.field == "prior")
    return compared.weight_bits - prior >= LEAST_EVIDENCE_BITS
