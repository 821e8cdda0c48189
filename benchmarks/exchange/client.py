"""A reader at the gateway and a holder at the token's issuer: one kept connection, everything signed beforehand."""

import hashlib
import http.client
import time
import uuid
from base64 import urlsafe_b64encode
from urllib.parse import urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from benchmarks.tokens.signing import Signer


class Reader:
    """Reads one address with a token bound to a key of its own."""

    def __init__(self, base: str) -> None:
        self._key = ECKey.generate_key("P-256", private=True)
        self.thumbprint = self._key.thumbprint()
        self._base, self._nonce = base, ""
        self._http = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)

    def proof(self, path: str, token: str) -> str:
        """A proof for one GET (RFC 9449 §4.2)."""
        header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": self._key.as_dict(private=False)}
        digest = urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        claims = {"jti": uuid.uuid4().hex, "htm": "GET", "iat": int(time.time()), "ath": digest}
        claims |= {"htu": f"{self._base}{path.partition('?')[0]}"} | ({"nonce": self._nonce} if self._nonce else {})
        return jwt.encode(header, claims, self._key, algorithms=["ES256"])

    def get(self, path: str, token: str, proof: str | None = None) -> tuple[int, float]:
        """Status of the answer and the seconds it took; once more where the server names a nonce."""
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof or self.proof(path, token)}
        started = time.perf_counter()
        self._http.request("GET", path, headers=headers)
        response = self._http.getresponse()
        body = response.read()
        took = time.perf_counter() - started
        self._nonce = response.getheader("DPoP-Nonce") or self._nonce
        if response.status == http.client.UNAUTHORIZED and b"nonce" in body and proof is None:
            return self.get(path, token, self.proof(path, token))
        return response.status, took


class Introspector:
    """A holder's record system asking whether a token stands (RFC 7662)."""

    def __init__(self, base: str, client_id: str, key: ECKey) -> None:
        self._signer = Signer(client_id, key.as_dict(private=True), base)
        self._http = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)

    def is_active(self, token: str) -> bool:
        body = urlencode(self._signer.form(token=token))
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self._http.request("POST", "/oauth/introspect", body, headers)
        response = self._http.getresponse()
        return b'"active":true' in response.read().replace(b" ", b"")
