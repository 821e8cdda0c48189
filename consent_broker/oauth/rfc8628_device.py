"""Device authorization (RFC 8628): the record system waits while the patient answers on a screen of their own.

What it waits for is the answer to an access request, so the patient may give it by the code, in their own portal, or by
any other road; who is asked is in the request, never in whoever types the code.
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from authlib.oauth2.rfc6749.errors import AccessDeniedError, InvalidGrantError, InvalidRequestError, OAuth2Error
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin
from authlib.oauth2.rfc8628.errors import AuthorizationPendingError, ExpiredTokenError, SlowDownError
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.consents.access_requests import current_status
from consent_broker.consents.models import AccessRequest
from consent_broker.consents.service import get_consent
from consent_broker.consents.vocabulary import scope_of
from consent_broker.desk.short_codes import LIFETIME, issue_short_code
from consent_broker.oauth.clients import AUTH_METHOD, DEVICE_CODE, Client, Requester
from consent_broker.oauth.grant_tokens import issue_grant_tokens
from consent_broker.oauth.grants import Reader, open_grant, revoke_grant
from consent_broker.oauth.launches import find_launch, scopes_asked
from consent_broker.oauth.models import DeviceAuthorization, OAuthGrant
from consent_broker.oauth.opaque import digest, new_secret
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import now
from registry.sealing import Sealer

VERIFICATION = "/codigo"
INTERVAL = 5
"""Seconds between polls, and what each poll that comes too soon adds (§3.5)."""

MAX_WAITING = 20
"""Device codes of one access request that wait at once."""


class WaitingTooMuch(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """Too many device codes wait for one answer."""

    error = "temporarily_unavailable"
    description = "Too many requests for this launch wait for an answer"
    status_code = 429


def authorize_device(
    session: Session, broker: Broker, sealer: Sealer, requester: Requester, form: dict[str, str]
) -> dict[str, Any]:
    """The device authorization response (§3.2) for a launch of this client; raises OAuth2Error.

    The device code is bound to the key the client proved to hold, if it did, as a pushed request's code is.
    """
    client = requester.client
    if "launch" not in form:
        raise InvalidRequestError("launch, the id of an open access request, is required")
    launch = find_launch(session, client, form["launch"])
    scopes = scopes_asked(client, form.get("scope"), launch)
    moment = now()
    _require_few(session, launch.id)
    code = issue_short_code(session, sealer, launch.id)
    device_code = new_secret()
    session.add(
        DeviceAuthorization(
            device_code_hash=digest(device_code),
            client_id=client.client_id,
            access_request_id=launch.id,
            scopes=sorted(scopes),
            created_at=moment,
            expires_at=code.expires_at,
            interval_seconds=INTERVAL,
            jkt=requester.jkt,
        )
    )
    record(session, _event(launch))
    address = f"{broker.issuer}{VERIFICATION}"
    return {
        "device_code": device_code,
        "user_code": code.code,
        "verification_uri": address,
        "verification_uri_complete": f"{address}/{code.code}",
        "expires_in": min(int(LIFETIME.total_seconds()), int((code.expires_at - moment).total_seconds())),
        "interval": INTERVAL,
    }


class DeviceCodeGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]  # Authlib ships no types
    """Polling for the answer (§3.4), and redeeming it once, by one SQL statement; a replay ends the family."""

    GRANT_TYPE = DEVICE_CODE
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = [AUTH_METHOD]

    def validate_token_request(self) -> None:
        client: Client = self.authenticate_token_endpoint_client()
        self.request.client = client
        presented = self.request.form.get("device_code")
        if presented is None:
            raise InvalidRequestError("Missing 'device_code' in request.")
        mine = (DeviceAuthorization.device_code_hash == digest(presented)) & (
            DeviceAuthorization.client_id == client.client_id
        )
        self._redeemed = self._redeem(mine) or self._refuse(mine)

    def _redeem(self, mine: Any) -> DeviceAuthorization | None:
        moment = now()
        statement = (
            update(DeviceAuthorization)
            .where(mine, DeviceAuthorization.used_at.is_(None), DeviceAuthorization.expires_at > moment)
            .where(AccessRequest.id == DeviceAuthorization.access_request_id, AccessRequest.status == "granted")
            .values(used_at=moment)
            .returning(DeviceAuthorization)
        )
        found: DeviceAuthorization | None = self.server.session.scalar(statement)
        return found

    def _refuse(self, mine: Any) -> DeviceAuthorization:
        """Say why there is no token yet, or won't be; a poll that comes too soon makes the interval longer."""
        moment, session = now(), self.server.session
        query = select(DeviceAuthorization).where(mine).with_for_update()
        waiting = session.scalar(query, execution_options={"populate_existing": True})
        if waiting is None or waiting.used_at is not None:
            self._punish_replay(waiting)
            raise InvalidGrantError("The device code is not valid")
        request = session.get(AccessRequest, waiting.access_request_id, populate_existing=True)
        if request.status == "denied":
            raise AccessDeniedError(description="The patient declined")
        if waiting.expires_at <= moment or current_status(request, moment) == "expired":
            raise ExpiredTokenError(description="Nobody answered in time")
        raise SlowDownError() if _came_too_soon(waiting, moment) else AuthorizationPendingError()

    def _punish_replay(self, waiting: DeviceAuthorization | None) -> None:
        if waiting is not None and waiting.grant_id is not None:
            revoke_grant(self.server.session, waiting.grant_id, "device-code-replayed")

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        server = self.server
        if self._redeemed.jkt not in {None, server.requester.jkt}:
            raise InvalidGrantError("The device code is bound to another key")
        grant = _open_grant(server.session, self._redeemed)
        self._redeemed.grant_id = grant.id
        body = issue_grant_tokens(server.session, server.broker, server.requester, grant, frozenset(grant.scopes))
        return 200, body, self.TOKEN_RESPONSE_HEADER


def _came_too_soon(waiting: DeviceAuthorization, moment: datetime) -> bool:
    """Note the poll; one before its time makes the interval longer for good (§3.5)."""
    wait = timedelta(seconds=waiting.interval_seconds)
    too_soon = waiting.polled_at is not None and moment < waiting.polled_at + wait
    waiting.polled_at = moment
    waiting.interval_seconds += INTERVAL if too_soon else 0
    return too_soon


def _open_grant(session: Session, redeemed: DeviceAuthorization) -> OAuthGrant:
    """The grant of a request that was granted: what was asked by this code and permitted by the patient."""
    request = session.get_one(AccessRequest, redeemed.access_request_id)
    consent = get_consent(session, request.consent_id)
    permitted = {scope_of(category) for category in consent.terms.categories or request.categories}
    scopes = set(redeemed.scopes) & (permitted | {"offline_access"})
    if not scopes & permitted:
        raise AccessDeniedError(description="The patient permitted nothing of this scope")
    reader = Reader(
        establishment_id=request.establishment_id,
        professional_id=request.professional_id,
        purpose=request.purpose,
        client_id=redeemed.client_id,
        consent_id=consent.id,
    )
    return open_grant(session, reader, request.person_id, scopes, consent.terms.ends_at or request.ends_at)


def waits_for(session: Session, request_ids: list[UUID]) -> set[UUID]:
    """Those of the requests whose answer a device code waits for: they may be answered on any screen."""
    waiting = select(DeviceAuthorization.access_request_id).where(
        DeviceAuthorization.access_request_id.in_(request_ids),
        DeviceAuthorization.used_at.is_(None),
        DeviceAuthorization.expires_at > now(),
    )
    return set(session.scalars(waiting))


def _require_few(session: Session, request_id: UUID) -> None:
    query = select(func.count()).where(
        DeviceAuthorization.access_request_id == request_id,
        DeviceAuthorization.used_at.is_(None),
        DeviceAuthorization.expires_at > now(),
    )
    if (session.scalar(query) or 0) >= MAX_WAITING:
        raise WaitingTooMuch


def _event(launch: AccessRequest) -> Event:
    return Event(
        action="oauth:device:authorized",
        person_id=launch.person_id,
        establishment_id=launch.establishment_id,
        client_id=launch.client_id,
        professional_id=launch.professional_id,
        actor_role="professional",
        purpose=launch.purpose,
        consent_id=launch.consent_id,
        detail={"access_request": str(launch.id)},
    )
