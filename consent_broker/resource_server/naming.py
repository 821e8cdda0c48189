"""How FHIR resources name each other; each name is one string.

`Type/id` is what a literal reference says; `urn:uuid:…` what a Bundle's entries, and some identifiers, are called. Of
an identifier, or of the address something was copied from, the name is a digest: they have any length and may say
something, and names are kept and travel in tokens.
"""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import islice
from typing import Any
from unicodedata import normalize
from urllib.parse import unquote, unquote_plus

from consent_broker.resource_server.reading import Allowance, Ambiguous, TooMuch
from consent_broker.resource_server.texts import SHORTEST_ATTACHED, UNSEEN, attached, forms

ANYTHING = "*"
"""The name that stands for all: of what can't be judged, which may name any item."""

TYPE, ID = "[A-Z][A-Za-z]{2,39}", r"[A-Za-z0-9\-.]{1,64}"
ID_IN_PATH = rf"(?!\.{{1,2}}\Z){ID}"
"""FHIR lets an id be `.` or `..`; in an address they mean another place (RFC 3986 §5.2.4), so none is read by them."""

_END = r"(?:;[^;\s/\\\"'<>?#]*+){0,4}+[/\\]"
_LITERAL = re.compile(rf"(?<![A-Za-z0-9])({TYPE})(?={_END}(?:\.?{_END})*+([A-Za-z0-9\-.,]+))")
"""A FHIR type and ids of it, as any literal reference has them; of `/FHIR/Condition/7` both pairs. What ends a segment
of a path may be a backslash to a browser, and a segment may have parameters (RFC 3986 §3.3)."""

_AROUND = re.compile(r"[\s\"'<>?#]")
_BACK = re.compile(r"[/\\]\.\.[/\\;]")
_DOWN = re.compile(rf"(?<![A-Za-z0-9]){TYPE}[/\\;]")
"""What an address's path ends at; a step back in it; and a FHIR type, which such a step may part from its id."""

_LONGEST_PATH, _MOST_STEPS = 2000, 1000
_LONGEST_IDENTIFIER = 250
"""Of longer ones the forms are not brought together: that takes the square of a run of accents."""

_SEARCHED = re.compile(
    rf"(?<![A-Za-z0-9])(?P<type>{TYPE})(?=/*(?:_search/*)?\?)"
    r"|[?&;](?P<name>[A-Za-z_][^?&;=\s]*)=(?P<values>[^?&;#\s\"'<>]*)"
)
"""Of a search, also a conditional reference: the type it is of, and each parameter."""

_IN_XML = re.compile(
    r"""<system\s+value=(?:"([^"<]*)"|'([^'<]*)')\s*/>\s*<value\s+value=(?:"([^"<]*)"|'([^'<]*)')\s*/>"""
)
"""An identifier in FHIR XML, whose elements have an order."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_UUID_LENGTH, _DIGEST_LENGTH = 36, 16
_URN = re.compile(rf"urn:uuid:{_UUID.pattern}", re.IGNORECASE)
_DIGEST = re.compile(r"urn:renhice:(?:identifier|source):[A-Za-z0-9_-]{16}")
_TOGETHER = "urn:renhice:names:"
_DIGESTS = re.compile(rf"{_TOGETHER}((?:[A-Za-z0-9_-]{{16}})+)")
_NAME = re.compile(f"{TYPE}/{ID}|{_DIGEST.pattern}|{_URN.pattern}")
_PARTS = re.compile(r"[:.]")
_OR, _WITHIN, _ESCAPED = re.compile(r"(?<!\\),"), re.compile(r"(?<!\\)\|"), re.compile(r"\\([,|$\\])")
_VERSION = re.compile(r"[?#]|/_history/")
_ADDRESSES = frozenset({"source", "reference", "fullUrl"})
"""The elements that hold a resource's address."""

_MOST_ATTACHED = 4
"""How deep attachments may lie in each other."""


def reference_of(resource: Mapping[str, Any]) -> str:
    """`Type/id`."""
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def own_names(resource: Mapping[str, Any]) -> frozenset[str]:
    """What its holder may call a resource: its id, its identifiers, and the item of its type that it was copied from.

    `meta.source` names an item where it is the address of one; else it names the system, or the message, it came from.
    An identifier of the person names no item: everything else of theirs has it too.
    """
    found = set[str]()
    if resource.get("id") is not None:
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


def names_in(resource: Mapping[str, Any], allowance: Allowance | None = None) -> frozenset[str]:
    """What a resource is, contains or names anywhere; ANYTHING besides, or UNSEEN, where that can't be told.

    Literal references count in any form (relative, absolute, of a version, a search) and in any text, also encoded for
    a URL or for XHTML, or attached in base64; identifiers wherever there is one, so that a logical reference counts.
    """
    found, texts = set[str](), dict[str, None]()
    for key, one in _walk(resource, allowance or Allowance()):
        if isinstance(one, str):
            texts[one] = None
            if key in _ADDRESSES:
                found.update(_addressed(one))
        elif key.lower().endswith("identifier"):
            found.update(_identified(one))
        if isinstance(one, Mapping) and "resourceType" in one:
            found.update(own_names(one))
    found.update(_said(texts))
    return frozenset(found)


def resources_in(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A resource and those inside it."""
    return (one for _, one in _walk(resource, Allowance()) if isinstance(one, Mapping) and "resourceType" in one)


def spelled(name: str) -> frozenset[str]:
    """A name, and how else who bears it may be meant: by the id alone, where no other can have it; ANYTHING; UNSEEN."""
    kind, _, item_id = name.partition("/")
    if name == ANYTHING:
        return frozenset({name})
    if not _UUID.fullmatch(item_id):
        return frozenset({name, ANYTHING, UNSEEN})
    return frozenset({name, ANYTHING, UNSEEN, f"{kind}/{item_id.lower()}", f"urn:uuid:{item_id.lower()}"})


def is_name(text: str) -> bool:
    """Whether a text is one name of an item, as they are made here."""
    return _NAME.fullmatch(text) is not None


def together(names: Iterable[str]) -> list[str]:
    """Names as they travel: those that are digests as one reference, since a token has a size."""
    digests, others = set[str](), set[str]()
    for name in names:
        if _DIGEST.fullmatch(name):
            digests.add(name[-_DIGEST_LENGTH:])
        else:
            others.add(name)
    return [*sorted(others), *([_TOGETHER + "".join(sorted(digests))] if digests else [])]


def apart(reference: str) -> frozenset[str]:
    """The names that a reference made by `together` stands for; none where it is no such reference."""
    packed = _DIGESTS.fullmatch(reference)
    if packed is None:
        return frozenset({reference} if reference == ANYTHING or is_name(reference) else ())
    starts = range(0, len(packed[1]), _DIGEST_LENGTH)
    digests = [packed[1][start : start + _DIGEST_LENGTH] for start in starts]
    return frozenset(f"urn:renhice:{what}:{one}" for one in digests for what in ("identifier", "source"))


def _walk(resource: Mapping[str, Any], allowance: Allowance) -> Iterator[tuple[str, Any]]:
    """Each object and text at any depth, also in an attachment, with the name of the element it is in."""
    waiting, seen = list[tuple[str, Any, int]]([("", resource, 0)]), set[str]()
    while waiting:
        key, one, depth = waiting.pop()
        if isinstance(one, Mapping):
            waiting.extend((name, value, depth) for name, value in one.items())
        elif isinstance(one, list):
            waiting.extend((key, each, depth) for each in one)
            continue
        elif isinstance(one, str) and len(one) >= SHORTEST_ATTACHED and one not in seen:
            seen.add(one)
            inside = _attached(one, allowance)
            waiting.extend(("", each if depth < _MOST_ATTACHED else ANYTHING, depth + 1) for each in inside)
        yield key, one


def _attached(text: str, allowance: Allowance) -> list[Any]:
    try:
        return attached(text, allowance)
    except (Ambiguous, TooMuch):
        return [ANYTHING]


def _said(texts: Iterable[str]) -> Iterator[str]:
    """The names in texts, as they are and decoded; ANYTHING where that does not come to an end."""
    read, whole = forms(texts)
    if not whole or any(map(_goes_back, read)):
        yield ANYTHING
    yield from {ANYTHING, UNSEEN}.intersection(texts)
    for text in read:
        for kind, ids in _LITERAL.findall(text):
            yield from _literal(kind, ids)
        yield from map(str.lower, _URN.findall(text))
        if "?" in text:
            yield from _searched(text)
        if "<system" in text:
            for one, other, value, alike in _IN_XML.findall(text):
                yield from _identified({"system": one or other, "value": value or alike})


def _goes_back(text: str) -> bool:
    """Whether an address leads past a FHIR type and back: to what, only who follows it knows."""
    steps = [step.start() for step in islice(_BACK.finditer(text), _MOST_STEPS + 1)]
    return len(steps) > _MOST_STEPS or any(_leads_down(text, step) for step in steps)


def _leads_down(text: str, step: int) -> bool:
    *ended, path = _AROUND.split(text[max(0, step - _LONGEST_PATH) : step + 1])
    return (step > _LONGEST_PATH and not ended) or _DOWN.search(path) is not None


def _literal(kind: str, ids: str) -> Iterator[str]:
    for item_id in ids.split(","):
        yield f"{kind}/{item_id}"
        if item_id.endswith("."):
            yield f"{kind}/{item_id.rstrip('.') or item_id}"
        if len(item_id) == _UUID_LENGTH:
            yield f"{kind}/{item_id.lower()}"


def _searched(text: str) -> Iterator[str]:
    """The names in searches: what is asked for by id, by identifier, or by a reference that leaves its type out."""
    kind = ""
    for found in _SEARCHED.finditer(text):
        if found["type"]:
            kind = found["type"]
            continue
        name, *modifiers = _PARTS.split(found["name"])
        types = [one for one in modifiers if one[:1].isupper()] or ([kind] if name == "_id" and kind else [])
        if "identifier" in {name, *modifiers}:
            yield from _tokens(found["values"])
        elif types:
            yield from _literal(types[-1], found["values"])
        elif "_id" in {name, *modifiers}:
            yield ANYTHING


def _tokens(values: str) -> Iterator[str]:
    """Identifiers as a search has them; one that leaves out its system or its value means any."""
    for said in {*map(unquote, _OR.split(values)), *map(unquote_plus, _OR.split(values))}:
        system, *value = _WITHIN.split(said)
        if len(value) == 1 and value[0]:
            yield from _identified({"system": system, "value": _ESCAPED.sub(r"\1", value[0])})
        else:
            yield ANYTHING


def _identified(identifier: Any) -> Iterator[str]:
    """Systems compare them by case or don't, and show them in any form: here they are alike."""
    if not isinstance(identifier, dict) or isinstance(value := identifier.get("value"), dict | list | bool | None):
        return
    plain = str(value).strip()
    if urn := _URN.fullmatch(plain):
        yield urn[0].lower()
    elif plain:
        whole = f"{identifier.get('system') or ''}|{plain}"
        alike = normalize("NFKC", whole) if len(whole) <= _LONGEST_IDENTIFIER else whole
        yield _digest("identifier", alike.casefold())


def _addressed(address: str) -> Iterator[str]:
    """Where an item was copied from, whatever version of it and whatever message brought it."""
    bare = _VERSION.split(address, maxsplit=1)[0]
    if ":" in bare:
        yield _digest("source", bare.rstrip("/"))


def _digest(what: str, text: str) -> str:
    return f"urn:renhice:{what}:{urlsafe_b64encode(sha256(text.encode('utf-8', 'replace')).digest()[:12]).decode()}"
