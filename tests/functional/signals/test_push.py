"""A revocation reaches a holder that keeps its answers: pushed, or pulled, and never lost when the holder is away."""

import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import repeat
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from werkzeug.wrappers import Response

from consent_broker.consents.decision import Kind
from consent_broker.consents.service import Terms, list_consents, record_objection, revoke_consent
from consent_broker.oauth.token_status_list import TTL
from consent_broker.resource_server.jwks import IssuerKeys
from consent_broker.resource_server.revocations import StatusLists
from consent_broker.signals.models import Signal
from consent_broker.signals.service import MAX_ATTEMPTS, lend_due, list_undelivered, raise_signal, replay, settle
from consent_broker.signals.tasks import deliver_signals
from registry import outbox
from registry.audit.models import AuditEvent
from registry.database import now
from tests.functional.exchange.holder import FhirServer
from tests.functional.oauth.world import RECORDS, World, claims_of


def holder_token(world: World, holder: FhirServer) -> str:
    """Read through the gateway as a professional, and keep the token the holder was shown."""
    request = world.request_access()
    token = world.grant(launch=request["id"], scope=" ".join(RECORDS))["access_token"]
    answer = world.asking.get(f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}", token)
    assert answer.json["total"] == 1, answer.text
    return str(holder.requests[-1].headers["Authorization"].partition(" ")[2])


def present(world: World, token: str) -> int:
    """Present the token to the holder as the gateway does, and once more when the holder asks for its nonce."""
    prover, server = world.broker.prover, world.holding.endpoint
    url, patient, status = f"{server}/AllergyIntolerance", claims_of(token)["patient"], 0
    for _ in range(2):
        headers = {"Authorization": f"DPoP {token}", "DPoP": prover.prove("GET", url, token, server)}
        answer = httpx.get(url, params={"patient.identifier": patient}, headers=headers)
        prover.learn(server, answer.headers.get("DPoP-Nonce"))
        status = answer.status_code
        if "use_dpop_nonce" not in answer.headers.get("WWW-Authenticate", ""):
            break
    return status


def revoke(world: World) -> None:
    def act(session: Any) -> None:
        active = [one for one in list_consents(session, [world.person_id]) if one.status == "active"]
        for one in active:
            revoke_consent(session, one.id, world.evidence(), "ya no")

    world.transact(act)


def relay(world: World) -> None:
    world.transact(outbox.relay)


def deliver(world: World) -> None:
    world.transact(lambda _session: deliver_signals(world.broker))


def make_due(world: World) -> None:
    world.transact(lambda session: session.execute(update(Signal).values(available_at=now())))


def signals(world: World) -> list[Signal]:
    return list(world.transact(lambda session: session.scalars(select(Signal).order_by(Signal.id)).all()))


def test_a_pushed_revocation_ends_a_kept_answer(world: World, holder: FhirServer) -> None:
    token = holder_token(world, holder)
    assert present(world, token) == 200
    revoke(world)
    relay(world)
    deliver(world)
    assert signals(world)[-1].delivered_at is not None
    assert present(world, token) == 401


def test_the_signal_names_tokens_and_a_record_and_nothing_else(world: World, holder: FhirServer) -> None:
    token = holder_token(world, holder)
    revoke(world)
    relay(world)
    signal = signals(world)[-1]
    claims = claims_of(token)
    assert (signal.kind, signal.subject) == ("tokens-revoked", claims["patient"])
    assert signal.content == {"tokens": [claims["jti"]]}
    assert signal.establishment_id == world.holding.establishment_id
    revoked = select(AuditEvent).where(AuditEvent.token_id == claims["jti"], AuditEvent.action == "oauth:token:revoked")
    event = world.transact(lambda session: session.scalars(revoked).one())
    assert (event.reason, event.person_id) == ("no-longer-permitted", world.person_id)


def test_what_still_stands_is_left_alone(world: World, holder: FhirServer) -> None:
    token = holder_token(world, holder)
    before = len(signals(world))
    world.request_access(categories=["immunizations"])
    relay(world)
    assert len(signals(world)) == before
    assert present(world, token) == 200


def test_an_objection_reaches_the_holder_too(world: World, holder: FhirServer) -> None:
    token = holder_token(world, holder)
    terms = Terms(
        person_id=world.person_id,
        establishment_id=world.asking.establishment_id,
        professional_id=world.professional_id,
        categories=frozenset({"allergies"}),
        purposes=frozenset({"TREAT"}),
        ends_at=now() + timedelta(hours=1),
        kind=Kind.OBJECTION,
    )
    objection = world.transact(lambda session: record_objection(session, terms, world.evidence()))
    relay(world)
    deliver(world)
    assert present(world, token) == 401
    world.transact(lambda session: revoke_consent(session, objection.id, world.evidence()))


def test_a_pulled_list_says_it_within_its_seconds(world: World, holder: FhirServer) -> None:
    token = holder_token(world, holder)
    claims = claims_of(token)
    moment = [0.0]
    http = httpx.Client()
    keys = IssuerKeys(http, f"{world.broker.issuer}/oauth/jwks")
    lists = StatusLists(http, keys, world.broker.issuer, lambda: moment[0])
    assert lists.revoked(claims) is False
    revoke(world)
    relay(world)
    moment[0] += TTL + 0.1
    assert lists.revoked(claims) is True


def test_a_holder_that_is_away_gets_it_later(world: World, holder: FhirServer) -> None:
    token = holder_token(world, holder)
    revoke(world)
    relay(world)
    guarded, holder.guarded = holder.guarded, Response("no", status=503)
    deliver(world)
    waiting = signals(world)[-1]
    assert (waiting.delivered_at, waiting.attempts, waiting.last_error) == (None, 1, "status-503")
    assert waiting.available_at > now()
    holder.guarded = guarded
    make_due(world)
    deliver(world)
    arrived = signals(world)[-1]
    assert (arrived.delivered_at is not None, arrived.attempts, arrived.last_error) == (True, 2, None)
    assert present(world, token) == 401


def test_what_was_given_up_stays_in_sight_and_can_be_replayed(world: World, holder: FhirServer) -> None:
    holder_token(world, holder)
    began = now()
    revoke(world)
    relay(world)
    world.transact(
        lambda session: session.execute(update(Signal).where(Signal.raised_at >= began).values(attempts=MAX_ATTEMPTS))
    )
    assert world.transact(lend_due) == []
    assert [one.raised_at >= began for one in world.transact(list_undelivered)] == [True]
    assert world.transact(lambda session: replay(session, world.holding.establishment_id, began)) == 1
    deliver(world)
    assert world.transact(list_undelivered) == []


def test_two_senders_never_hold_one_signal(world: World, holder: FhirServer) -> None:
    holder_token(world, holder)
    revoke(world)
    relay(world)
    (parcel,) = world.transact(lend_due)
    assert world.transact(lend_due) == []
    world.transact(lambda session: settle(session, parcel.signal_id, None))


def test_an_establishment_that_takes_no_events_is_sent_none(world: World) -> None:
    raised = world.transact(
        lambda session: raise_signal(session, world.asking.establishment_id, "tokens-revoked", "x", {"tokens": []})
    )
    assert raised is None


@pytest.mark.parametrize("number", ["-1", "999", "x", "18446744073709551616", "0x1", "1.5", "%00"])
def test_a_status_list_that_is_not_there_is_not_found(world: World, number: str) -> None:
    answer = world.asking.http.get(f"/oauth/status/{number}")
    assert answer.status_code in {400, 404}
    assert answer.is_json


def test_a_status_list_may_be_kept_for_its_seconds(world: World) -> None:
    answer = world.asking.http.get("/oauth/status/0")
    assert (answer.status_code, answer.mimetype) == (200, "application/statuslist+jwt")
    assert answer.headers["Cache-Control"] == "public, max-age=5"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"", "application/secevent+jwt"), (b"x.y.z", "application/secevent+jwt"), (b"{}", "application/json"),
     (b"\xff" * 70_000, "application/secevent+jwt")],
)  # fmt: skip
def test_garbage_is_no_event(world: World, body: bytes, content_type: str) -> None:
    url = world.holding.endpoint.replace("/fhir", "/events")
    answer = httpx.post(url, content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 400
    assert answer.json()["err"] in {"invalid_request", "authentication_failed"}
    assert httpx.get(url).status_code == 400


def test_one_that_answers_a_byte_at_a_time_keeps_no_others_events(
    world: World, holder: FhirServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dripping(environ: Any, _start: Any) -> Any:
        raw = environ["werkzeug.socket"]
        with suppress(OSError):
            for byte in (b"HTTP/1.1 202 Accepted\r\nX-Slow: ", *repeat(b"x", 100)):
                raw.sendall(byte)
                time.sleep(0.05)
        raise ConnectionAbortedError

    hasty = replace(world.broker, settings=world.broker.settings.model_copy(update={"holder_timeout_seconds": 1.0}))
    monkeypatch.setattr(holder, "guarded", dripping)
    told = world.holding.establishment_id
    world.transact(lambda session: raise_signal(session, told, "tokens-revoked", "x", {"tokens": []}))
    world.transact(lambda _session: deliver_signals(hasty))
    assert signals(world)[-1].last_error == "timeout"
