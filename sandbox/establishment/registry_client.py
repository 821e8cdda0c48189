"""The establishment's side of the registry: tokens of its own (RFC 7523, 9449) and the Patient feed (ITI-104)."""

import time
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from sandbox.establishment.store import Registered
from sandbox.possession import Possession
from sandbox.trust import trust

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "system/Patient.cu system/Patient.rs"
DOCUMENT_SCOPE = "system/DocumentReference.cu"
EARLY = 20  # seconds before its end that a token is replaced
LATER = frozenset({401, 408, 409, 423, 425, 429})


class Unreachable(Exception):
    """The registry can't take the message now; sending it again later may work."""

    def __init__(self, reason: str, retry_after: float = 0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Refused(Exception):
    """The registry understood the message and refuses it; sending it again changes nothing."""


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client: its id and its private key (EC P-256 JWK)."""

    client_id: str
    private_jwk: dict[str, Any]

    def assertion(self, audience: str) -> str:
        """Return a client assertion for one authorization server, valid for a minute, used once (RFC 7523)."""
        key = ECKey.import_key(self.private_jwk)
        now = int(time.time())
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": audience, "iat": now, "exp": now + 60}
        header = {"alg": "ES256", "kid": self.private_jwk["kid"], "typ": "JWT"}
        return jwt.encode(header, claims | {"jti": str(uuid.uuid4())}, key, algorithms=["ES256"])

    def authentication(self, audience: str) -> dict[str, str]:
        """Return the form fields of private_key_jwt."""
        return {
            "client_id": self.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.assertion(audience),
        }


class Registry:
    """Registers patients and documents; keeps an access token until shortly before it ends. Used by one thread."""

    def __init__(self, base_url: str, client: Client, http: httpx.Client | None = None) -> None:
        self._base_url = base_url
        self._client = client
        self._http = http or httpx.Client(verify=trust(), timeout=15, follow_redirects=False, auth=Possession())
        self._tokens: dict[str, tuple[str, float]] = {}

    def register(self, identifier: str, resource: dict[str, Any]) -> Registered:
        """Send one patient under `system|local number`; the same content again changes nothing.

        Raises Unreachable or Refused.
        """
        try:
            response = self._http.put(
                f"{self._base_url}/fhir/Patient",
                params={"identifier": identifier},
                json=resource,
                headers=self._headers(SCOPE),
            )
            self._accept(response)
            return _registered(response)
        except (httpx.HTTPError, ValueError, KeyError, AttributeError) as error:
            raise Unreachable(f"no usable answer: {type(error).__name__}") from error

    def provide(self, submission: dict[str, Any]) -> None:
        """Say what documents there are (ITI-65); the same submission again changes nothing.

        Raises Unreachable or Refused.
        """
        try:
            headers = self._headers(DOCUMENT_SCOPE)
            self._accept(self._http.post(f"{self._base_url}/fhir", json=submission, headers=headers))
        except (httpx.HTTPError, ValueError, KeyError, AttributeError) as error:
            raise Unreachable(f"no usable answer: {type(error).__name__}") from error

    def _accept(self, response: httpx.Response) -> None:
        """Raises Unreachable or Refused; whose token is not believed forgets it."""
        if response.is_success:
            return
        if response.status_code == 401:
            self._tokens.clear()
        reason = f"{response.request.method} {response.request.url.path}: {response.status_code} {_why(response)}"
        if response.status_code >= 500 or response.status_code in LATER:
            after = response.headers.get("Retry-After", "")
            raise Unreachable(reason, retry_after=min(60.0, float(after)) if after.isdecimal() else 0)
        raise Refused(reason)

    def _headers(self, scope: str) -> dict[str, str]:
        return {"Authorization": f"DPoP {self._access_token(scope)}", "Content-Type": "application/fhir+json"}

    def _access_token(self, scope: str) -> str:
        token, ends = self._tokens.get(scope, ("", 0.0))
        if time.monotonic() < ends - EARLY:
            return token
        form = {"grant_type": "client_credentials", "scope": scope} | self._client.authentication(self._base_url)
        response = self._http.post(f"{self._base_url}/oauth/token", data=form)
        self._accept(response)
        answer = response.json()
        self._tokens[scope] = answer["access_token"], time.monotonic() + answer.get("expires_in", 60)
        return str(answer["access_token"])


def _why(response: httpx.Response) -> str:
    try:
        body = response.json()
        issue = (body.get("issue") or [{}])[0]
        text = issue.get("diagnostics") or issue.get("details", {}).get("text")
        return str(text or body.get("error_description") or body.get("error") or "")[:300]
    except (ValueError, AttributeError, IndexError):
        return response.reason_phrase


def _registered(response: httpx.Response) -> Registered:
    found = response.headers.get("Location", "").partition("/Patient/")[2].split("/")[0]
    if not found and response.content:
        found = response.json().get("id", "")
    if not found:
        raise Unreachable("the answer names no source record")
    return Registered(found, response.headers.get("ETag", "").strip('W/"'))
