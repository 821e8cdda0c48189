"""Passkeys of those who work with the registry: added under a fresh sign-in, answered once, counted, taken away.

Web Authentication Level 2 §7.1 (adding) and §7.2 (signing in), verified by the `webauthn` library; user verification
is always asked for. What a passkey proves is in decision 0020.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NoReturn
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json, parse_registration_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from portal.errors import PasskeyRefused
from portal.models import Passkey
from portal.passkey_challenges import Wanted, put_challenge, take_challenge
from portal.session import (
    Identity,
    end_opened_by,
    from_bytes,
    hold,
    identity_of,
    member_of,
    provider_token,
    subject_of,
    to_bytes,
)
from registry.app import Renhice
from registry.audit.event import Event
from registry.database import new_id, now, take_turns
from registry.directory.staff import works_here
from registry.sealing import DataKey, Sealer

COPIED_ACR = 2
"""The most a passkey proves that its provider may keep on several devices."""

MAX_ANSWER = 8_192
MOST = 10
NAME_LENGTH = 40
_CONTEXT = "passkeys.identity"
_SITE = "RENHICE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """Who a passkey proved to be there, now, and what it had been asked for."""

    identity: Identity
    passkey_id: UUID
    wanted: Wanted
    lapsed: bool
    """Whether its owner has not signed in at the identity provider for too long, or since it signed them out."""

    confirmed_at: datetime
    """When its owner last signed in there."""


def owner_of(sealer: Sealer, identity: Identity) -> bytes:
    """Whose passkeys are a human's: of their work, whichever provider they signed in at."""
    return subject_of(sealer, replace(identity, staff=True))


def list_passkeys(session: Session, owner: bytes) -> Sequence[Passkey]:
    """The owner's passkeys, in the order they were added."""
    return session.scalars(select(Passkey).where(Passkey.subject == owner).order_by(Passkey.id)).all()


def offer_to_add(session: Session, parts: Renhice, identity: Identity, holder: str) -> str:
    """The options of a new passkey, as JSON; the browser whose secret is `holder` may answer them once."""
    owner = owner_of(parts.sealer, identity)
    challenge = put_challenge(session, holder, Wanted(acr=identity.acr, return_to="", subject=owner), adding=True)
    options = generate_registration_options(
        rp_id=parts.settings.host,
        rp_name=_SITE,
        user_id=owner,
        user_name=identity.name,
        challenge=challenge.encode(),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_descriptors(session, owner),
    )
    return options_to_json(options)


def add_passkey(session: Session, parts: Renhice, session_id: UUID, holder: str, name: str, answer: str) -> Passkey:
    """Keep the passkey an authenticator made for that browser; raises PasskeyRefused. Commits: a challenge is spent.

    Not once the session has ended, or its human works here no more; who ends either meanwhile waits, and finds it.
    """
    with _refusing("answer to a new passkey"):
        credential = parse_registration_credential_json(_bounded(answer))
        challenge, asked = take_challenge(session, holder, credential.response.client_data_json, adding=True)
        verified = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=parts.settings.host,
            expected_origin=parts.settings.base_url,
            require_user_verification=True,
        )
    identity = _still_here(session, parts, session_id)
    owner = owner_of(parts.sealer, identity)
    if asked.subject != owner or len(list_passkeys(session, owner)) >= MOST:
        raise PasskeyRefused("another's challenge, or one passkey too many")
    passkey_id, copied = new_id(), verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE
    new = insert(Passkey).values(
        id=passkey_id,
        subject=owner,
        member=member_of(parts.sealer, identity),
        provider_subject=provider_token(parts.sealer, identity.provider_subject),
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        acr=min(identity.acr, COPIED_ACR) if copied else identity.acr,
        copied=copied,
        sealed_identity=parts.sealer.seal(session, passkey_id, to_bytes(replace(identity, staff=True)), _CONTEXT),
        name=name,
        added_at=now(),
        confirmed_at=identity.auth_time,
    )
    if session.scalar(new.on_conflict_do_nothing().returning(Passkey.id)) is None:
        raise PasskeyRefused("a credential that is known already")
    return session.get_one(Passkey, passkey_id)


def _still_here(session: Session, parts: Renhice, session_id: UUID) -> Identity:
    """Who is signed in, held to the end of the transaction: whoever ends the session or their work comes after it."""
    if not hold(session, session_id):
        raise PasskeyRefused("its session has ended")
    identity = identity_of(session, parts.sealer, session_id)
    member = member_of(parts.sealer, identity)
    take_turns(session, _turn(member))
    if not works_here(session, member, now()):
        raise PasskeyRefused("its owner works here no more")
    return identity


def _turn(member: bytes) -> bytes:
    return b"passkeys" + member


def offer_to_sign_in(session: Session, parts: Renhice, holder: str, wanted: Wanted) -> str:
    """The options of a proof, as JSON; of any passkey, or of one of `wanted.subject`."""
    challenge = put_challenge(session, holder, wanted, adding=False)
    options = generate_authentication_options(
        rp_id=parts.settings.host,
        challenge=challenge.encode(),
        allow_credentials=_descriptors(session, wanted.subject) if wanted.subject else None,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def prove(session: Session, parts: Renhice, holder: str, answer: str) -> Proved:
    """Who an authenticator's answer proves to be there; raises PasskeyRefused, audited once the passkey is known.

    Commits, so that a challenge is spent whatever its answer was worth. A counter that does not advance blocks the
    passkey (§7.2 step 21: somebody may hold a copy).
    """
    passkey, wanted, counted = _verify(session, parts, holder, answer)
    moment = now()
    if not _count(session, passkey.id, counted, moment):
        _block(session, passkey, moment)
    session.refresh(passkey, ["suspended_at", "confirmed_at"])  # its row is ours now: nobody suspends it between
    sealed = parts.sealer.open(session, passkey.id, passkey.sealed_identity, _CONTEXT)
    identity = from_bytes(sealed, acr=passkey.acr, auth_time=moment)
    passkey.member = member_of(parts.sealer, identity)
    lapsed = passkey.confirmed_at + timedelta(days=parts.settings.passkey_days) < moment or bool(passkey.suspended_at)
    return Proved(
        identity=identity, passkey_id=passkey.id, wanted=wanted, lapsed=lapsed, confirmed_at=passkey.confirmed_at
    )


def _verify(session: Session, parts: Renhice, holder: str, answer: str) -> tuple[Passkey, Wanted, int]:
    """The passkey that answered, what it had been asked for, and how far it says to have counted."""
    with _refusing("answer of a passkey"):
        credential = parse_authentication_credential_json(_bounded(answer))
        challenge, wanted = take_challenge(session, holder, credential.response.client_data_json, adding=False)
        passkey = _find_answering(session, credential, wanted)
        return passkey, wanted, _check_signature(parts, passkey, credential, challenge)


def _find_answering(session: Session, credential: AuthenticationCredential, wanted: Wanted) -> Passkey:
    passkey = session.scalar(select(Passkey).where(Passkey.credential_id == credential.raw_id))
    if passkey is None or passkey.blocked_at is not None:
        raise PasskeyRefused("no such passkey")
    if credential.response.user_handle != passkey.subject or wanted.subject not in {None, passkey.subject}:
        _refuse(passkey, "another-owner")
    return passkey


def _check_signature(parts: Renhice, passkey: Passkey, credential: AuthenticationCredential, challenge: bytes) -> int:
    """How far the authenticator says to have counted; compared where no other answer can come between."""
    try:
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=parts.settings.host,
            expected_origin=parts.settings.base_url,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except WebAuthnException:
        _refuse(passkey, "not-verified")
    return verified.new_sign_count


def _block(session: Session, passkey: Passkey, moment: datetime) -> NoReturn:
    session.execute(update(Passkey).where(Passkey.id == passkey.id).values(blocked_at=moment))
    end_opened_by(session, passkey.id)
    session.commit()
    _refuse(passkey, "counter-went-back")


def rename_passkey(session: Session, owner: bytes, passkey_id: UUID, name: str) -> bool:
    """Give one's own passkey another name; False when there is none."""
    change = update(Passkey).where(Passkey.id == passkey_id, Passkey.subject == owner).values(name=name)
    return session.scalar(change.returning(Passkey.id)) is not None


def remove_passkey(session: Session, owner: bytes, passkey_id: UUID) -> bool:
    """Take one's own passkey away and end the sessions it opened; False when there is none."""
    gone = delete(Passkey).where(Passkey.id == passkey_id, Passkey.subject == owner).returning(Passkey.id)
    if session.scalar(gone, execution_options={"synchronize_session": False}) is None:
        return False
    session.execute(delete(DataKey).where(DataKey.owner_id == passkey_id))
    end_opened_by(session, passkey_id)
    return True


def confirm_passkeys(session: Session, sealer: Sealer, identity: Identity) -> None:
    """Their owner has come from the identity provider: they count anew.

    Those it suspended do where the owner proved who they are after that, and not by a sign-in of before.
    """
    still = or_(Passkey.suspended_at.is_(None), Passkey.suspended_at <= identity.auth_time + timedelta(seconds=1))
    named = {"provider_subject": provider_token(sealer, identity.provider_subject)}
    count = update(Passkey).where(Passkey.subject == owner_of(sealer, identity), still)
    session.execute(count.values(confirmed_at=now(), suspended_at=None, **named))


def remove_all(session: Session, member: bytes) -> int:
    """Take every passkey of a member of the staff away, also one that is being added; returns how many."""
    take_turns(session, _turn(member))
    gone = delete(Passkey).where(Passkey.member == member).returning(Passkey.id)
    ids = session.scalars(gone, execution_options={"synchronize_session": False}).all()
    session.execute(delete(DataKey).where(DataKey.owner_id.in_(ids)))
    return len(ids)


def oldest_confirmation(session: Session, member: bytes) -> datetime | None:
    """Since when some passkey of a member of the staff has rested on its owner's sign-in; None where there is none."""
    return session.scalar(select(func.min(Passkey.confirmed_at)).where(Passkey.member == member))


def _count(session: Session, passkey_id: UUID, counted: int, moment: datetime) -> bool:
    """Move the counter on; False when it did not advance. Zero for ever is an authenticator that does not count."""
    advanced = Passkey.sign_count < counted if counted else Passkey.sign_count == 0
    count = (
        update(Passkey)
        .where(Passkey.id == passkey_id, Passkey.blocked_at.is_(None), advanced)
        .values(sign_count=counted, last_used_at=moment)
        .returning(Passkey.id)
    )
    return session.scalar(count, execution_options={"synchronize_session": False}) is not None


def _descriptors(session: Session, owner: bytes) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=one.credential_id) for one in list_passkeys(session, owner)]


def _bounded(answer: str) -> str:
    if len(answer) > MAX_ANSWER:
        raise PasskeyRefused("too long an answer")
    return answer


def _refuse(passkey: Passkey, reason: str) -> NoReturn:
    detail = {"passkey": str(passkey.id)}
    refusal = Event(action="portal:passkey:used", outcome="refused", reason=reason, detail=detail)
    raise PasskeyRefused(reason, audit=refusal)


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Whatever an authenticator's answer is made of, it is refused with one word."""
    try:
        yield
    except (WebAuthnException, ValueError, TypeError, KeyError, json.JSONDecodeError) as error:
        raise PasskeyRefused(f"{what}: {type(error).__name__}") from error
