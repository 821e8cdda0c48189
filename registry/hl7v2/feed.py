"""The patient identity feed: ADT events (IHE ITI-8, ITI-30), written by the same road as the FHIR feed."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from uuid import UUID

from registry.access import Caller
from registry.app import parts
from registry.database import session
from registry.directory.service import get_establishment
from registry.errors import NotFound, Unprocessable
from registry.fhir.patient_feed import feed_number
from registry.fhir.wire import check
from registry.hl7v2.faults import SEGMENT_SEQUENCE, UNKNOWN_KEY, Fault
from registry.hl7v2.moments import said_at
from registry.hl7v2.parsing import Message, Segment
from registry.hl7v2.patient_reading import own_number, read_patient
from registry.identity.doubts import Doubt, doubt_link
from registry.identity.duplicates import Duplicate, resolve_duplicate
from registry.identity.records import find_own_id
from registry.identity.service import engine_of

Event = Callable[[Caller, Message], None]


def register(caller: Caller, message: Message) -> None:
    """A01, A04, A05, A08, A28, A31: what is said of a patient; a message that comes late changes nothing."""
    number, patient = read_patient(session(), message, _system(caller))
    check(patient, "Patient")
    feed_number(engine_of(parts()), caller, number, patient, said_at=said_at(message))


def merge(caller: Caller, message: Message) -> None:
    """A40: each MRG's number is a duplicate of the PID before it; the duplicate is kept, inactive and replaced."""
    for pid, mrg in _merges(message):
        system = _system(caller)
        survivor = own_number(session(), pid, system)
        former = own_number(session(), mrg, system, 1)
        _resolve(caller, (former, "MRG^1^1"), _known(caller, survivor, "PID^1^3"), both_stand=False)


def link(caller: Caller, message: Message) -> None:
    """A24: two numbers are one patient's, and both stay in use."""
    other, number = _pair(caller, message)
    _resolve(caller, (number, "PID^2^3"), _known(caller, other, "PID^1^3"), both_stand=True)


def unlink(caller: Caller, message: Message) -> None:
    """A37: two numbers are not one patient's; the stewards are asked where the registry took them for one."""
    other, number = _pair(caller, message)
    doubt = Doubt(
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        local_number=number,
        other_number=other,
        token_id=caller.token_id,
    )
    try:
        doubt_link(session(), parts().sealer, doubt)
    except NotFound as error:
        raise Fault(error.message, number=UNKNOWN_KEY, place="PID^1^3") from None


EVENTS: Mapping[str, Event] = MappingProxyType({
    **dict.fromkeys(("A01", "A04", "A05", "A08", "A28", "A31"), register),
    "A40": merge,
    "A24": link,
    "A37": unlink,
})  # fmt: skip


def _system(caller: Caller) -> str:
    return get_establishment(session(), caller.establishment_id).identifier_system


def _merges(message: Message) -> Iterator[tuple[Segment, Segment]]:
    """The pairs of a merge: PID [PD1] MRG, repeated."""
    pid: Segment | None = None
    found = False
    for segment in message.segments:
        if segment.name == "PID":
            pid = segment
        elif segment.name == "MRG":
            if pid is None:
                raise Fault("An MRG stands behind its PID.", number=SEGMENT_SEQUENCE, place="MRG^1")
            found = True
            yield pid, segment
            pid = None
    if not found:
        raise Fault("The message has no MRG segment.", number=SEGMENT_SEQUENCE, place="MRG^1")


def _pair(caller: Caller, message: Message) -> tuple[str, str]:
    segments = message.all("PID")
    if len(segments) != 2:
        raise Fault("The message names two patients.", number=SEGMENT_SEQUENCE, place="PID^2")
    one, other = (own_number(session(), segment, _system(caller)) for segment in segments)
    return one, other


def _known(caller: Caller, number: str, place: str) -> UUID:
    """The record of a number of one's own; raises Fault."""
    found = find_own_id(session(), parts().sealer, caller.establishment_id, number)
    if found is None:
        raise Fault("Your establishment has no such record.", number=UNKNOWN_KEY, place=place)
    return found


def _resolve(caller: Caller, duplicate: tuple[str, str], survivor_id: UUID, *, both_stand: bool) -> None:
    """A number, and where the message names it, is a duplicate of a record; raises Fault."""
    number, place = duplicate
    _known(caller, number, place)
    claim = Duplicate(
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        local_number=number,
        survivor_id=survivor_id,
        token_id=caller.token_id,
        both_stand=both_stand,
    )
    try:
        resolve_duplicate(session(), engine_of(parts()), claim)
    except Unprocessable as error:
        raise Fault(error.message, number=UNKNOWN_KEY, place=place, hint=error.hint) from None
