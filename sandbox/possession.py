"""Proofs of possession as a record system makes them (RFC 9449): one a request, and again when a nonce is asked."""

import hashlib
import threading
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Generator
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey


class Possession(httpx.Auth):
    """A key that tokens are bound to; as `auth` of an httpx client it proves itself in every request."""

    requires_response_body = True

    def __init__(self) -> None:
        self._key = ECKey.generate_key("P-256", private=True)
        self._header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": self._key.as_dict(private=False)}
        self.thumbprint = self._key.thumbprint()
        self._nonces: dict[str, str] = {}
        self._lock = threading.Lock()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Prove, and prove again with the nonce the server names (RFC 9449 §8, §9)."""
        server = f"{request.url.scheme}://{request.url.netloc.decode()}"
        request.headers["DPoP"] = self.proof(request, self._nonces.get(server))
        response = yield request
        nonce = response.headers.get("DPoP-Nonce")
        if nonce is None:
            return
        with self._lock:
            self._nonces[server] = nonce
        if _asks_for_nonce(response):
            request.headers["DPoP"] = self.proof(request, nonce)
            yield request

    def proof(self, request: httpx.Request, nonce: str | None = None, **claims: Any) -> str:
        """Return a proof for one request and the token it carries."""
        made = {"jti": str(uuid.uuid4()), "htm": request.method, "iat": int(time.time())}
        made["htu"] = str(request.url.copy_with(query=None, fragment=None))
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme == "DPoP":
            digest = hashlib.sha256(token.encode()).digest()
            made["ath"] = urlsafe_b64encode(digest).rstrip(b"=").decode()
        if nonce:
            made["nonce"] = nonce
        return jwt.encode(self._header, made | claims, self._key, algorithms=["ES256"])


def _asks_for_nonce(response: httpx.Response) -> bool:
    """Whether a resource server (401) or the token endpoint (400) refused the proof for want of its nonce."""
    said = response.headers.get("WWW-Authenticate", "") if response.status_code == 401 else response.text
    return response.status_code in {400, 401} and "use_dpop_nonce" in said
