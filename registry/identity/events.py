"""Membership as a history of events: today's state, and any past one, is what replaying them gives."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class EventKind(StrEnum):
    """What can happen to a membership; stored by value."""

    LINKED = "linked"
    UNLINKED = "unlinked"
    MERGED = "merged"
    SPLIT = "split"


class MembershipFact(Protocol):
    """The part of a membership event that changes the state."""

    @property
    def kind(self) -> str: ...
    @property
    def person_id(self) -> UUID: ...
    @property
    def source_record_id(self) -> UUID: ...
    @property
    def other_person_id(self) -> UUID | None: ...


@dataclass
class State:
    """Who each record is about, and which persons were replaced by which."""

    memberships: dict[UUID, UUID] = field(default_factory=dict)
    replaced_by: dict[UUID, UUID] = field(default_factory=dict)


def replay(events: Iterable[MembershipFact]) -> State:
    """The state after the events, which come in the order of their position.

    `linked` and `unlinked` move one record; `merged` marks the emptied person as replaced by the other; `split` takes
    that mark away.
    """
    state = State()
    for event in events:
        if event.kind == EventKind.LINKED:
            state.memberships[event.source_record_id] = event.person_id
        elif event.kind == EventKind.UNLINKED:
            if state.memberships.get(event.source_record_id) == event.person_id:
                del state.memberships[event.source_record_id]
        elif event.kind == EventKind.MERGED and event.other_person_id is not None:
            state.replaced_by[event.person_id] = event.other_person_id
        elif event.kind == EventKind.SPLIT:
            state.replaced_by.pop(event.person_id, None)
    return state
