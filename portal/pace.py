"""A page sent piece by piece is to be taken, too: who reads it slowly, or never, keeps no place of others for long."""

import time
from collections.abc import Iterable, Iterator
from socket import socket

SECONDS = 20.0
"""What a reader may take for all pieces of a page together; what holders take is not counted."""


def paced(pieces: Iterable[str], client: socket | None, seconds: float = SECONDS) -> Iterator[str]:
    """The pieces, for as long as whoever takes them needs less than `seconds` in all; raises TimeoutError.

    Of `client`, the connection they are written to, each write ends then as well: a reader who takes nothing would
    else hold the thread in it for good.
    """
    left = seconds
    for piece in pieces:
        if client is not None:
            client.settimeout(left)
        began = time.monotonic()
        yield piece
        left -= time.monotonic() - began
        if left <= 0:
            raise TimeoutError("the page was not taken in time")
