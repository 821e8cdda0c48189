"""Pushed events and pulled lists: only the issuer's, only for us, only of their type, and never a way to be flooded."""

import base64
import time
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from consent_broker.oauth.token_status_list import LIST_SIZE, compress
from consent_broker.resource_server.jwks import IssuerKeys
from consent_broker.resource_server.revocations import (
    EVENT,
    LIST_BYTES,
    RevokedTokens,
    StatusLists,
    UnusableStatement,
    read_event,
)

ISSUER, AUDIENCE, URI = "https://renhice.example", "https://b.example/fhir", "https://renhice.example/oauth/status/0"
KEY = ECKey.generate_key("P-256", {"kid": "one"})
FOREIGN = ECKey.generate_key("P-256", {"kid": "one"})


def sign(claims: dict[str, Any], typ: str | None, key: ECKey = KEY, **header: Any) -> str:
    head = {"alg": "ES256", "kid": "one", "typ": typ} | header
    head = {name: value for name, value in head.items() if value is not None}
    return jwt.encode(head, claims, key, algorithms=["ES256"], default_type=None)


def event(*, typ: str | None = "secevent+jwt", key: ECKey = KEY, **changes: Any) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "iat": int(time.time()), "jti": "e1",
              "events": {EVENT: {"tokens": ["t1", "t2"]}}} | changes  # fmt: skip
    return sign({name: value for name, value in claims.items() if value is not None}, typ, key)


def status_list(*, typ: str = "statuslist+jwt", key: ECKey = KEY, lst: str | None = None, **changes: Any) -> str:
    moment = int(time.time())
    content = {"bits": 1, "lst": compress([3]) if lst is None else lst}
    claims = {"sub": URI, "iat": moment, "exp": moment + 10, "ttl": 5, "status_list": content} | changes
    return sign(claims, typ, key)


def http(answer: Callable[[httpx.Request], str]) -> httpx.Client:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/jwks":
            return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})
        return httpx.Response(200, text=answer(request))

    return httpx.Client(transport=httpx.MockTransport(respond))


def keys() -> IssuerKeys:
    return IssuerKeys(http(lambda _: ""), f"{ISSUER}/oauth/jwks")


def lists(answer: str, clock: Callable[[], float] = time.monotonic) -> StatusLists:
    client = http(lambda _: answer)
    return StatusLists(client, IssuerKeys(client, f"{ISSUER}/oauth/jwks"), ISSUER, clock)


def claims(index: Any = 3, uri: Any = URI) -> dict[str, Any]:
    return {"status": {"status_list": {"idx": index, "uri": uri}}}


def test_an_event_of_the_issuer_names_its_tokens() -> None:
    assert read_event(keys(), ISSUER, AUDIENCE, event()) == ["t1", "t2"]


def test_an_event_of_another_kind_revokes_nothing() -> None:
    assert read_event(keys(), ISSUER, AUDIENCE, event(events={"https://other": {}})) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"typ": "at+jwt"}, {"typ": None}, {"typ": "JWT"}, {"key": FOREIGN}, {"iss": "https://evil.example"},
        {"aud": "https://a.example/fhir"}, {"aud": [AUDIENCE]}, {"iat": None}, {"iat": int(time.time()) - 90_000},
        {"iat": int(time.time()) + 90_000}, {"iat": "now"}, {"events": None}, {"events": [EVENT]},
        {"events": {EVENT: {"tokens": "t1"}}}, {"events": {EVENT: {"tokens": [1]}}},
        {"events": {EVENT: {"tokens": ["x" * 101]}}},
    ],
)  # fmt: skip
def test_anything_else_is_no_event(changed: dict[str, Any]) -> None:
    with pytest.raises(UnusableStatement):
        read_event(keys(), ISSUER, AUDIENCE, event(**changed))


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "." * 100, "é.é.é", "x" * 100_000])
def test_garbage_is_no_event(text: str) -> None:
    with pytest.raises(UnusableStatement):
        read_event(keys(), ISSUER, AUDIENCE, text)


def test_a_key_that_travels_in_the_message_is_refused() -> None:
    forged = sign({"iss": ISSUER}, "secevent+jwt", FOREIGN, jwk=FOREIGN.as_dict(private=False))
    with pytest.raises(UnusableStatement):
        read_event(keys(), ISSUER, AUDIENCE, forged)


def test_a_list_says_which_tokens_are_revoked() -> None:
    found = lists(status_list())
    assert [found.revoked(claims(index)) for index in range(5)] == [False, False, False, True, False]


@given(st.sets(st.integers(0, LIST_SIZE - 1), max_size=50))
def test_packing_a_list_loses_no_bit(indices: set[int]) -> None:
    found = lists(status_list(lst=compress(indices)))
    assert all(found.revoked(claims(index)) for index in indices)
    assert {index for index in range(0, LIST_SIZE, 997) if found.revoked(claims(index))} <= indices


@pytest.mark.parametrize(
    "answer",
    [
        status_list(typ="at+jwt"), status_list(key=FOREIGN), status_list(sub="https://renhice.example/oauth/status/1"),
        status_list(exp=int(time.time()) - 1), status_list(ttl="5"), status_list(status_list={"bits": 2, "lst": ""}),
        status_list(status_list=None), status_list(lst="!!"), status_list(lst="AAAA"), "", "x" * 300_000,
    ],
)  # fmt: skip
def test_a_list_that_is_not_the_one_asked_for_says_nothing(answer: str) -> None:
    with pytest.raises(UnusableStatement):
        lists(answer).revoked(claims())


def test_a_bomb_unpacks_to_no_more_than_a_list() -> None:
    bomb = base64.urlsafe_b64encode(zlib.compress(b"\0" * 50_000_000)).decode()
    found = lists(status_list(lst=bomb))
    assert found.revoked(claims(LIST_BYTES * 8 - 1)) is False
    with pytest.raises(UnusableStatement):
        found.revoked(claims(LIST_BYTES * 8))


@pytest.mark.parametrize(
    "token",
    [{}, claims("3"), claims(-1), claims(True), claims(uri="https://evil.example/oauth/status/0"), claims(uri=7)],
)
def test_a_token_that_names_no_list_of_its_issuer_is_not_looked_up(token: dict[str, Any]) -> None:
    with pytest.raises(UnusableStatement):
        lists(status_list()).revoked(token)


def test_a_list_is_fetched_again_when_its_time_is_over() -> None:
    asked: list[str] = []
    moment = [0.0]

    def answer(request: httpx.Request) -> str:
        asked.append(request.url.path)
        return status_list()

    client = http(answer)
    found = StatusLists(client, IssuerKeys(client, f"{ISSUER}/oauth/jwks"), ISSUER, lambda: moment[0])
    for moment[0] in (0.0, 4.9, 5.1):
        found.revoked(claims())
    assert asked == ["/oauth/status/0"] * 2


def test_revoked_tokens_are_remembered_as_long_as_they_could_live() -> None:
    moment = [0.0]
    revoked = RevokedTokens(lambda: moment[0])
    revoked.add(["t1"])
    assert ("t1" in revoked, "t2" in revoked) == (True, False)
    moment[0] = 301
    assert "t1" not in revoked


def test_a_flood_of_events_pushes_out_the_oldest_only() -> None:
    revoked = RevokedTokens()
    revoked.add([str(number) for number in range(50_001)])
    assert ("0" in revoked, "1" in revoked, "50000" in revoked) == (False, True, True)
