"""Connections before their TLS handshake: nobody knows yet who they are, so they are counted by their address."""

import asyncio
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import cast


class Handshakes:
    """How many are under way, in all and from one place."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._open: Counter[str] = Counter()

    def begin(self, place: str) -> bool:
        """Count one more; False where it is one too many."""
        if self._open.total() >= self._most or self._open[place] >= self._most_of_one:
            return False
        self._open[place] += 1
        return True

    def end(self, place: str) -> None:
        """One that was begun is over, however it went."""
        self._open[place] -= 1
        if not self._open[place]:
            del self._open[place]


class Knock(asyncio.Protocol):
    """A connection nothing is read of until `greet` decided about it."""

    def __init__(self, greet: Callable[[asyncio.Transport], None]) -> None:
        self._greet = greet

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = cast("asyncio.Transport", transport)
        connection.pause_reading()
        self._greet(connection)


def place_of(transport: asyncio.BaseTransport) -> str:
    """The peer's address; of IPv6 its network of 64 bits, since whoever has one address has all of them."""
    peer = transport.get_extra_info("peername")
    address = ip_address(str(peer[0]).partition("%")[0]) if peer else None
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
