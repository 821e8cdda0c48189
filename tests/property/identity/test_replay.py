"""Laws of membership: replaying events gives the projection, and a placement depends on nothing but its input."""

from dataclasses import dataclass
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from registry.identity.contents import Content, from_bytes, to_bytes
from registry.identity.events import EventKind, replay
from tests.property.fhir.test_round_trip import FACTS


@dataclass(frozen=True)
class Fact:
    kind: str
    person_id: UUID
    source_record_id: UUID
    other_person_id: UUID | None = None


class Memberships(RuleBasedStateMachine):
    """Moves records about as registration does, beside a plain model of where each one is."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Fact] = []
        self.where: dict[UUID, UUID] = {}
        self.replaced: dict[UUID, UUID] = {}

    @rule(record=st.integers(1, 5), person=st.integers(100, 104))
    def move(self, record: int, person: int) -> None:
        who, target = UUID(int=record), UUID(int=person)
        home = self.where.get(who)
        if home == target:
            return
        if home is not None:
            self.events.append(Fact(EventKind.UNLINKED, home, who))
        self.events.append(Fact(EventKind.LINKED, target, who))
        self.where[who] = target
        if home is not None and home not in self.where.values():
            self.events.append(Fact(EventKind.MERGED, home, who, target))
            self.replaced[home] = target

    @rule(record=st.integers(1, 5))
    def split(self, record: int) -> None:
        if self.replaced:
            person = min(self.replaced)
            self.events.append(Fact(EventKind.SPLIT, person, UUID(int=record)))
            del self.replaced[person]

    @invariant()
    def replaying_gives_today(self) -> None:
        state = replay(self.events)
        assert state.memberships == self.where
        assert state.replaced_by == self.replaced

    @invariant()
    def any_past_moment_is_a_prefix(self) -> None:
        half = len(self.events) // 2
        early = replay(self.events[:half])
        assert set(early.memberships) <= {event.source_record_id for event in self.events[:half]}


TestMemberships = Memberships.TestCase


@given(FACTS, st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_content_survives_its_bytes(facts: object, system: str, number: str) -> None:
    content = Content(system, number, facts)  # type: ignore[arg-type]
    assert from_bytes(to_bytes(content)) == content
    assert to_bytes(from_bytes(to_bytes(content))) == to_bytes(content)
