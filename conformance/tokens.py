"""Holder tokens as the registry's gateway gets them (RFC 9068), and tokens as somebody would forge them."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import ECKey

from conformance.registry.keys import base64url, make_key, sign
from conformance.registry.state import State

Json = dict[str, Any]
LIFE = 300
TYPES = ("AllergyIntolerance", "MedicationStatement", "Encounter", "Condition", "Immunization")
ACTOR = "CMP 000000"
PURPOSE = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}
READ_ALL = " ".join(f"patient/{kind}.rs" for kind in TYPES)


@dataclass(frozen=True, slots=True)
class Forge:
    """Makes tokens for the candidate, bound to the key of the kit's gateway."""

    state: State
    gateway_key: ECKey

    def claims(self, patient: str, scope: str = READ_ALL, residual: Sequence[Mapping[str, Any]] = ()) -> Json:
        """The claims of a good token."""
        now = int(time.time())
        claims: Json = {
            "iss": self.state.url,
            "aud": self.state.audience,
            "iat": now,
            "exp": now + LIFE,
            "jti": str(uuid.uuid4()),
            "client_id": "sihce-kit",
            "sub": patient,
            "patient": patient,
            "scope": scope,
            "act": {"sub": ACTOR},
            "cnf": {"jkt": self.gateway_key.thumbprint()},
            "extensions": {
                "ihe_iua": {"purpose_of_use": [PURPOSE], "person_id": patient},
                "ihe_pcf": {"patient_id": patient, "residual": [dict(rule) for rule in residual]},
            },
        }
        index = self.state.remember(claims)
        return claims | {"status": {"status_list": {"idx": index, "uri": f"{self.state.url}/oauth/status/0"}}}

    def good(self, patient: str, scope: str = READ_ALL, residual: Sequence[Mapping[str, Any]] = ()) -> str:
        """A token as the registry issues them."""
        return self.signed(self.claims(patient, scope, residual))

    def signed(self, claims: Mapping[str, Any], typ: str = "at+jwt", **header: Any) -> str:
        """Any claims under the issuer's key."""
        return sign(self.state.key, claims, typ, **header)

    def changed(self, patient: str, **changes: Any) -> str:
        """A token of the issuer with other claims; None takes one out."""
        claims = self.claims(patient) | changes
        return self.signed({name: value for name, value in claims.items() if value is not None})

    def by_a_stranger(self, patient: str, *, travelling: bool = False, kid: str | None = None) -> str:
        """Right claims under a key nobody published, which travels in the header if wished."""
        key = make_key()
        header: Json = {"kid": kid or key.kid} | ({"jwk": key.as_dict(private=False)} if travelling else {})
        return sign(key, self.claims(patient), "at+jwt", **header)

    def unsigned(self, patient: str) -> str:
        """`alg: none` (RFC 8725 §2.1)."""
        return f"{_segment({'alg': 'none', 'kid': self.state.key.kid, 'typ': 'at+jwt'})}.{self._payload(patient)}."

    def by_public_key(self, patient: str) -> str:
        """HS256 with the published key as the secret (RFC 8725 §2.1)."""
        header = {"alg": "HS256", "kid": self.state.key.kid, "typ": "at+jwt"}
        message = f"{_segment(header)}.{self._payload(patient)}"
        secret: bytes = self.state.key.as_pem(private=False)
        return f"{message}.{base64url(hmac.digest(secret, message.encode(), hashlib.sha256))}"

    def _payload(self, patient: str) -> str:
        return _segment(self.claims(patient))


def _segment(content: Mapping[str, Any]) -> str:
    return base64url(json.dumps(content).encode())
