"""How FHIR resources name each other; each name is one string.

`Type/id` is what a literal reference says; `urn:uuid:…` what a Bundle's entries, and some identifiers, are called. Of
an identifier, or of the address something was copied from, the name is a digest: they have any length and may say
something, and names are kept and travel in tokens.
"""

import json
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.parse import unquote, unquote_plus

_LITERAL = re.compile(r"(?<![A-Za-z0-9])([A-Z][A-Za-z]+)(?=(?:/|/?\?(?:[^?#\s]*&)?_id=)([A-Za-z0-9\-.]+))")
"""A FHIR type and an id of it, as any literal reference has them; of `/FHIR/Condition/7` both pairs."""

_NUMBERED = re.compile(r"&#0*+([0-9]*)")
_MOST_DIGITS = 7
_LOGICAL = re.compile(r"[?&]identifier=([^&#\s\"'<>]+)")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_URN = re.compile(rf"urn:uuid:{_UUID.pattern}", re.IGNORECASE)
_DIGEST = re.compile(r"urn:renhice:(?:identifier|source):[A-Za-z0-9_-]{16}")
_BASE64 = frozenset({"data", "valueBase64Binary"})
_ADDRESSES = frozenset({"source", "reference", "fullUrl"})
"""The elements that hold a resource's address."""


def reference_of(resource: Mapping[str, Any]) -> str:
    """`Type/id`."""
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def own_names(resource: Mapping[str, Any]) -> frozenset[str]:
    """What its holder may call a resource: its id, its identifiers, and the item of its type that it was copied from.

    `meta.source` names an item where it is the address of one; else it names the system, or the message, it came from.
    An identifier of the person names no item: everything else of theirs has it too.
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
    return frozenset(found - _identifiers_of_the_person(resource))


def _identifiers_of_the_person(resource: Mapping[str, Any]) -> set[str]:
    whose = (resource.get(element) for element in ("subject", "patient"))
    return {name for one in whose if isinstance(one, dict) for name in _identified(one.get("identifier"))}


def names_in(resource: Mapping[str, Any]) -> frozenset[str]:
    """What a resource is, contains or names anywhere.

    Literal references count in any form (relative, absolute, of a version, a search by `_id`) and in any string, also
    encoded for a URL or for XHTML, or attached in base64; identifiers wherever there is one, so that a logical
    reference counts.
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
    """Each object and text at any depth, also in an attachment, with the name of the element it is in."""
    waiting: list[tuple[str, Any]] = [("", resource)]
    while waiting:
        key, one = waiting.pop()
        if isinstance(one, Mapping):
            waiting.extend(one.items())
        elif isinstance(one, list):
            waiting.extend((key, each) for each in one)
            continue
        elif key in _BASE64 and isinstance(one, str):
            waiting.append(("", _attached(one)))
        yield key, one


def _attached(data: str) -> Any:
    """What base64 says where that is text, as JSON where it is; None of a picture or a PDF."""
    try:
        text = b64decode(data).decode("utf-8-sig")
    except ValueError:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _said(text: str) -> Iterator[str]:
    """The names in a text, as it is and decoded; each is looked up once."""
    literals, tokens, urns = set[tuple[str, str]](), set[str](), set[str]()
    for plain in _decoded(text):
        if "/" in plain or "?" in plain:
            literals.update(_LITERAL.findall(plain))
            tokens.update(_LOGICAL.findall(plain))
        if ":" in plain:
            urns.update(map(str.lower, _URN.findall(plain)))
    for kind, item_id in literals:
        yield from (f"{kind}/{item_id}", f"{kind}/{item_id.rstrip('.') or item_id}")
    for said in {*map(unquote, tokens), *map(unquote_plus, tokens)}:
        system, _, value = said.rpartition("|")
        yield from _identified({"system": system, "value": value})
    yield from urns


def _decoded(text: str) -> Iterator[str]:
    """A text, and what it is once decoded; twice over, since an address may be a parameter of another."""
    yield text
    for decode in (_unescape, unquote, _unescape, unquote):
        before, text = text, decode(text)
        if text != before:
            yield text


def _unescape(text: str) -> str:
    """XHTML's character references resolved; one of thousands of digits is no character, nor a number to `unescape`."""
    if "&" not in text:
        return text
    return unescape(_NUMBERED.sub(lambda one: f"&#{one[1] if len(one[1]) <= _MOST_DIGITS else 'xFFFD'}", text))


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
    if ":" in bare:
        yield _digest("source", bare.rstrip("/"))


def _digest(what: str, text: str) -> str:
    return f"urn:renhice:{what}:{urlsafe_b64encode(sha256(text.encode('utf-8', 'replace')).digest()[:12]).decode()}"
