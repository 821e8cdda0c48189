"""The registry as a record system calls it from its own machine: tokens bound to a key of this process (RFC 9449)."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

PATIENCE = (1, 2, 4, 8, 16, 32, 64)
"""Seconds between tries while the registry can't be reached."""

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Registry:
    """One registry, one client, one scope; tokens are renewed in time."""

    def __init__(self, base: str, client: tuple[str, ECKey], scope: str, http: httpx.Client) -> None:
        self.base, self._scope, self._http = base, scope, http
        self._client_id, self._key = client
        self._own = ECKey.generate_key("P-256")
        self._nonce: str | None = None
        self._token, self._until = "", 0.0

    def call(self, method: str, url: str, **more: Any) -> httpx.Response:
        """A call with a token; network errors are tried again for two minutes."""
        for wait in (*PATIENCE, None):
            try:
                answer = self._proven(method, url, self._current(), **more)
                if answer.status_code < 500:
                    return answer
            except httpx.TransportError:
                if wait is None:
                    raise
            if wait is None:
                break
            time.sleep(wait)
        return answer

    def _current(self) -> str:
        if time.monotonic() > self._until:
            form = {"grant_type": "client_credentials", "scope": self._scope, "client_id": self._client_id}
            form |= {"client_assertion_type": ASSERTION, "client_assertion": self._assertion()}
            answer = self._proven("POST", f"{self.base}/oauth/token", None, data=form)
            if answer.status_code != 200:
                raise click.ClickException(f"The registry gives no token: {_why(answer)}")
            self._token = answer.json()["access_token"]
            self._until = time.monotonic() + answer.json()["expires_in"] - 30
        return self._token

    def _assertion(self) -> str:
        moment = int(time.time())
        who = {"iss": self._client_id, "sub": self._client_id, "aud": self.base}
        claims = who | {"iat": moment, "exp": moment + 60, "jti": str(uuid.uuid4())}
        return jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key)

    def _proven(self, method: str, url: str, token: str | None, **more: Any) -> httpx.Response:
        """The call with a proof, and once more with the nonce the registry asks for."""
        headers = more.pop("headers", {})
        for _ in range(2):
            proof = {"DPoP": self._proof(method, url, token)} | ({"Authorization": f"DPoP {token}"} if token else {})
            answer = self._http.request(method, url, headers=headers | proof, **more)
            offered = answer.headers.get("DPoP-Nonce")
            asked = answer.status_code in {400, 401} and offered is not None and offered != self._nonce
            self._nonce = offered or self._nonce
            if not asked:
                break
            if "data" in more and "client_assertion" in more["data"]:
                more["data"] |= {"client_assertion": self._assertion()}
        return answer

    def _proof(self, method: str, url: str, token: str | None) -> str:
        claims = {"jti": str(uuid.uuid4()), "htm": method, "htu": url, "iat": int(time.time())}
        if token is not None:
            digest = hashlib.sha256(token.encode()).digest()
            claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if self._nonce is not None:
            claims["nonce"] = self._nonce
        header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": self._own.as_dict(private=False)}
        return jwt.encode(header, claims, self._own)


@contextmanager
def calling(url: str, client_file: Path, scope: str) -> Iterator[Registry]:
    """The registry at an address, for the client of a file (`client_id`, `private_jwk`); raises ClickException."""
    client = _read_client(client_file)
    with httpx.Client(timeout=60) as http:
        try:
            yield Registry(url.rstrip("/"), client, scope, http)
        except httpx.TransportError as error:
            raise click.ClickException(f"The registry can't be reached ({type(error).__name__}); try again.") from None


def _read_client(path: Path) -> tuple[str, ECKey]:
    try:
        said = json.loads(path.read_text())
        return str(said["client_id"]), ECKey.import_key(said["private_jwk"])
    except (ValueError, KeyError, TypeError, JoseError, OSError):
        raise click.ClickException(f"{path} holds no client_id and private_jwk (an EC key).") from None


def good(answer: httpx.Response) -> httpx.Response:
    if answer.status_code >= 400:
        raise click.ClickException(f"The registry answers {answer.status_code}: {_why(answer)}")
    return answer


def _why(answer: httpx.Response) -> str:
    try:
        said = answer.json()
    except ValueError:
        return "no more is known"
    parts = [said.get(name) for name in ("title", "detail", "hint", "error_description", "error")]
    parts += [issue.get("details", {}).get("text") for issue in said.get("issue", [])]
    return " ".join(str(part) for part in parts if part)
