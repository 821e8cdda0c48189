"""Answers nobody documented: each becomes a status, none an exception."""

from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from matching.records import Document, DocumentType
from registry.breaker import Breakers
from registry.pide.cache import CheckCache
from registry.pide.port import IdentityCheck, Status
from registry.pide.reniec import MAX_BYTES, Account, ReniecOverPide

DOCUMENT = Document(DocumentType.DNI, "40404041")
PERSON = {"apPrimer": "CCAHUANA", "apSegundo": "ÑAHUI", "prenombres": "ZORAIDA", "restriccion": "NINGUNA"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["consultarResponse", "return", "coResultado", "deResultado", "datosPersona", "apPrimer"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


def ask(answer: httpx.Response | Exception, breakers: Breakers | None = None) -> IdentityCheck:
    def transport(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with httpx.Client(transport=httpx.MockTransport(transport), base_url="http://pide") as http:
        account = Account("94901918", "20999000001", SecretStr("secret"))
        return ReniecOverPide(http, account, 5.0, breakers or Breakers()).lookup(DOCUMENT)


def body(code: object, person: object = None, text: str = "") -> httpx.Response:
    content = {"coResultado": code, "deResultado": text} | ({"datosPersona": person} if person is not None else {})
    return httpx.Response(200, json={"consultarResponse": {"return": content}})


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (body("0000", PERSON), Status.VERIFIED, None),
        (body("0001", PERSON), Status.VERIFIED, None),
        (body("0001", None, "El DNI no existe"), Status.NOT_FOUND, None),
        (body("0001", PERSON | {"prenombres": " "}, "DNI no encontrado"), Status.NOT_FOUND, None),
        (body("0001", None, "Espere"), Status.UNVERIFIED, "no-person-data"),
        (body("0000", {"apPrimer": None, "prenombres": "ZORAIDA"}), Status.UNVERIFIED, "no-person-data"),
        (body("9999", PERSON), Status.UNVERIFIED, "refused"),
        (body(None), Status.UNVERIFIED, "refused"),
        (body("0000", PERSON | {"apPrimer": "A" * 201}), Status.UNVERIFIED, "not-understood"),
        (body("0000", PERSON | {"apPrimer": ["A"]}), Status.UNVERIFIED, "not-understood"),
        (httpx.Response(200, content=b"x" * (MAX_BYTES + 1)), Status.UNVERIFIED, "too-large"),
        (httpx.Response(200, content=b"[" * 100_000), Status.UNVERIFIED, "not-understood"),
        (httpx.Response(200, content=b"\xff\xfe"), Status.UNVERIFIED, "not-understood"),
        (httpx.Response(302, headers={"Location": "http://elsewhere/"}), Status.UNVERIFIED, "http-302"),
        (httpx.Response(204), Status.UNVERIFIED, "http-204"),
        (httpx.ReadTimeout("slow"), Status.UNVERIFIED, "timeout"),
        (httpx.ConnectError("gone"), Status.UNVERIFIED, "unreachable"),
        (httpx.RemoteProtocolError("cut"), Status.UNVERIFIED, "unreachable"),
    ],
)
def test_every_answer_has_a_status(answer: httpx.Response | Exception, status: Status, reason: str | None) -> None:
    check = ask(answer)
    assert (check.status, check.reason) == (status, reason)


def test_the_photograph_and_address_are_left_behind() -> None:
    check = ask(body("0000", PERSON | {"foto": "/9j/SECRET", "direccion": "JR. SECRET"}))
    assert "SECRET" not in repr(check)


def test_an_answer_that_drips_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 1000, 3))
    monkeypatch.setattr("registry.pide.reniec.time.monotonic", lambda: float(next(ticks)))

    class Drip(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b"x"

    assert ask(httpx.Response(200, stream=Drip())).reason == "timeout"


@given(JSON)
def test_any_json_is_survived(content: object) -> None:
    assert ask(httpx.Response(200, json=content)).status in set(Status)


def test_an_answer_about_nobody_does_not_open_the_breaker() -> None:
    breakers = Breakers(threshold=1)
    ask(body("0001", None, "El DNI no existe"), breakers)
    assert ask(body("0000", PERSON), breakers).status is Status.VERIFIED


def test_the_cache_forgets_by_time_and_by_room() -> None:
    moment = 0.0
    cache = CheckCache(capacity=2, clock=lambda: moment)
    checks = [ask(body("0000", PERSON)) for _ in range(3)]
    for key, check in zip("abc", checks, strict=True):
        cache.keep(key, check, 10)
    assert [cache.find(key) for key in "abc"] == [None, checks[1], checks[2]]
    moment = 10.0
    assert cache.find("b") is None


def test_after_the_rest_one_call_tries_and_the_others_wait() -> None:
    moment = 0.0
    breakers = Breakers(threshold=2, rest_seconds=10, clock=lambda: moment)
    breakers.report("x", success=False)
    assert breakers.allows("x")
    breakers.report("x", success=False)
    assert not breakers.allows("x")
    assert breakers.allows("y")
    moment = 10.0
    assert [breakers.allows("x"), breakers.allows("x")] == [True, False]
    breakers.report("x", success=True)
    assert breakers.allows("x")
