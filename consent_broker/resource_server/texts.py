"""What texts say to whoever follows them: as they are, and decoded as often as they were encoded.

Resources name each other in texts too (narratives, addresses, attachments), and a browser or a server undoes what a
sender did to them. So a text is taken to its plain form, whatever the way there.
"""

import json
import re
from base64 import b64decode
from collections.abc import Iterable
from html import unescape
from typing import Any

from consent_broker.resource_server.reading import Ambiguous, Unreadable, read_json

MAX_STEPS = 4
"""How often a text may have been encoded for a URL, for XHTML or for JSON; an address may be a parameter of another."""

SHORTEST_ATTACHED = 16
"""How long what names an item is at least in base64."""

_ESCAPED = re.compile(r"\\(?:/|u([0-9A-Fa-f]{4}))")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_NUMBERED = re.compile(r"&#0*+([0-9]*)")
_MOST_DIGITS = 7
_BASE64 = re.compile(rf"[A-Za-z0-9+/_\-\s]{{{SHORTEST_ATTACHED},}}={{0,2}}")
_DATA_URL = re.compile(r"data:[^,\s]{0,200};\s*base64,([A-Za-z0-9+/_=-]+)", re.IGNORECASE)
_URL_SAFE = str.maketrans("-_", "+/", "= \t\r\n")


def forms(texts: Iterable[str]) -> tuple[list[str], bool]:
    """All the texts in one, line by line, and what becomes of those that are encoded; whether that came to an end."""
    lines = list(texts)
    found, text = ["\n".join(lines)], "\n".join(one for one in lines if _is_encoded(one))
    for _ in range(MAX_STEPS):
        plain = _PERCENT.sub(_unquote, _unescape(_ESCAPED.sub(_character, text)))
        if plain == text:
            return found, True
        found.append(plain)
        text = plain
    return found, False


def attached(text: str) -> list[Any]:
    """What a text carries in base64 of either alphabet, as JSON where it is that and else as text; or JSON it is.

    Raises Ambiguous for JSON that says a member twice: whoever follows it may go by either.
    """
    packed = _DATA_URL.findall(text) if ";base64," in text.lower() else []
    if _BASE64.fullmatch(stripped := text.strip()) and " " not in stripped:
        packed.append(stripped)
    written = [_parsed(stripped)] if stripped.startswith(("{", "[")) else []
    return [*map(_opened, packed), *(one for one in written if not isinstance(one, str))]


def _opened(packed: str) -> Any:
    """Names are ASCII, so that in any encoding of text they are left once the bytes that are zero are."""
    bare = packed.translate(_URL_SAFE)
    content = b64decode(bare[: len(bare) - (len(bare) % 4 == 1)] + "=" * (-len(bare) % 4))
    text = content.decode(json.detect_encoding(content), "replace").lstrip("\ufeff").replace("\0", "")
    return _parsed(text) if text.lstrip().startswith(("{", "[")) else text


def _parsed(text: str) -> Any:
    try:
        return read_json(text.encode("utf-8", "replace"))
    except Ambiguous:
        raise
    except Unreadable:
        return text


def _is_encoded(text: str) -> bool:
    return "&" in text or "\\" in text or ("%" in text and _PERCENT.search(text) is not None)


def _character(found: re.Match[str]) -> str:
    """Of JSON within a text: `\\/` as some programs write each slash, or a number of four digits."""
    return chr(int(found[1], 16)) if found[1] else "/"


def _unquote(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("%", "")).decode(errors="replace")


def _unescape(text: str) -> str:
    """XHTML's character references resolved; one of thousands of digits is no character, nor a number to `unescape`."""
    if "&" not in text:
        return text
    return unescape(_NUMBERED.sub(lambda one: f"&#{one[1] if len(one[1]) <= _MOST_DIGITS else 'xFFFD'}", text))
