"""Connections of which every step ends at one deadline: who sends a byte now and then is waited for no longer.

A time-out of a read begins anew with each byte, so that a header sent slowly enough would never end.
"""

import math
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore

_ENDS_AT: ContextVar[float] = ContextVar("ends_at", default=math.inf)


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """What this thread reads, writes or connects by `Bounded` meanwhile ends then (of `time.monotonic`)."""
    token = _ENDS_AT.set(deadline)
    try:
        yield
    finally:
        _ENDS_AT.reset(token)


def _left(timeout: float | None) -> float | None:
    """The time-out of one step; raises TimeoutException past the deadline."""
    left = _ENDS_AT.get() - time.monotonic()
    if left <= 0:
        raise httpcore.TimeoutException("past the deadline")
    if timeout is None:
        return left if math.isfinite(left) else None
    return min(timeout, left)


class Bounded(httpcore.NetworkBackend):
    """Opens connections, as `network` does, that keep to the deadline of whoever uses them."""

    def __init__(self, network: httpcore.NetworkBackend | None = None) -> None:
        self._network = network or httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._network.connect_tcp(host, port, _left(timeout), local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
