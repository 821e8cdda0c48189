"""The fetches of a process: how many at once, and how many of them one client may have."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from uuid import UUID, uuid4

import pytest

from consent_broker.broker import ExchangeSlots
from registry.errors import Unavailable


@pytest.mark.parametrize(("total", "share"), [(1, 1), (2, 1), (6, 3), (7, 4)])
def test_a_client_has_half_and_all_clients_have_all(total: int, share: int) -> None:
    slots = ExchangeSlots(total)
    with ExitStack() as held:
        for _ in range(share):
            held.enter_context(slots.hold("a"))
        with pytest.raises(Unavailable), slots.hold("a"):
            pass
        for number in range(total - share):
            held.enter_context(slots.hold(f"other-{number}"))
        with pytest.raises(Unavailable), slots.hold("b"):
            pass
    with slots.hold("a"):
        pass


def test_a_failed_fetch_gives_its_slot_back() -> None:
    slots = ExchangeSlots(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="holder"), slots.hold(None):
            raise ValueError("holder")


def test_of_many_at_once_no_more_than_the_share_get_in() -> None:
    slots, many = ExchangeSlots(6), 24
    together = Barrier(many)

    def try_one(_: int) -> bool:
        together.wait(10)
        with ExitStack() as held:
            try:
                held.enter_context(slots.hold("a"))
            except Unavailable:
                together.wait(10)
                return False
            together.wait(10)
            return True

    with ThreadPoolExecutor(many) as pool:
        assert sum(pool.map(try_one, range(many))) == slots.share


def greedy(slots: ExchangeSlots, held: ExitStack, *who: str | UUID) -> int:
    """Take, in turns, as many as they get, whatever they are told; how many that is."""
    taken, refused = 0, 0
    while refused < len(who):
        for one in who:
            try:
                held.enter_context(slots.hold(one) if isinstance(one, str) else slots.hold(None, one))
                taken, refused = taken + 1, 0
            except Unavailable:
                refused += 1
    return taken


@pytest.mark.parametrize("total", range(4, 30))
def test_two_clients_that_conspire_leave_room_for_a_third(total: int) -> None:
    for first in (("a", "b"), ("a",)):
        slots = ExchangeSlots(total)
        with ExitStack() as held:
            greedy(slots, held, *first)
            greedy(slots, held, "a", "b")
            with slots.hold("c"):
                pass


@pytest.mark.parametrize(("total", "most"), [(6, 1), (8, 2), (9, 2), (24, 4)])
def test_readers_of_the_portal_who_conspire_leave_places_for_the_others(total: int, most: int) -> None:
    slow, fellow, other = uuid4(), uuid4(), uuid4()
    slots = ExchangeSlots(total)
    with ExitStack() as held:
        assert greedy(slots, held, slow) == most
        greedy(slots, held, slow, fellow)
        with slots.hold(None, other), slots.hold("a client"):
            pass
    assert not slots._taken
