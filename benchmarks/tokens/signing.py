"""Client assertions and DPoP proofs, each signed before the clock starts and used once."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey

from benchmarks.tokens.load import request_bytes

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def _key() -> ECKey:
    return ECKey.generate_key("P-256", private=True)


@dataclass(frozen=True, slots=True)
class Signer:
    """One OAuth client at one server: its keys, and the audience its assertions name."""

    client_id: str
    private_jwk: dict[str, Any]
    audience: str
    possession: ECKey = field(default_factory=_key)

    def form(self, **more: str) -> dict[str, str]:
        """A form that authenticates by private_key_jwt."""
        now = int(time.time())
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": self.audience, "iat": now, "exp": now + 240}
        key = ECKey.import_key(self.private_jwk)
        header = {"alg": "ES256", "typ": "JWT"} | ({"kid": key.kid} if key.kid else {})
        assertion = jwt.encode(header, claims | {"jti": uuid.uuid4().hex}, key, algorithms=["ES256"])
        return {
            "client_id": self.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
            **more,
        }

    def proof(self, url: str, nonce: str | None) -> str:
        """A DPoP proof for one post."""
        header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": self.possession.as_dict(private=False)}
        claims: dict[str, Any] = {"jti": uuid.uuid4().hex, "htm": "POST", "htu": url, "iat": int(time.time())}
        claims |= {"nonce": nonce} if nonce else {}
        return jwt.encode(header, claims, self.possession, algorithms=["ES256"])

    def request(self, url: str, nonce: str | None, form: Mapping[str, str], *, proved: bool = True) -> bytes:
        """A whole request, ready to be sent."""
        headers = {"DPoP": self.proof(url, nonce)} if proved else {}
        return request_bytes(url, urlencode(self.form(**form)), headers)
