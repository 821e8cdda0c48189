"""Passkeys of staff: good for one answer, worth what the sign-in they were added under was, and no more."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from sqlalchemy import select

from portal.models import PasskeyChallenge
from portal.session import Identity
from registry.app import Renhice
from registry.database import now
from tests.functional.passkeys.authenticator import BACKUP_ELIGIBLE, PRESENT, Authenticator
from tests.functional.passkeys.world import ANALYST, HOST, ORIGIN, OTHER, PAGE, Person, refusals, row_of


def test_a_passkey_opens_what_its_sign_in_opened(somebody: Callable[[], Person], key: Authenticator) -> None:
    person = somebody()
    assert not person.inside
    answer = person.prove(key)
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert person.inside
    sessions = person.open("/cuenta/sesiones").text
    assert "Con llave de acceso" in sessions
    assert "a los 30 minutos; nunca dura más de 8 horas." in sessions
    assert person.prove(key).status_code == 303, "and again, to step up"


def test_it_makes_nobody_a_patient(somebody: Callable[[], Person], key: Authenticator) -> None:
    person = somebody()
    person.prove(key)
    assert person.open("/mi-historia").status_code == 403


def test_what_can_be_copied_does_not_replace_the_electronic_dni(
    somebody: Callable[[], Person], renhice: Renhice
) -> None:
    copied = Authenticator(ORIGIN, HOST, flags=PRESENT | 4 | BACKUP_ELIGIBLE)
    person = somebody().signed_in(ANALYST)
    person.add(copied)
    row = row_of(renhice, copied)
    assert row
    assert (row.acr, row.copied) == (2, True)
    answer = somebody().prove(copied, "/ingresar/llave?nivel=3&volver=/profesional")
    wanted = parse_qs(urlsplit(answer.location).query)
    assert wanted == {"nivel": ["3"], "volver": ["/profesional"], "personal": ["1"], "proveedor": ["1"]}
    assert somebody().prove(copied).location == PAGE


def test_a_challenge_is_answered_once(somebody: Callable[[], Person], key: Authenticator) -> None:
    person = somebody()
    answer = key.get(person.options("/ingresar/llave"))
    assert person.answer(answer).status_code == 303
    assert person.answer(answer).status_code == 400


def test_a_wrong_answer_spends_the_challenge(somebody: Callable[[], Person], key: Authenticator) -> None:
    person = somebody()
    options = person.options("/ingresar/llave")
    assert person.answer(replace(key, origin="https://evil.example").get(options)).status_code == 400
    assert person.answer(key.get(options)).status_code == 400


def test_an_answer_counts_in_the_browser_that_was_asked(somebody: Callable[[], Person], key: Authenticator) -> None:
    asked, other = somebody(), somebody()
    options = asked.options("/ingresar/llave")
    other.options("/ingresar/llave")
    assert other.answer(key.get(options)).status_code == 400
    assert not other.inside


def test_a_late_answer_is_refused(somebody: Callable[[], Person], key: Authenticator, renhice: Renhice) -> None:
    person = somebody()
    options = person.options("/ingresar/llave")
    with renhice.database.unit_of_work() as work:
        for row in work.scalars(select(PasskeyChallenge)):
            row.expires_at = now() - timedelta(seconds=1)
    assert person.answer(key.get(options)).status_code == 400


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "https://evil.example"},
        {"origin": f"http://{HOST}:8001"},
        {"type": "webauthn.create"},
        {"crossOrigin": True},
        {"challenge": "AAAA"},
    ],
    ids=["another site", "another port", "an answer of adding", "framed", "another challenge"],
)
def test_what_the_browser_says_must_be_right(
    somebody: Callable[[], Person], key: Authenticator, lie: dict[str, Any]
) -> None:
    person = somebody()
    assert person.prove(key, **lie).status_code == 400
    assert not person.inside


@pytest.mark.parametrize(
    "change",
    [{"rp_id": "evil.example"}, {"flags": PRESENT}, {"flags": 4}, {"user": b"another"}, {"credential": b"x" * 16}],
    ids=["another relying party", "user not verified", "user not present", "another's handle", "unknown"],
)
def test_what_the_authenticator_says_must_be_right(
    somebody: Callable[[], Person], key: Authenticator, change: dict[str, Any]
) -> None:
    person = somebody()
    assert person.prove(replace(key, **change)).status_code == 400
    assert not person.inside


def test_another_key_does_not_sign_for_it(somebody: Callable[[], Person], key: Authenticator, renhice: Renhice) -> None:
    thief = replace(Authenticator(ORIGIN, HOST), credential=key.credential, user=key.user)
    person = somebody()
    assert person.prove(thief).status_code == 400
    assert not person.inside
    assert "not-verified" in refusals(renhice)


def test_whoever_works_here_proves_it_with_their_own(
    somebody: Callable[[], Person], key: Authenticator, renhice: Renhice
) -> None:
    """A colleague's passkey at an open session: neither theirs nor the colleague's goes on."""
    person = somebody().signed_in(OTHER)
    options = person.options("/ingresar/llave")
    assert not options["allowCredentials"]
    assert person.answer(key.get(options)).status_code == 400
    assert "another-owner" in refusals(renhice)


def test_a_copy_is_noticed_by_its_counter_and_blocks_both(
    somebody: Callable[[], Person], key: Authenticator, renhice: Renhice
) -> None:
    copy = replace(key)
    owner, thief = somebody(), somebody()
    assert owner.prove(key).status_code == 303
    assert thief.prove(copy).status_code == 400
    assert not owner.inside, "the sessions it opened end"
    assert somebody().prove(replace(key, counter=key.counter + 9)).status_code == 400
    row = row_of(renhice, key)
    assert row
    assert row.blocked_at
    assert "counter-went-back" in refusals(renhice)
    assert "Bloqueada" in somebody().signed_in(ANALYST).open("/cuenta/llaves").text


def test_an_authenticator_that_does_not_count_stays_at_zero(somebody: Callable[[], Person]) -> None:
    key = Authenticator(ORIGIN, HOST, counter=0)
    somebody().signed_in(ANALYST).add(key)
    for _ in range(2):
        key.counter = -1
        assert somebody().prove(key).status_code == 303


def test_a_patient_has_no_passkeys(somebody: Callable[[], Person]) -> None:
    nobody = somebody().signed_in(Identity(document="40718299", name="ROSA", acr=2, auth_time=now()))
    assert nobody.open("/cuenta/sesiones").status_code == 200
    for path in ("/cuenta/llaves", "/cuenta/llaves/nueva"):
        assert nobody.open(path).status_code == 403


def test_the_other_sessions_end_together(somebody: Callable[[], Person]) -> None:
    here, there, elsewhere = (somebody().signed_in(OTHER) for _ in range(3))
    stranger = somebody().signed_in(ANALYST)
    here.send("/cuenta/sesiones", "/cuenta/sesiones/cerrar-otras")
    assert [one.inside for one in (here, there, elsewhere, stranger)] == [True, False, False, True]


def test_a_browser_with_a_passkey_is_offered_it_first(somebody: Callable[[], Person], key: Authenticator) -> None:
    person = somebody()
    person.prove(key)
    person.http.delete_cookie("renhice_session", domain=HOST)
    offered = person.open(person.open(PAGE).location)
    assert offered.location.startswith("/ingresar/llave?nivel=2")
    page = person.open(offered.location)
    assert "proveedor=1" in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


@hypothesis(max_examples=30)
@given(st.one_of(st.text(max_size=50), st.recursive(st.none() | st.text(max_size=9), lambda inner: st.dictionaries(
    st.sampled_from(["id", "rawId", "type", "response", "clientDataJSON", "authenticatorData", "userHandle"]), inner
)).map(json.dumps)))  # fmt: skip
def test_garbage_is_refused_clearly(app: Flask, garbage: str) -> None:
    answer = app.test_client().post("/ingresar/llave", data={"respuesta": garbage}, base_url=ORIGIN)
    assert answer.status_code == 400
    assert "La llave de acceso no sirvió" in answer.text


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature", "userHandle"])
@pytest.mark.parametrize("garbage", ["", "AAAA", "é", "{}", "A" * 9000], ids=["empty", "zeros", "é", "braces", "long"])
def test_a_garbled_answer_is_refused_clearly(
    somebody: Callable[[], Person], key: Authenticator, part: str, garbage: str
) -> None:
    person = somebody()
    answer = json.loads(key.get(person.options("/ingresar/llave")))
    answer["response"][part] = garbage
    assert person.answer(json.dumps(answer)).status_code == 400
