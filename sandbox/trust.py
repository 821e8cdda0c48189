"""The certificates the sandbox's HTTP clients trust."""

from functools import cache
from ssl import SSLContext

import httpx


@cache
def trust() -> SSLContext:
    """The machine's trust store, read once a process: reading it takes longer than most requests."""
    return httpx.create_ssl_context()
