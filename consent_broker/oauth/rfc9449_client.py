"""The gateway's own proofs (RFC 9449): holder tokens are bound to a key of this process and useless to anybody else."""

import re
import threading
import time
import uuid
from base64 import urlsafe_b64encode
from hashlib import sha256

from joserfc import jwt
from joserfc.jwk import ECKey

from consent_broker.resource_server.proofs import TYPE

ALGORITHM = "ES256"
_NONCE = re.compile(r"[\x21-\x7e]{1,500}")


class Prover:
    """A key that lives as long as the process, as no holder token outlives it; and the nonces holders asked for."""

    def __init__(self) -> None:
        self._key = ECKey.generate_key("P-256")
        self._header = {"alg": ALGORITHM, "typ": TYPE, "jwk": self._key.as_dict(private=False)}
        self.thumbprint = self._key.thumbprint()
        self._nonces: dict[str, str] = {}
        self._lock = threading.Lock()

    def prove(self, method: str, url: str, token: str, server: str) -> str:
        """A proof for one request with that token to a server, with the nonce it last asked for."""
        claims = {
            "jti": str(uuid.uuid4()),
            "htm": method,
            "htu": url,
            "iat": int(time.time()),
            "ath": urlsafe_b64encode(sha256(token.encode()).digest()).rstrip(b"=").decode(),
        }
        with self._lock:
            nonce = self._nonces.get(server)
        if nonce is not None:
            claims["nonce"] = nonce
        return jwt.encode(self._header, claims, self._key, algorithms=[ALGORITHM])

    def learn(self, server: str, nonce: str | None) -> None:
        """Keep the nonce a server offers, if it does, for the next proof to it (§8.2)."""
        if nonce is not None and _NONCE.fullmatch(nonce):
            with self._lock:
                self._nonces[server] = nonce
