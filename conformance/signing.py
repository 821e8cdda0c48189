"""The signature over a report: a detached JWS (RFC 7515, Appendix F) over the bytes of the JSON file."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from conformance.registry.keys import base64url, make_key, read_public_keys

ALGORITHM = "ES256"
TYPE = "conformance-report+jws"
MAX_SIGNATURE = 4_096


class Untrusted(Exception):
    """A report that is not what its signature says; the message says why."""


def find_key(path: Path) -> ECKey:
    """The P-256 private key of a file; made there, for the owner's eyes only, where there is none.

    Raises Untrusted for a file that holds none.
    """
    if not path.exists():
        key = make_key()
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(key.as_dict(private=True), file)
        return key
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        key = ECKey.import_key(found)
    except (OSError, ValueError, TypeError, JoseError):
        raise Untrusted(f"{path} holds no JWK") from None
    if key.curve_name != "P-256" or not key.is_private:
        raise Untrusted(f"{path} holds no private P-256 key")
    return key if key.kid else ECKey.import_key(found | {"kid": key.thumbprint()})


def sign(content: bytes, key: ECKey) -> str:
    """`header..signature`."""
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": TYPE}
    head, _, signature = jws.serialize_compact(header, content, key, [ALGORITHM]).split(".")
    return f"{head}..{signature}"


def verify(content: bytes, signature: str, trusted: KeySet) -> Mapping[str, Any]:
    """The report, when one of the trusted keys signed it; raises Untrusted."""
    return _verified(content, signature, trusted, "it is not signed by a key you trust")


def verify_whole(content: bytes, signature: str) -> Mapping[str, Any]:
    """The report, when the key it names itself signed it: that it is whole, not who made it. Raises Untrusted."""
    return _verified(content, signature, None, "the signature does not hold")


def _verified(content: bytes, signature: str, trusted: KeySet | None, otherwise: str) -> Mapping[str, Any]:
    try:
        report = json.loads(content)
        own = read_public_keys(json.dumps(report["signer"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Untrusted("this is no report of the kit") from None
    head, empty, end = (*signature.strip().split("."), "", "")[:3]
    if empty or len(signature) > MAX_SIGNATURE:
        raise Untrusted("the signature is not a detached JWS")
    for key in (trusted or own).keys:
        try:
            compact = f"{head}.{base64url(content)}.{end}"
            found = jws.deserialize_compact(compact, key, [ALGORITHM])
        except (JoseError, ValueError, TypeError):
            continue
        if found.headers().get("typ") == TYPE:
            return dict(report)
    raise Untrusted(otherwise)
