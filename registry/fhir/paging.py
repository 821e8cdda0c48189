"""Page tokens: what a further page of a search repeats, sealed for the client that searched and good for an hour."""

import json
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry.errors import InvalidInput
from registry.sealing import Sealer

LASTS = 3600
NONCE = 12


class Page(NamedTuple):
    """The criteria of a search (name, modifier, values) and where the page begins."""

    criteria: list[tuple[str, str | None, list[str]]]
    size: int
    offset: int


def seal_page(sealer: Sealer, reader: str, resource_type: str, page: Page) -> str:
    """A token for the address of a page; only the same reader can use it, and only for that type."""
    nonce = os.urandom(NONCE)
    said = json.dumps([int(time.time()) + LASTS, *page]).encode()
    sealed = AESGCM(_key(sealer)).encrypt(nonce, said, _bound(reader, resource_type))
    return urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()


def open_page(sealer: Sealer, reader: str, resource_type: str, token: str) -> Page:
    """What `seal_page` sealed; raises InvalidInput for anything else, and after an hour."""
    try:
        sealed = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        opened = AESGCM(_key(sealer)).decrypt(sealed[:NONCE], sealed[NONCE:], _bound(reader, resource_type))
        ends_at, criteria, size, offset = json.loads(opened)
    except (ValueError, InvalidTag):
        ends_at = 0
    if ends_at < time.time():
        raise InvalidInput("This page is not there any more.", code="page-expired", hint="Search again.")
    return Page(criteria, size, offset)


def _key(sealer: Sealer) -> bytes:
    return sealer.blind("fhir:page", "key")


def _bound(reader: str, resource_type: str) -> bytes:
    return f"{reader}\x00{resource_type}".encode()
