"""What the guard answers: a grant to act within, or a refusal to send back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consent_broker.resource_server.proofs import ALGORITHMS
from consent_broker.resource_server.residual import Entry, flows, release

FHIR_JSON = "application/fhir+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The verified right of one request: answer only about `patient`, only the type that was asked."""

    token_id: str
    client_id: str
    patient: str
    """The source record id: the one patient this token is for."""
    scopes: frozenset[str]
    expires_at: int
    claims: Mapping[str, Any]
    nonce: str = ""
    """The nonce the answer should offer (DPoP-Nonce), so that the next proof carries it."""

    @property
    def actor(self) -> str | None:
        """The professional who acts (claim `act.sub`), for the holder's own log."""
        act = self.claims.get("act")
        return act.get("sub") if isinstance(act, dict) else None

    @property
    def residual(self) -> list[Any]:
        """What is to be withheld of what the scopes cover (IHE PCF `extensions.ihe_pcf.residual`)."""
        residual = self._extension("ihe_pcf").get("residual", [])
        return residual if isinstance(residual, list) else [residual]

    def releases(self, resource: Mapping[str, Any]) -> bool:
        """Whether a resource may leave: nothing in the residual forbids it."""
        return flows(resource, self.residual)

    def releases_of(self, entries: Sequence[Entry]) -> list[Entry]:
        """The Bundle entries that may leave together: nothing forbids them, nor anything they name."""
        return release(entries, self.residual)

    @property
    def purpose(self) -> str | None:
        """The HL7 PurposeOfUse code the token was issued for (IUA `extensions.ihe_iua.purpose_of_use`)."""
        return next((coding.get("code") for coding in self._extension("ihe_iua").get("purpose_of_use") or []), None)

    def _extension(self, name: str) -> dict[str, Any]:
        extension = (self.claims.get("extensions") or {}).get(name)
        return extension if isinstance(extension, dict) else {}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to send as it is: status, RFC 6750 §3.1 error (None when no token was sent), why, a nonce to use."""

    status: int
    error: str | None
    description: str
    nonce: str = ""

    @property
    def www_authenticate(self) -> str | None:
        """The challenge of RFC 9449 §7.1; only for 401 and 403."""
        if self.status not in {401, 403}:
            return None
        challenge = f'DPoP algs="{" ".join(ALGORITHMS)}"'
        if self.error is None:
            return challenge
        return f'{challenge}, error="{self.error}", error_description="{self.description}"'

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with the body."""
        headers = {"Content-Type": FHIR_JSON, "Cache-Control": "no-store"}
        if self.www_authenticate:
            headers["WWW-Authenticate"] = self.www_authenticate
        if self.nonce:
            headers["DPoP-Nonce"] = self.nonce
        if self.status == 503:
            headers["Retry-After"] = "5"
        return headers

    @property
    def body(self) -> dict[str, Any]:
        """A FHIR R4 OperationOutcome."""
        codes = {
            400: "invalid",
            401: "login",
            403: "forbidden",
            404: "not-found",
            413: "too-long",
            500: "exception",
            503: "transient",
        }
        issue = {
            "severity": "error",
            "code": codes.get(self.status, "security"),
            "details": {"coding": [{"system": "urn:renhice:guard", "code": self.error or "token-missing"}],
                        "text": self.description},
        }  # fmt: skip
        return {"resourceType": "OperationOutcome", "issue": [issue]}
