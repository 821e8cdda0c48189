"""A provider that signs somebody out ends what it had opened here, and nobody else can (OIDC Back-Channel Logout)."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey
from sqlalchemy import select, update
from werkzeug.wrappers import Response as Answer

from portal import passkeys
from portal.back_channel import EVENT, LONGEST_SECONDS
from portal.entering import enter
from portal.leaving import send_away
from portal.models import PortalSession, UsedLogoutToken
from portal.oidc import IdPeru, Registration, named_by
from portal.session import KEPT_AFTER_END, hash_of, member_of, purge_logout_tokens
from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.database import new_id, now
from registry.directory.models import StaffRole
from tests.functional.passkeys.authenticator import Authenticator
from tests.functional.passkeys.world import ANALYST, HOST, ORIGIN, OTHER, Person, row_of

ISSUER = "https://staff.example"
KEY, STRANGE = (ECKey.generate_key("P-256", {"kid": "one"}) for _ in range(2))
WHO = replace(ANALYST, provider_subject=named_by(ISSUER, "anna"), provider_session=named_by(ISSUER, "s-1"))
COLLEAGUE = replace(OTHER, provider_subject=named_by(ISSUER, "hugo"), provider_session=named_by(ISSUER, "s-2"))
PATHS = {"staff": "/ingresar/salida/personal", "citizens": "/ingresar/salida"}
Tell = Callable[..., int]
Somebody = Callable[[], Person]


def provider(issuer: str, *, broken: bool = False) -> IdPeru:
    def answer(request: httpx.Request) -> httpx.Response:
        if broken:
            return httpx.Response(503)
        if request.url.path.endswith("openid-configuration"):
            return httpx.Response(200, json={"issuer": issuer, "jwks_uri": f"{issuer}/jwks"})
        return httpx.Response(200, json=KeySet([KEY]).as_dict(private=False))

    ours = Registration(issuer=issuer, client_id="renhice", client_secret="-", redirect_uri="https://r.example/r")
    return IdPeru(ours, httpx.Client(transport=httpx.MockTransport(answer)))


@pytest.fixture(autouse=True)
def _providers(app: Flask) -> Iterator[None]:
    app.extensions["renhice-staff-provider"] = provider(ISSUER)
    app.extensions["renhice-idperu"] = provider("https://idperu.example")
    yield
    del app.extensions["renhice-staff-provider"], app.extensions["renhice-idperu"]


Ending = Callable[[Person, Tell, Renhice], object]
MEANWHILE: dict[str, Ending] = {
    "signed-out-by-the-provider": lambda _adding, tell, _renhice: tell(signed()),
    "ended-from-another-browser": lambda adding, _tell, renhice: end_all(adding, renhice),
    "has-left": lambda _adding, _tell, renhice: leave(renhice),
}


def end_all(adding: Person, renhice: Renhice) -> None:
    with renhice.database.unit_of_work() as work:
        mine = PortalSession.secret_hash == hash_of(adding.cookie)
        work.execute(update(PortalSession).where(mine).values(ended_at=now()))


def leave(renhice: Renhice) -> None:
    """The last role ends, and who listens has heard of it."""
    member = member_of(renhice.sealer, WHO)
    with renhice.database.unit_of_work() as work:
        held = update(StaffRole).where(StaffRole.document_token == member, StaffRole.ended_at.is_(None))
        work.execute(held.values(ended_at=now()))
        send_away(work, member)


@pytest.fixture
def _as_before(renhice: Renhice) -> Iterator[None]:
    yield
    with renhice.database.unit_of_work() as work:
        mine = update(StaffRole).where(StaffRole.document_token == member_of(renhice.sealer, WHO))
        work.execute(mine.values(ended_at=None))


@pytest.mark.usefixtures("_as_before")
@pytest.mark.parametrize("end", MEANWHILE.values(), ids=MEANWHILE)
@pytest.mark.parametrize("before", ["_still_here", "new_id"], ids=["before-it-looks", "after-it-looked"])
def test_a_passkey_in_the_making_outlives_nothing(
    renhice: Renhice, somebody: Somebody, tell: Tell, monkeypatch: pytest.MonkeyPatch, end: Ending, before: str
) -> None:
    """Whoever ends a session, or a standing, before the passkey is kept ends it; whoever does after finds it."""
    key, adding = Authenticator(ORIGIN, HOST), somebody().signed_in(WHO)
    made, original = adding.made(key), getattr(passkeys, before)
    with ThreadPoolExecutor(1) as pool:
        ending = list[Future[object]]()

        def go_on(*arguments: Any) -> Any:
            ending.append(pool.submit(end, adding, tell, renhice))
            wait(ending, timeout=20 if before == "_still_here" else 0.3)
            return original(*arguments)

        monkeypatch.setattr(passkeys, before, go_on)
        added = adding.send("/cuenta/llaves", "/cuenta/llaves", nombre="Celular", respuesta=made)
    assert ending[0].exception() is None
    assert added.status_code == (400 if before == "_still_here" else 303)
    monkeypatch.undo()
    assert not adding.inside
    row = row_of(renhice, key)
    if before == "_still_here":
        assert row is None
    elif end is not MEANWHILE["ended-from-another-browser"]:
        assert row is None or row.suspended_at is not None


def signed(key: Any = KEY, header: dict[str, Any] | None = None, **changes: Any) -> str:
    moment = int(time.time())
    body = {
        "iss": ISSUER, "aud": "renhice", "iat": moment, "exp": moment + 120, "jti": str(new_id()), "sub": "anna",
        "events": {EVENT: {}},
    } | changes  # fmt: skip
    head = {"alg": "ES256", "kid": "one", "typ": "logout+jwt"} | (header or {})
    head = {name: value for name, value in head.items() if value is not ...}
    said = {name: value for name, value in body.items() if value is not ...}
    return jwt.encode(head, said, key, algorithms=[head["alg"]])


@pytest.fixture
def tell(app: Flask) -> Tell:
    def told(*tokens: str, to: str = "staff", query: str = "") -> int:
        path = f"{PATHS[to]}{query}"
        answer = app.test_client().post(path, data={"logout_token": list(tokens)}, base_url=ORIGIN)
        assert answer.headers["Cache-Control"] == "no-store"
        assert (answer.status_code == 200) == (answer.data == b"")
        return answer.status_code

    return told


def test_it_ends_all_sessions_of_its_subject_and_suspends_their_passkeys_until_the_next_sign_in(
    app: Flask,
    renhice: Renhice,
    somebody: Somebody,
    tell: Tell,
) -> None:
    key, theirs, other = Authenticator(ORIGIN, HOST), Authenticator(ORIGIN, HOST), somebody().signed_in(COLLEAGUE)
    first, second = somebody().signed_in(WHO), somebody().signed_in(replace(WHO, provider_session=None))
    first.add(key)
    other.add(theirs)
    by_key = somebody()
    by_key.prove(key)
    assert all(one.inside for one in (first, second, by_key))
    assert tell(signed()) == 200
    assert not any(one.inside for one in (first, second, by_key))
    assert other.inside
    led = somebody().prove(key)
    assert "proveedor=1" in led.location
    assert somebody().prove(theirs).location == "/estadisticas"
    with renhice.database.unit_of_work() as work:
        query = select(AuditEvent).where(AuditEvent.action == "portal:session:ended-by-provider")
        event = work.scalars(query.order_by(AuditEvent.id.desc())).first()
        assert event is not None
        assert event.detail == {"sessions": 3, "passkeys": 1, "one_session": False}
    for age, back in ((timedelta(minutes=5), False), (timedelta(0), True)):
        with app.test_request_context("/ingresar", base_url=ORIGIN), renhice.database.unit_of_work():
            enter(Answer(), replace(WHO, auth_time=now() - age))
        assert ("proveedor=1" not in somebody().prove(key).location) == back, "a sign-in of before is none"


def test_a_passkey_that_is_answering_just_then_opens_nothing(
    somebody: Somebody,
    tell: Tell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, verify = Authenticator(ORIGIN, HOST), passkeys._check_signature
    somebody().signed_in(WHO).add(key)

    def signed_out_meanwhile(*said: Any) -> int:
        with ThreadPoolExecutor(1) as beside:
            assert beside.submit(tell, signed()).result() == 200
        return verify(*said)

    monkeypatch.setattr(passkeys, "_check_signature", signed_out_meanwhile)
    late = somebody()
    assert "proveedor=1" in late.prove(key).location
    assert not late.inside


@pytest.mark.parametrize("said", [{}, {"sub": ...}], ids=["sub-and-sid", "sid"])
def test_of_one_session_only_that_one_ends_and_what_a_passkey_opened(
    somebody: Somebody,
    tell: Tell,
    said: dict[str, Any],
) -> None:
    key = Authenticator(ORIGIN, HOST)
    here, elsewhere = somebody().signed_in(WHO), somebody().signed_in(replace(WHO, provider_session="another"))
    here.add(key)
    by_key = somebody()
    by_key.prove(key)
    assert tell(signed(sid="s-1", **said)) == 200
    assert (here.inside, elsewhere.inside, by_key.inside) == (False, True, False)
    assert "proveedor=1" in somebody().prove(key).location


def test_it_counts_once(somebody: Somebody, tell: Tell) -> None:
    token = signed()
    assert [tell(token), tell(token)] == [200, 400]
    inside = somebody().signed_in(WHO)
    assert tell(token) == 400
    assert inside.inside


NOW = int(time.time())
WRONG: dict[str, dict[str, Any]] = {
    "another-issuer": {"iss": "https://idperu.example"},
    "another-audience": {"aud": "other"},
    "no-audience": {"aud": ...},
    "nonce": {"nonce": "n"},
    "empty-nonce": {"nonce": None},
    "no-events": {"events": ...},
    "another-event": {"events": {"http://schemas.openid.net/event/other": {}}},
    "event-no-object": {"events": {EVENT: True}},
    "no-jti": {"jti": ...},
    "jti-no-text": {"jti": 7},
    "nobody": {"sub": ...},
    "sub-no-text": {"sub": ["anna"]},
    "sid-no-text": {"sid": 1},
    "no-exp": {"exp": ...},
    "ended": {"exp": NOW - 60},
    "too-long": {"exp": NOW + 10 * LONGEST_SECONDS},
    "no-iat": {"iat": ...},
    "of-tomorrow": {"iat": NOW + 86_400, "exp": NOW + 86_460},
    "of-yesterday": {"iat": NOW - 86_400},
    "true-iat": {"iat": True},
    "id-token": {"header": {"typ": "JWT"}},
    "access-token": {"header": {"typ": "at+jwt"}},
    "no-typ": {"header": {"typ": ...}},
    "another-key": {"key": STRANGE},
    "unknown-key": {"header": {"kid": "two"}, "key": STRANGE},
    "symmetric": {"header": {"alg": "HS256"}, "key": OctKey.import_key(b"x" * 32)},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_what_is_no_logout_token_ends_nothing(
    somebody: Somebody,
    tell: Tell,
    wrong: dict[str, Any],
) -> None:
    inside = somebody().signed_in(WHO)
    assert tell(signed(**wrong)) == 400
    assert inside.inside


def test_nor_does_garbage(somebody: Somebody, tell: Tell) -> None:
    inside, (head, body, _) = somebody().signed_in(WHO), signed().split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoibG9nb3V0K2p3dCJ9"
    for token in ("", "x", "a.b.c", f"{head}.{body}.", f"{none}.{body}.", "x" * 9_000, f"{signed()}\n", "ñ.x.y"):
        assert tell(token) == 400, token[:20]
    assert tell() == 400
    assert tell(signed(), signed()) == 400
    assert tell(signed(), query="?logout_token=x") == 400
    assert tell(signed(), to="citizens") == 400, "each provider speaks at its own address"
    assert inside.inside


def test_where_the_providers_keys_can_not_be_had_it_may_come_again(app: Flask, tell: Tell) -> None:
    token = signed()
    app.extensions["renhice-staff-provider"] = provider(ISSUER, broken=True)
    assert tell(token) == 503
    app.extensions["renhice-staff-provider"] = provider(ISSUER)
    assert tell(token) == 200


def test_what_was_taken_is_forgotten_when_nobody_could_show_it_again(renhice: Renhice, tell: Tell) -> None:
    tell(signed())
    with renhice.database.unit_of_work() as work:
        purge_logout_tokens(work)
        assert work.scalars(select(UsedLogoutToken)).first()
        for row in work.scalars(select(UsedLogoutToken)):
            row.expires_at = now() - KEPT_AFTER_END - timedelta(seconds=1)
        work.flush()
        purge_logout_tokens(work)
        assert not work.scalars(select(UsedLogoutToken)).first()
