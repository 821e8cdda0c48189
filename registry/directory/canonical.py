"""One byte string for one value, so that equal content is recognised as equal."""

import json
from collections.abc import Mapping


def dump(value: Mapping[str, object]) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
