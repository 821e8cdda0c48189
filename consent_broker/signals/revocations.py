"""Telling holders that a token they may be serving no longer stands.

Introspection and the gateway decide anew each time and need none of this; it is for holders that keep an answer for a
while. What changes a person's consents or records makes the tokens about the person be looked at again, and each that
does not stand is recorded as revoked and signalled to its holder.
"""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent_broker.consents.service import get_consent
from consent_broker.oauth.issued import find_issued
from consent_broker.oauth.models import AccessToken
from consent_broker.oauth.standing import stands
from consent_broker.signals.rfc8417_events import TOKENS_REVOKED
from consent_broker.signals.service import raise_signal
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import now
from registry.identity.models import SourceRecord
from registry.identity.service import list_person_ids
from registry.outbox import Payloads, subscriber


@subscriber("consent:directive:revoked")
@subscriber("consent:directive:granted")
def follow_consents(session: Session, payloads: Payloads) -> None:
    """Directives came, changed or went: look at their persons' tokens."""
    for payload in payloads:
        review_tokens(session, get_consent(session, UUID(payload["consent_id"])).terms.person_id)


@subscriber("identity:person:changed")
@subscriber("oauth:grant:revoked")
def follow_persons(session: Session, payloads: Payloads) -> None:
    """Persons' records moved, or grants about them ended: look at their tokens."""
    for person_id in sorted({UUID(payload["person_id"]) for payload in payloads}):
        review_tokens(session, person_id)


def review_tokens(session: Session, person_id: UUID) -> int:
    """Revoke the live holder tokens about a person that no longer stand, and tell their holders; returns how many."""
    live = (
        select(AccessToken)
        .where(AccessToken.person_id.in_({person_id, *list_person_ids(session, person_id)}))
        .where(AccessToken.kind == "holder", AccessToken.revoked_at.is_(None), AccessToken.expires_at > now())
        .order_by(AccessToken.id)
        .with_for_update()
    )
    fallen = [token for token in session.scalars(live).all() if not _stands(session, token)]
    for token in fallen:
        token.revoked_at = now()
        record(session, _event(token))
    session.flush()
    _tell(session, fallen)
    return len(fallen)


def _stands(session: Session, token: AccessToken) -> bool:
    issued = find_issued(session, token.id, token.audience)
    return issued is not None and stands(session, issued)


def _tell(session: Session, fallen: Iterable[AccessToken]) -> None:
    """One signal for each source record of a holder, with all tokens about it."""
    tokens: dict[str, list[str]] = defaultdict(list)
    for token in fallen:
        tokens[token.patient or ""].append(str(token.id))
    for patient, ids in sorted(tokens.items()):
        source = session.get(SourceRecord, UUID(patient)) if patient else None
        if source is not None:
            raise_signal(session, source.establishment_id, TOKENS_REVOKED, patient, {"tokens": ids})


def _event(token: AccessToken) -> Event:
    return Event(
        action="oauth:token:revoked",
        reason="no-longer-permitted",
        person_id=token.person_id,
        establishment_id=token.establishment_id,
        client_id=token.client_id,
        professional_id=token.professional_id,
        purpose=token.purpose,
        token_id=str(token.id),
    )
