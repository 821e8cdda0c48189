"""The fetches of a process: how many at once, and how many of them one client may have."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from uuid import uuid4

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


def test_one_reader_of_the_portal_leaves_places_for_the_others() -> None:
    slots, slow, other = ExchangeSlots(6), uuid4(), uuid4()
    with ExitStack() as held:
        held.enter_context(slots.hold(None, slow))
        held.enter_context(slots.hold(None, slow))
        with pytest.raises(Unavailable), slots.hold(None, slow):
            pytest.fail("a third page of one reader")
        held.enter_context(slots.hold(None, other))
        with pytest.raises(Unavailable), slots.hold(None, other):
            pytest.fail("beyond the portal's share")
    with slots.hold(None, slow):
        pass
