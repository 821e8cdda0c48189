"""What texts say to whoever follows them: as they are, and decoded as often as they were encoded.

Resources name each other in texts too (narratives, addresses, attachments), and a browser or a server undoes what a
sender did to them. So a text is taken to its plain form, whatever the way there.
"""

import json
import re
from base64 import b64decode
from collections.abc import Iterable
from html import unescape
from itertools import chain
from typing import Any
from unicodedata import normalize

from consent_broker.resource_server.reading import Allowance, Ambiguous, Unreadable, read_json

MAX_STEPS = 4
"""How often a text may have been encoded for a URL, for XHTML or for JSON; an address may be a parameter of another."""

SHORTEST_ATTACHED = 16
"""How long what names an item is at least in base64."""

UNSEEN = "urn:renhice:unseen"
"""What stands for what is attached and nobody here can look into, since it is compressed."""

_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_PDF, _WHERE_IT_BEGINS = b"%PDF-", 1024
"""Readers of PDF take what has its mark among its first bytes."""

_HEX = "[0-9A-Fa-f]"
_ESCAPED = re.compile(rf"\\/|[\\%]u({_HEX}{{4}})|\\u\{{0*+({_HEX}{{1,5}})\}}|\\x({_HEX}{{2}})")
_PERCENT = re.compile(rf"(?:%{_HEX}{{2}})+")
_ANY_PERCENT = re.compile(rf"%(?:{_HEX}{{2}}|u{_HEX}{{4}})")
_NUMBERED = re.compile(r"&#0*+([0-9]*)")
_MOST_DIGITS = 7
_LETTERS = (range(0x80, 0x10000), range(0x1D400, 0x1D800), range(0x1F100, 0x1F200), range(0x1FBF0, 0x1FBFA))
_PLAIN = {one: plain for one in map(chr, chain(*_LETTERS)) if (plain := normalize("NFKC", one)).isascii()}
_FANCY = re.compile(f"[{''.join(one for one in _PLAIN if ord(one) < 0x10000)}]|[\U0001d400-\U0001fbf9]")
"""What Unicode holds alike to ASCII (NFKC), as full-width letters, one by one: all of a text at once takes the square
of its longest run of accents.
"""

_BASE64 = re.compile(rf"[A-Za-z0-9+/_\-\s]{{{SHORTEST_ATTACHED},}}={{0,2}}", re.ASCII)
_DATA_URL = re.compile(r"data:[^,\s]{0,200};\s*base64,([A-Za-z0-9+/_=-]+)", re.IGNORECASE)
_URL_SAFE = str.maketrans("-_", "+/", "= \t\r\n")


def forms(texts: Iterable[str]) -> tuple[list[str], bool]:
    """All the texts in one, line by line, and what becomes of those that are encoded; whether that came to an end."""
    lines = list(texts)
    found, text = ["\n".join(lines)], "\n".join(one for one in lines if _is_encoded(one))
    for _ in range(MAX_STEPS):
        plain = _folded(_PERCENT.sub(_unquote, _unescape(_ESCAPED.sub(_character, text))))
        if plain == text:
            return found, True
        found.append(plain)
        text = plain
    return found, False


def attached(text: str, allowance: Allowance) -> list[Any]:
    """What a text carries in base64 of either alphabet, as JSON where it is that and else as text; or JSON it is.

    Raises Ambiguous for JSON that says a member twice, since whoever follows it may go by either; TooMuch for more than
    is allowed.
    """
    packed = _DATA_URL.findall(text) if ";base64," in text.lower() else []
    if _BASE64.fullmatch(stripped := text.strip()) and " " not in stripped:
        packed.append(stripped)
    written = [_parsed(stripped, allowance)] if stripped.startswith(("{", "[")) else []
    opened = (_opened(one, allowance) for one in packed)
    return [*opened, *(one for one in written if not isinstance(one, str))]


def _opened(packed: str, allowance: Allowance) -> Any:
    """Names are ASCII, so that in any encoding of text they are left once the bytes that are zero are."""
    bare = packed.translate(_URL_SAFE)
    content = b64decode(bare[: len(bare) - (len(bare) % 4 == 1)] + "=" * (-len(bare) % 4))
    if content.startswith(_COMPRESSED) or _PDF in content[:_WHERE_IT_BEGINS]:
        return UNSEEN
    text = content.decode(json.detect_encoding(content), "replace").lstrip("\ufeff").replace("\0", "")
    return _parsed(text, allowance) if text.lstrip().startswith(("{", "[")) else text


def _parsed(text: str, allowance: Allowance) -> Any:
    body = text.encode("utf-8", "replace")
    allowance.spend(body)
    try:
        return read_json(body)
    except Ambiguous:
        raise
    except Unreadable:
        return text


def _is_encoded(text: str) -> bool:
    written = "&" in text or "\\" in text or ("%" in text and _ANY_PERCENT.search(text) is not None)
    return written or not (text.isascii() or _FANCY.search(text) is None)


def _folded(text: str) -> str:
    return text if text.isascii() else _FANCY.sub(lambda one: _PLAIN.get(one[0], one[0]), text)


def _character(found: re.Match[str]) -> str:
    """Of JSON or a script within a text: `\\/` as some programs write each slash, or a character's number."""
    number = found[1] or found[2] or found[3]
    return chr(int(number, 16)) if number else "/"


def _unquote(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("%", "")).decode(errors="replace")


def _unescape(text: str) -> str:
    """XHTML's character references resolved; one of thousands of digits is no character, nor a number to `unescape`."""
    if "&" not in text:
        return text
    return unescape(_NUMBERED.sub(lambda one: f"&#{one[1] if len(one[1]) <= _MOST_DIGITS else 'xFFFD'}", text))
