"""Proofs of possession as a client makes them, good ones and others (RFC 9449)."""

import base64
import hashlib
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from joserfc.jwk import ECKey, Key
from joserfc.jws import JWSRegistry
from werkzeug.test import TestResponse


def sign(header: dict[str, Any], claims: dict[str, Any], key: Key) -> str:
    """A JWS whose signature is right, whatever its header says: joserfc would not make some of them."""
    return sign_text(header, json.dumps(claims), key)


def sign_text(header: dict[str, Any], claims: str, key: Key) -> str:
    """The same of claims as they are written."""
    parts = [base64.urlsafe_b64encode(part.encode()).rstrip(b"=") for part in (json.dumps(header), claims)]
    signature = JWSRegistry.algorithms[header["alg"]].sign(b".".join(parts), key)
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


@dataclass
class Prover:
    """A key, and the nonce the server last offered."""

    key: Key = field(default_factory=lambda: ECKey.generate_key("P-256"))
    algorithm: str = "ES256"
    nonce: str | None = None

    @property
    def thumbprint(self) -> str:
        return self.key.thumbprint()

    def proof(
        self, method: str, url: str, token: str | None = None, header: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        """A proof, changed as a test wants; None removes a claim or a header."""
        claims = {"jti": uuid.uuid4().hex, "htm": method, "htu": url, "iat": int(time.time()), "nonce": self.nonce}
        if token is not None:
            digest = hashlib.sha256(token.encode()).digest()
            claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        head = {"alg": self.algorithm, "typ": "dpop+jwt", "jwk": self.key.as_dict(private=False)} | (header or {})
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        head = {name: value for name, value in head.items() if value is not None}
        return sign(head, claims, self.key)

    def learn(self, answer: TestResponse) -> bool:
        """Keep the nonce an answer offers; whether it asks for another proof with it."""
        self.nonce = answer.headers.get("DPoP-Nonce", self.nonce)
        asked = (
            answer.headers.get("WWW-Authenticate", "")
            if answer.status_code == 401
            else answer.get_data().decode(errors="replace")
        )
        return answer.status_code in {400, 401} and "use_dpop_nonce" in asked
