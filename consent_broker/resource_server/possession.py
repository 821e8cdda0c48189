"""Whether whoever shows a token holds the key it is bound to (RFC 9449 §7): the right proof, fresh, used once."""

import hmac
from hashlib import sha256
from typing import Any

from consent_broker.resource_server.answers import Refusal
from consent_broker.resource_server.nonces import NonceNeeded, Nonces, RememberedProofs
from consent_broker.resource_server.proofs import InvalidProof, read_proof
from consent_broker.resource_server.tokens import bound_key


class ProofVerifier:
    """Checks proofs for one FHIR base.

    Nonces are a function of the record system's private key, so that all its processes take each other's; the proofs
    that were used are remembered by each process for itself.
    """

    def __init__(self, base: str, private_jwk: dict[str, Any]) -> None:
        self._base = base
        secret = sha256(b"dpop-nonce:" + str(private_jwk["d"]).encode()).digest()
        self._nonces = Nonces(lambda period: hmac.digest(secret, period.encode(), sha256)[:16])
        self._seen = RememberedProofs()

    @property
    def nonce(self) -> str:
        """The nonce to offer."""
        return self._nonces.current()

    def refuse(self, proof: str, method: str, path: str, token: str, claims: dict[str, Any]) -> Refusal | None:
        """Why the token is not proved by this request, with the nonce to use; None when it is."""
        try:
            found = read_proof(proof, method, f"{self._base}{path}", token)
            found.require_key(bound_key(claims))
            self._nonces.require(found.nonce)
        except NonceNeeded:
            return Refusal(401, "use_dpop_nonce", "Use the nonce of the DPoP-Nonce header", self.nonce)
        except InvalidProof as error:
            return Refusal(401, "invalid_dpop_proof", f"The proof does not hold: {error}", self.nonce)
        if not self._seen.add(found):
            return Refusal(401, "invalid_dpop_proof", "The proof was used before", self.nonce)
        return None
