"""How FHIR resources name each other; each name is one string.

`Type/id` is what a literal reference says; `urn:uuid:…` what a Bundle's entries, and some identifiers, are called. Of
an identifier, or of the address something was copied from, the name is a digest: they have any length and may say
something, and names are kept and travel in tokens.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.parse import unquote

_LITERAL = re.compile(r"(?<![A-Za-z0-9])([A-Z][A-Za-z]+)(?:/|/?\?(?:[^?#\s]*&)?_id=)([A-Za-z0-9\-.]+)")
"""A FHIR type and an id of it, as any literal reference has them."""

_LOGICAL = re.compile(r"[?&]identifier=([^&#\s\"'<>]+)")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_URN = re.compile(rf"urn:uuid:{_UUID.pattern}", re.IGNORECASE)
_DIGEST = re.compile(r"urn:renhice:(?:identifier|source):[A-Za-z0-9_-]{16}")
_ADDRESSES = frozenset({"source", "reference", "fullUrl"})
"""The elements that hold a resource's address."""


def reference_of(resource: Mapping[str, Any]) -> str:
    """`Type/id`."""
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def own_names(resource: Mapping[str, Any]) -> frozenset[str]:
    """What its holder may call a resource: its id, its identifiers, and the item of its type that it was copied from.

    `meta.source` names an item where it is the address of one; else it names the system, or the message, it came from.
    """
    found = set[str]()
    if isinstance(resource.get("id"), str):
        found.add(reference_of(resource))
    for element in ("identifier", "masterIdentifier"):
        said = resource.get(element)
        for one in said if isinstance(said, list) else [said]:
            found.update(_identified(one))
    meta = resource.get("meta")
    source = meta.get("source") if isinstance(meta, dict) else None
    if isinstance(source, str) and any(kind == resource.get("resourceType") for kind, _ in _LITERAL.findall(source)):
        found.update(_addressed(source))
    return frozenset(found)


def names_in(resource: Mapping[str, Any]) -> frozenset[str]:
    """What a resource is, contains or names anywhere.

    Literal references count in any form (relative, absolute, of a version, a search by `_id`) and in any string, also
    encoded for a URL or for XHTML; identifiers wherever there is one, so that a logical reference counts.
    """
    found = set[str]()
    for key, one in _walk(resource):
        if isinstance(one, str):
            found.update(_said(one))
            if key in _ADDRESSES:
                found.update(_addressed(one))
        elif key.lower().endswith("identifier"):
            found.update(_identified(one))
        if isinstance(one, Mapping) and "resourceType" in one:
            found.update(own_names(one))
    return frozenset(found)


def resources_in(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A resource and those inside it."""
    return (one for _, one in _walk(resource) if isinstance(one, Mapping) and "resourceType" in one)


def spelled(name: str) -> frozenset[str]:
    """A name, and how else who bears it is named: by the id alone, where no other can have it."""
    item_id = name.partition("/")[2]
    return frozenset({name, f"urn:uuid:{item_id.lower()}"} if _UUID.fullmatch(item_id) else {name})


def is_name(text: str) -> bool:
    """Whether a text is one name, as they are made here."""
    return text in set(_said(text)) or _DIGEST.fullmatch(text) is not None


def _walk(resource: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each object and text at any depth, with the name of the element it is in."""
    waiting: list[tuple[str, Any]] = [("", resource)]
    while waiting:
        key, one = waiting.pop()
        if isinstance(one, Mapping):
            waiting.extend(one.items())
        elif isinstance(one, list):
            waiting.extend((key, each) for each in one)
            continue
        yield key, one


def _said(text: str) -> Iterator[str]:
    """The names in a text."""
    if "&" in text or "%" in text:
        text = unquote(unescape(text))
    if "/" in text or "?" in text:
        for kind, item_id in _LITERAL.findall(text):
            yield f"{kind}/{item_id}"
            yield f"{kind}/{item_id.rstrip('.')}"
        for token in _LOGICAL.findall(text):
            system, _, value = token.rpartition("|")
            yield from _identified({"system": system, "value": value})
    if ":" in text:
        yield from map(str.lower, _URN.findall(text))


def _identified(identifier: Any) -> Iterator[str]:
    value, system = (
        (identifier.get("value"), identifier.get("system")) if isinstance(identifier, dict) else (None, None)
    )
    if not isinstance(value, str) or not value.strip():
        return
    urn = _URN.fullmatch(value.strip())
    yield urn[0].lower() if urn else _digest("identifier", f"{system or ''}|{value.strip()}")


def _addressed(address: str) -> Iterator[str]:
    """Where an item was copied from, whatever version of it and whatever message brought it."""
    bare = re.split(r"[?#]|/_history/", address, maxsplit=1)[0]
    if bare.startswith(("http://", "https://")) and _LITERAL.search(bare):
        yield _digest("source", bare)


def _digest(what: str, text: str) -> str:
    return f"urn:renhice:{what}:{urlsafe_b64encode(sha256(text.encode('utf-8', 'replace')).digest()[:12]).decode()}"
