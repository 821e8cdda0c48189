"""A page sent piece by piece: who does not take it in time gets no more of it, and holds nobody's thread."""

import socket
from collections.abc import Iterator

import pytest

from portal.pace import paced

LARGE = "x" * 4_000_000


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_reader_who_takes_nothing_ends_the_write(connection: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = connection
    coming = paced([LARGE, LARGE], ours, seconds=0.05)
    written = next(coming).encode()
    with pytest.raises(TimeoutError):
        ours.sendall(written)
    with pytest.raises(TimeoutError):
        next(coming)


def test_all_pieces_together_have_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 100, 8))
    monkeypatch.setattr("portal.pace.time.monotonic", lambda: next(clock))
    coming = paced("abcdef", None, seconds=20)
    assert [next(coming) for _ in range(3)] == ["a", "b", "c"]
    with pytest.raises(TimeoutError):
        next(coming)


def test_who_waits_for_a_piece_pays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [0.0]
    monkeypatch.setattr("portal.pace.time.monotonic", lambda: moment[0])

    def slow() -> Iterator[str]:
        for piece in "abc":
            moment[0] += 1000
            yield piece

    assert list(paced(slow(), None, seconds=20)) == ["a", "b", "c"]
