"""Passkeys of staff: added under a fresh sign-in at the provider, named, removed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from registry.app import Renhice
from tests.functional.passkeys.authenticator import PRESENT, Authenticator
from tests.functional.passkeys.world import ANALYST, HOST, ORIGIN, OTHER, Person, row_of


def test_only_a_fresh_sign_in_at_the_provider_adds_one(somebody: Callable[[], Person], key: Authenticator) -> None:
    by_key = somebody()
    by_key.prove(key)
    for person in (by_key, somebody().signed_in(ANALYST, age=timedelta(minutes=16))):
        answer = person.open("/cuenta/llaves/nueva")
        assert answer.status_code == 303
        assert "proveedor=1" in answer.location
        assert person.send("/cuenta/llaves", "/cuenta/llaves", nombre="Otra", respuesta="{}").status_code == 303


def test_an_answer_of_another_person_or_browser_adds_nothing(somebody: Callable[[], Person], renhice: Renhice) -> None:
    key = Authenticator(ORIGIN, HOST)
    made = somebody().signed_in(ANALYST).made(key)
    for who in (ANALYST, OTHER):
        person = somebody().signed_in(who)
        assert person.send("/cuenta/llaves", "/cuenta/llaves", nombre="Mía", respuesta=made).status_code == 400
    assert row_of(renhice, key) is None


@pytest.mark.parametrize(
    "change",
    [{"origin": "https://evil.example"}, {"rp_id": "evil.example"}, {"flags": PRESENT}],
    ids=["another site", "another relying party", "user not verified"],
)
def test_what_is_added_must_be_right(somebody: Callable[[], Person], renhice: Renhice, change: dict[str, Any]) -> None:
    key = replace(Authenticator(ORIGIN, HOST), **change)
    assert somebody().signed_in(ANALYST).add(key).status_code == 400
    assert row_of(renhice, key) is None


def test_a_credential_is_added_once_whoever_says_it_is_theirs(
    somebody: Callable[[], Person], key: Authenticator
) -> None:
    assert somebody().signed_in(OTHER).add(key).status_code == 400
    assert somebody().prove(key).status_code == 400, "its authenticator answers with the other's handle now"


def test_nobody_has_more_than_ten(somebody: Callable[[], Person]) -> None:
    person = somebody().signed_in(ANALYST)
    made = [person.add(Authenticator(ORIGIN, HOST)).status_code for _ in range(11)]
    assert made == [303] * 10 + [400]


def test_a_removed_passkey_opens_nothing_and_what_it_opened_ends(
    somebody: Callable[[], Person], key: Authenticator, renhice: Renhice
) -> None:
    inside, owner = somebody(), somebody().signed_in(ANALYST)
    inside.prove(key)
    row = row_of(renhice, key)
    assert row
    stranger = somebody().signed_in(OTHER)
    for verb, fields in (("quitar", {}), ("nombre", {"nombre": "Mía"})):
        assert stranger.send("/cuenta/llaves", f"/cuenta/llaves/{row.id}/{verb}", **fields).status_code == 404
    assert owner.send("/cuenta/llaves", f"/cuenta/llaves/{row.id}/quitar").status_code == 303
    assert not inside.inside
    assert somebody().prove(key).status_code == 400
    assert row_of(renhice, key) is None


def test_it_is_called_as_its_owner_likes(somebody: Callable[[], Person], key: Authenticator, renhice: Renhice) -> None:
    owner = somebody().signed_in(ANALYST)
    row = row_of(renhice, key)
    assert row
    owner.send("/cuenta/llaves", f"/cuenta/llaves/{row.id}/nombre", nombre="  Laptop   del <b>consultorio</b> ")
    assert "Laptop del &lt;b&gt;consultorio&lt;/b&gt;" in owner.open("/cuenta/llaves").text
    for name in ("", " ", "x" * 41, "a\x07b"):
        assert owner.send("/cuenta/llaves", f"/cuenta/llaves/{row.id}/nombre", nombre=name).status_code == 400
