"""DPoP at the authorization server and at our own surfaces (RFC 9449): each proof once, each with a nonce of ours."""

from datetime import UTC, datetime

from authlib.oauth2.rfc6749.errors import OAuth2Error
from flask import Flask, Response, g
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent_broker.oauth.models import UsedProof
from consent_broker.resource_server.nonces import NonceNeeded, Nonces
from consent_broker.resource_server.proofs import ALGORITHMS, InvalidProof, Proof, read_proof
from registry.database import table_of
from registry.questions import NO_DISK, Question
from registry.sealing import Sealer

HEADER = "DPoP"
NONCE_HEADER = "DPoP-Nonce"
CHALLENGE = f'DPoP algs="{" ".join(ALGORITHMS)}"'
"""What a caller without a token is told (§7.1)."""


# Made once: every request of a record system uses a proof up.
_INSERT = insert(table_of(UsedProof)).on_conflict_do_nothing()
_COLUMNS = ["proof_hash", "expires_at"]
_USE = Question(_INSERT.returning(UsedProof.proof_hash), _COLUMNS)
_USE_FOR_GOOD = Question(_INSERT.returning(NO_DISK), _COLUMNS)


class InvalidDpopProof(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """The proof does not hold, or was used before (§5)."""

    error = "invalid_dpop_proof"


class UseDpopNonce(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """The proof needs the nonce that the answer's header offers (§8)."""

    error = "use_dpop_nonce"


def make_nonces(sealer: Sealer) -> Nonces:
    """The nonces of all processes that share the keys directory."""
    return Nonces(lambda period: sealer.blind("dpop-nonce", period))


def check_proof(nonces: Nonces, proof: str, method: str, url: str, token: str | None = None) -> Proof:
    """A proof for this request that carries a good nonce; raises InvalidProof, NonceNeeded.

    The answer offers a nonce from here on, whatever becomes of the request.
    """
    g.dpop_nonce = nonces.current()
    found = read_proof(proof, method, url, token)
    nonces.require(found.nonce)
    return found


def use_proof(session: Session, proof: Proof) -> None:
    """Use a proof up in one statement; raises InvalidProof when it was used before (§11.1)."""
    _use(_USE, session, proof)


def use_proof_for_good(session: Session, proof: Proof) -> None:
    """`use_proof`, whatever becomes of the request; of a session that commits each statement (`commit_each`).

    A request that fails is rolled back, and its proof must not be good again. The commit does not wait for the disk:
    what a crash could lose ends within a minute.
    """
    _use(_USE_FOR_GOOD, session, proof)


def _use(question: Question, session: Session, proof: Proof) -> None:
    if not question.ask(session, proof_hash=proof.key, expires_at=datetime.fromtimestamp(proof.ends_at, UTC)):
        raise InvalidProof("the proof was used before")


def read_request_proof(nonces: Nonces, proof: str | None, method: str, url: str) -> Proof | None:
    """The proof of a request to the authorization server, if it brings one; raises OAuth2Error."""
    if proof is None:
        return None
    try:
        return check_proof(nonces, proof, method, url)
    except InvalidProof as error:
        raise InvalidDpopProof(str(error)) from None
    except NonceNeeded:
        raise UseDpopNonce("Use the nonce of the DPoP-Nonce header") from None


def offer_nonces(app: Flask) -> None:
    """Let every answer to a request that brought a proof offer the current nonce (§8.2)."""

    def offer(response: Response) -> Response:
        if nonce := g.get("dpop_nonce"):
            response.headers[NONCE_HEADER] = nonce
        return response

    app.after_request(offer)
