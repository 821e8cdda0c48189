"""Passkeys of staff: added under a fresh sign-in, good for one answer, worth what that sign-in was, and no more."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response as Answer

from matching.records import Document, DocumentType
from portal.entering import enter
from portal.leaving import send_away_whoever_left
from portal.models import Passkey, PasskeyChallenge, PortalSession
from portal.session import Identity, open_session
from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.database import now
from registry.directory.administration import Desk, end_role, grant_role
from registry.directory.documents import document_token
from registry.directory.entries import put_professional
from registry.directory.models import Professional, StaffRole
from registry.directory.schemas import ProfessionalItem
from registry.outbox import relay
from tests.functional.passkeys.authenticator import BACKUP_ELIGIBLE, PRESENT, Authenticator

HOST = "127.0.0.1"
ORIGIN = f"http://{HOST}:8000"
ANALYST = Identity(document="40718293", name="CARLA ZEVALLOS", acr=3, auth_time=now(), staff=True)
OTHER = Identity(document="40718294", name="HUGO PALOMINO", acr=3, auth_time=now(), staff=True)
PAGE = "/estadisticas"


class Person:
    """Somebody at a browser."""

    def __init__(self, app: Flask, renhice: Renhice) -> None:
        self.http: FlaskClient = app.test_client()
        self.renhice = renhice

    def signed_in(self, identity: Identity, age: timedelta = timedelta(0), **session: Any) -> "Person":
        identity = replace(identity, auth_time=now() - age)
        with self.renhice.database.unit_of_work() as work:
            secret = open_session(work, self.renhice.sealer, identity, "Firefox/1", **session)
        self.http.set_cookie("renhice_session", secret, domain=HOST)
        return self

    def open(self, path: str) -> TestResponse:
        return self.http.get(path, base_url=ORIGIN)

    def send(self, page: str, path: str, **fields: str) -> TestResponse:
        token = re.search(r'name="csrf" value="([^"]+)"', self.open(page).text)
        csrf = {"csrf": token.group(1)} if token else {}
        return self.http.post(path, data=csrf | fields, base_url=ORIGIN)

    def options(self, path: str) -> dict[str, Any]:
        found = re.search(r'data-opciones="([^"]+)"', self.open(path).text)
        assert found
        options: dict[str, Any] = json.loads(unescape(found.group(1)))
        return options

    def add(self, key: Authenticator, name: str = "Celular") -> TestResponse:
        return self.send("/cuenta/llaves", "/cuenta/llaves", nombre=name, respuesta=self.made(key))

    def made(self, key: Authenticator) -> str:
        return key.create(self.options("/cuenta/llaves/nueva"))

    def prove(self, key: Authenticator, path: str = "/ingresar/llave?como=analista", **said: Any) -> TestResponse:
        return self.answer(key.get(self.options(path), **said))

    def answer(self, answer: str) -> TestResponse:
        return self.send("/ingresar", "/ingresar/llave", respuesta=answer)

    @property
    def inside(self) -> bool:
        return self.open(PAGE).status_code == 200


@pytest.fixture(scope="module", autouse=True)
def roles(renhice: Renhice) -> None:
    """Both are analysts."""
    with renhice.database.unit_of_work() as work:
        for who in (ANALYST, OTHER):
            token = document_token(renhice.sealer, Document(DocumentType.DNI, who.document))
            dates = {"granted_at": now() - timedelta(days=30), "valid_until": now().replace(year=2099)}
            work.add(StaffRole(document_token=token, sealed=b"-", role="analyst", **dates))


@pytest.fixture(autouse=True)
def _no_passkeys(renhice: Renhice) -> None:
    with renhice.database.unit_of_work() as work:
        work.execute(delete(Passkey))


@pytest.fixture
def somebody(app: Flask, renhice: Renhice) -> Callable[[], Person]:
    return lambda: Person(app, renhice)


@pytest.fixture
def key(somebody: Callable[[], Person]) -> Authenticator:
    """A passkey the analyst has added."""
    made = Authenticator(ORIGIN, HOST)
    assert somebody().signed_in(ANALYST).add(made).status_code == 303
    return made


def row_of(renhice: Renhice, key: Authenticator) -> Passkey | None:
    with renhice.database.unit_of_work() as work:
        return work.scalar(select(Passkey).where(Passkey.credential_id == key.credential))


def refusals(renhice: Renhice) -> list[str | None]:
    with renhice.database.unit_of_work() as work:
        query = select(AuditEvent.reason).where(AuditEvent.action == "portal:passkey:used")
        return list(work.scalars(query))


def test_a_passkey_opens_what_its_sign_in_opened(somebody: Callable[[], Person], key: Authenticator) -> None:
    person = somebody()
    assert not person.inside
    answer = person.prove(key)
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert person.inside
    assert "Con llave de acceso" in person.open("/cuenta/sesiones").text
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


LEAVING = Identity(document="40718295", name="X", acr=3, auth_time=now(), staff=True)
DNI = Document(DocumentType.DNI, LEAVING.document)
LATER = now().replace(year=2099)
Change = Callable[[Desk], object]


def practising(able: bool) -> ProfessionalItem:
    return ProfessionalItem.model_validate({
        "college": "CMP", "number": "077001", "document": {"type": "DNI", "number": LEAVING.document},
        "able_to_practise": able, "names": "X", "paternal_surname": "Y", "affiliations": [],
    })  # fmt: skip


@pytest.fixture
def change(renhice: Renhice) -> Iterator[Callable[[Change], None]]:
    """Change the directory as an operator does, and tell who listens; afterwards the one who leaves has left."""

    def act(change: Change) -> None:
        with renhice.database.unit_of_work() as work:
            change(Desk(work, renhice.sealer, "tests"))
        with renhice.database.unit_of_work() as work:
            while relay(work):
                pass

    yield act
    with renhice.database.unit_of_work() as work:
        roles = update(StaffRole).where(StaffRole.document_token == token_of(renhice), StaffRole.ended_at.is_(None))
        work.execute(roles.values(ended_at=now(), end_reason="test"))
        work.execute(update(Professional).where(Professional.number == "077001").values(able_to_practise=False))


def token_of(renhice: Renhice) -> bytes:
    return document_token(renhice.sealer, DNI)


def left(renhice: Renhice) -> tuple[int, int]:
    """The living sessions and the passkeys of the one who leaves."""
    with renhice.database.unit_of_work() as work:
        mine = token_of(renhice)
        alive = (PortalSession.member == mine) & PortalSession.ended_at.is_(None)
        counted = select(func.count()).select_from(PortalSession).where(alive).scalar_subquery()
        keys = select(func.count()).select_from(Passkey).where(Passkey.member == mine).scalar_subquery()
        sessions, passkeys = work.execute(select(counted, keys)).one()
        return sessions, passkeys


GIVEN: list[tuple[Change, Change]] = [
    (lambda desk: grant_role(desk, DNI, "analyst", LATER), lambda desk: end_role(desk, DNI, "analyst", "left")),
    (lambda desk: put_professional(desk, practising(True)), lambda desk: put_professional(desk, practising(False))),
]


@pytest.mark.parametrize(("give", "take"), GIVEN, ids=["role-ended", "professional-suspended"])
def test_who_loses_their_standing_loses_sessions_and_passkeys_at_once_and_for_good(
    somebody: Callable[[], Person], renhice: Renhice, change: Callable[[Change], None], give: Change, take: Change
) -> None:
    change(give)
    key, open_elsewhere = Authenticator(ORIGIN, HOST), somebody().signed_in(LEAVING)
    somebody().signed_in(LEAVING).add(key)
    assert left(renhice) == (2, 1)
    change(take)
    assert left(renhice) == (0, 0)
    change(give)
    assert open_elsewhere.open("/cuenta/llaves").status_code == 303, "the session is over"
    assert somebody().prove(key).status_code == 400, "the passkey is gone"


def test_who_still_has_a_role_stays(
    somebody: Callable[[], Person], renhice: Renhice, change: Callable[[Change], None]
) -> None:
    for give, _ in GIVEN:
        change(give)
    somebody().signed_in(LEAVING).add(Authenticator(ORIGIN, HOST))
    change(GIVEN[1][1])
    assert left(renhice) == (1, 1)
    change(GIVEN[0][1])
    assert left(renhice) == (0, 0)


@pytest.mark.parametrize("by", ["click", "passkey"])
def test_a_role_that_ran_out_is_noticed_when_it_is_used(
    somebody: Callable[[], Person], renhice: Renhice, change: Callable[[Change], None], by: str
) -> None:
    """Nothing happens when a date passes: nobody is told, and nobody gets in."""
    change(GIVEN[0][0])
    key, leaving = Authenticator(ORIGIN, HOST), somebody().signed_in(LEAVING)
    leaving.add(key)
    with renhice.database.unit_of_work() as work:
        mine = update(StaffRole).where(StaffRole.document_token == token_of(renhice))
        work.execute(mine.values(granted_at=now() - timedelta(days=2), valid_until=now() - timedelta(days=1)))
    refused = leaving.open(PAGE) if by == "click" else somebody().prove(key)
    assert refused.status_code == 403
    assert left(renhice) == (0, 0)
    with renhice.database.unit_of_work() as work:
        query = select(AuditEvent).where(AuditEvent.action == "portal:work:ended").order_by(AuditEvent.id.desc())
        event = work.scalars(query).first()
        assert event is not None
        assert (event.reason, event.detail["passkeys"]) == ("no-role-left", 1)


def run_out(renhice: Renhice) -> None:
    """The role ended by its date two days ago; nobody looked."""
    with renhice.database.unit_of_work() as work:
        mine = update(StaffRole).where(StaffRole.document_token == token_of(renhice), StaffRole.ended_at.is_(None))
        work.execute(mine.values(granted_at=now() - timedelta(days=9), valid_until=now() - timedelta(days=2)))
        work.execute(update(Passkey).values(confirmed_at=now() - timedelta(days=3)))


@pytest.mark.parametrize("by", ["passkey", "provider"])
def test_a_role_given_back_after_one_that_ran_out_does_not_bring_the_passkeys_back(
    app: Flask, somebody: Callable[[], Person], renhice: Renhice, change: Callable[[Change], None], by: str
) -> None:
    change(GIVEN[0][0])
    key = Authenticator(ORIGIN, HOST)
    somebody().signed_in(LEAVING).add(key)
    run_out(renhice)
    change(GIVEN[0][0])
    if by == "provider":
        with app.test_request_context("/ingresar", base_url=ORIGIN), renhice.database.unit_of_work():
            enter(Answer(), replace(LEAVING, auth_time=now()))
    assert left(renhice)[1] == (1 if by == "passkey" else 0)
    assert somebody().prove(key).status_code == 400
    assert left(renhice)[1] == 0


def test_a_role_prolonged_in_time_keeps_them(
    somebody: Callable[[], Person], renhice: Renhice, change: Callable[[Change], None]
) -> None:
    change(GIVEN[0][0])
    key = Authenticator(ORIGIN, HOST)
    somebody().signed_in(LEAVING).add(key)
    run_out(renhice)
    with renhice.database.unit_of_work() as work:
        role = {"document_token": token_of(renhice), "sealed": b"-", "role": "steward", "valid_until": LATER}
        work.add(StaffRole(**role, granted_at=now() - timedelta(days=4)))
    assert somebody().prove(key).status_code == 303


def test_whoever_left_by_date_and_never_comes_again_is_forgotten_by_the_clock(
    somebody: Callable[[], Person], renhice: Renhice, change: Callable[[Change], None], key: Authenticator
) -> None:
    change(GIVEN[0][0])
    somebody().signed_in(LEAVING).add(Authenticator(ORIGIN, HOST))
    run_out(renhice)
    assert min(left(renhice)) == 1
    with renhice.database.unit_of_work() as work:
        assert send_away_whoever_left(work, now()) == 1
    assert left(renhice) == (0, 0)
    assert row_of(renhice, key), "a colleague's stays"


def test_a_passkey_rests_on_a_sign_in_at_the_provider_of_the_last_days(
    app: Flask, somebody: Callable[[], Person], key: Authenticator, renhice: Renhice
) -> None:
    """An account that the provider has disabled opens nothing a week later, whatever the directory says."""
    with renhice.database.unit_of_work() as work:
        work.execute(update(Passkey).values(confirmed_at=now() - timedelta(days=7, seconds=1)))
    led = somebody().prove(key)
    assert led.status_code == 303
    assert "proveedor=1" in led.location
    assert "renhice_session" not in led.headers.get("Set-Cookie", "")
    with app.test_request_context("/ingresar", base_url=ORIGIN), renhice.database.unit_of_work():
        enter(Answer(), replace(ANALYST, auth_time=now()))
    back = somebody()
    assert back.prove(key).status_code == 303
    assert back.inside


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
