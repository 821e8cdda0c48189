"""Challenges put to browsers for a passkey to answer: each once, within minutes, by the browser it was put to."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session
from webauthn.helpers import parse_client_data_json

from portal.errors import PasskeyRefused
from portal.models import PasskeyChallenge
from portal.session import hash_of, new_secret
from registry.database import now

ANSWER_TIME = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a passkey is asked for: how surely it must prove, where its owner goes then, and whose it must be."""

    acr: int
    return_to: str
    subject: bytes | None


def put_challenge(session: Session, holder: str, wanted: Wanted, *, adding: bool) -> str:
    """A new challenge for the browser whose secret is `holder`, to be answered once and soon."""
    challenge = new_secret()
    session.execute(delete(PasskeyChallenge).where(PasskeyChallenge.expires_at < now()))
    session.add(
        PasskeyChallenge(
            challenge_hash=hash_of(challenge),
            holder_hash=hash_of(holder),
            adding=adding,
            subject=wanted.subject,
            acr=wanted.acr,
            return_to=wanted.return_to,
            expires_at=now() + ANSWER_TIME,
        )
    )
    return challenge


def take_challenge(session: Session, holder: str, client_data: bytes, *, adding: bool) -> tuple[bytes, Wanted]:
    """The challenge answered, if it was put to that browser for that end and nobody answered it: one statement.

    Commits, so that it is spent whatever its answer was worth. Raises PasskeyRefused.
    """
    said = parse_client_data_json(client_data)
    if said.cross_origin:
        raise PasskeyRefused("answered within another site's page")
    challenge = said.challenge.decode("ascii", "replace")
    taken = (
        delete(PasskeyChallenge)
        .where(
            PasskeyChallenge.challenge_hash == hash_of(challenge),
            PasskeyChallenge.holder_hash == hash_of(holder),
            PasskeyChallenge.adding.is_(adding),
            PasskeyChallenge.expires_at > now(),
        )
        .returning(PasskeyChallenge.acr, PasskeyChallenge.return_to, PasskeyChallenge.subject)
    )
    found = session.execute(taken, execution_options={"synchronize_session": False}).one_or_none()
    session.commit()
    if found is None:
        raise PasskeyRefused("no such challenge was put to this browser")
    return challenge.encode(), Wanted(acr=found.acr, return_to=found.return_to, subject=found.subject)
