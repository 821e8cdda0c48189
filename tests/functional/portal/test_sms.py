"""A code by SMS for a simple telephone: over the portal and over the API, with a real gateway process between."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select, update

from consent_broker.consents.models import ConsentVersion
from consent_broker.desk.models import SmsCode
from registry.audit.models import AuditEvent
from registry.database import now
from registry.directory.models import Establishment
from registry.messages.gateway import make_sms_gateway
from registry.messages.models import TextMessage
from registry.messages.phones import mobile_number
from registry.messages.service import deliver_texts
from sandbox import story
from sandbox.demo.browser import Page
from sandbox.demo.record_system import RecordSystem
from sandbox.demo.telling import Teller
from tests.functional.portal.test_desk import ask, settle
from tests.functional.portal.world import Visitor, World
from tests.stolen import shown_by

NUMBER = mobile_number(story.PATIENT.phone)
CODE = re.compile(r"digale el codigo (\d{6})\b")


@pytest.fixture(autouse=True)
def _fresh(world: World) -> None:
    """What one test sent doesn't count against the next."""
    with world.renhice.database.unit_of_work() as session:
        session.execute(delete(SmsCode))
        session.execute(delete(TextMessage))


@pytest.fixture
def asking(world: World) -> RecordSystem:
    known = next(e for e in world.sandbox["establishments"] if e["renipress"] == story.ASKING.renipress)
    return RecordSystem(world.base_url, known, Teller())


def deliver(world: World) -> None:
    """What the worker does every two seconds."""
    gateway = make_sms_gateway(world.renhice.settings)
    assert gateway is not None
    with world.renhice.database.unit_of_work():
        deliver_texts(world.renhice.sealer, gateway)


def outbox(world: World) -> list[dict[str, str]]:
    found: list[dict[str, str]] = httpx.get(f"{world.sandbox['sms']['url']}/messages.json").json()["messages"]
    return found


def carrier(world: World, mode: str) -> None:
    token = {"Authorization": f"Bearer {world.sandbox['control_token']}"}
    httpx.post(f"{world.sandbox['sms']['url']}/control", json={"mode": mode}, headers=token).raise_for_status()


def newest_code(world: World) -> str:
    found = CODE.search(outbox(world)[0]["text"])
    assert found is not None
    return found[1]


def send(physician: Visitor, page: Page) -> Page:
    form = next(form for form in page.forms if form.action.endswith("/sms"))
    return physician.browser.submit(page, form)


def read_out(physician: Visitor, page: Page, code: str) -> Page:
    return physician.press(page, "/sms/respuesta", codigo=code)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def newest_version(world: World) -> ConsentVersion:
    with world.renhice.database.unit_of_work() as session:
        return session.scalars(select(ConsentVersion).order_by(ConsentVersion.recorded_at.desc()).limit(1)).one()


def test_she_reads_the_code_out_and_it_is_her_permission(world: World, physician: Visitor, patient: Visitor) -> None:
    page = send(physician, ask(world, physician))
    assert f"termina en {NUMBER[-2:]}" in page.text
    assert NUMBER[-9:] not in page.body
    deliver(world)
    message = outbox(world)[0]
    assert message["to"] == NUMBER
    for words in ("JULIO CESAR VALDIVIA RAMOS (CMP 990101)", story.ASKING.name, "para atenderle"):
        assert words in message["text"]
    assert "solo lo basico" not in message["text"], "the basic is all that was asked"
    for word in ("Alergia", "alergia", story.PATIENT.paternal_surname, story.PATIENT.document.number):
        assert word not in message["text"], "nothing clinical, nothing about the person"
    record = read_out(physician, page, newest_code(world))
    assert record.url.path == f"/profesional/persona/{world.person_id}"
    assert "Historia compartida" in record.text
    granted = newest_version(world)
    assert granted.evidence["channel"] == "sms"
    assert granted.evidence.keys() >= {"sms_code", "number_token", "professional_id", "establishment_id", "text_sha256"}
    kept = shown_by(granted.evidence)
    assert not any(kept.shows(word) for word in (NUMBER[-9:], newest_code(world)))
    patient.press(patient.open("/mi-historia/permisos"), "/retirar")


def test_the_other_code_permits_the_basic_part_alone(world: World, physician: Visitor, patient: Visitor) -> None:
    page = physician.open(f"/profesional/persona/{world.person_id}")
    wanted: dict[str, Any] = {"categoria": ["allergies", "encounters"], "motivo": "TREAT", "dias": "7"}
    page = send(physician, physician.press(page, "/profesional/persona/", **wanted))
    deliver(world)
    text = outbox(world)[0]["text"]
    found = re.search(r"digale el codigo (\d{6}), o (\d{6}) para solo lo basico", text)
    assert found is not None, text
    assert found[1] != found[2]
    read_out(physician, page, found[2])
    granted = newest_version(world)
    assert (granted.status, granted.categories) == ("active", ["allergies"])
    assert granted.evidence["basic_only"] is True
    csrf = physician.open("/profesional").form("/salir").fields["csrf"]
    again = f"{world.base_url}{page.url.path}/sms/respuesta"
    assert physician.browser._http.post(again, data={"codigo": found[1], "csrf": csrf}).status_code == 409, "one answer"
    patient.press(patient.open("/mi-historia/permisos"), "/retirar")


def test_a_week_at_most(world: World, physician: Visitor, patient: Visitor) -> None:
    page = physician.open(f"/profesional/persona/{world.person_id}")
    page = physician.press(page, "/profesional/persona/", categoria="allergies", motivo="TREAT", dias="90")
    send(physician, page)
    deliver(world)
    read_out(physician, physician.open(page.url.path), newest_code(world))
    granted = newest_version(world)
    assert granted.status == "active"
    assert granted.ends_at is not None
    assert timedelta(days=7) <= granted.ends_at - now() <= timedelta(days=8)
    patient.press(patient.open("/mi-historia/permisos"), "/retirar")


def test_three_wrong_ones_and_the_code_is_over(world: World, physician: Visitor, patient: Visitor) -> None:
    page = send(physician, ask(world, physician))
    deliver(world)
    code = newest_code(world)
    for left in (2, 1):
        page = read_out(physician, page, wrong(code))
        assert page.status == 422
        assert f"quedan {left} intentos" in page.text
    page = read_out(physician, page, wrong(code))
    assert page.status == 422
    answer = physician.browser._http.post(
        f"{world.base_url}{page.url.path.removesuffix('/respuesta')}/respuesta",
        data={"codigo": code, "csrf": page.form("/salir").fields["csrf"]},
    )
    assert answer.status_code == 409
    assert "Ningún código vale ahora" in answer.text
    with world.renhice.database.unit_of_work() as session:
        tried = select(AuditEvent).where(
            AuditEvent.action == "consent:code:answered", AuditEvent.reason == "wrong-code"
        )
        assert len(session.scalars(tried).all()) >= 3
    settle(patient)


def test_a_new_code_ends_the_one_before_and_a_late_one_is_nothing(
    world: World, physician: Visitor, patient: Visitor
) -> None:
    page = send(physician, ask(world, physician))
    deliver(world)
    first = newest_code(world)
    page = send(physician, page)
    deliver(world)
    second = newest_code(world)
    assert read_out(physician, page, first).status == 422 or first == second
    with world.renhice.database.unit_of_work() as session:
        session.execute(update(SmsCode).values(expires_at=now() - timedelta(seconds=1)))
    csrf = physician.open("/profesional").form("/salir").fields["csrf"]
    late = physician.browser._http.post(
        f"{world.base_url}{page.url.path}/sms/respuesta", data={"codigo": second, "csrf": csrf}
    )
    assert late.status_code == 409
    settle(patient)


def test_messages_are_bounded(world: World, physician: Visitor, patient: Visitor) -> None:
    page = ask(world, physician)
    for _ in range(3):
        page = send(physician, page)
        assert page.status == 200
    page = send(physician, page)
    assert page.status == 429
    assert "demasiados códigos" in page.text
    settle(patient)
    other = ask(world, physician, "encounters")
    for _ in range(3):
        other = send(physician, other)
    settle(patient)
    third = ask(world, physician, "problems")
    assert send(physician, third).status == 429, "six to one person in a day, whatever was asked"
    settle(patient)


def test_no_code_goes_to_a_number_the_asker_could_have_written(world: World, patient: Visitor) -> None:
    """The holder's professional asks: the asking hospital's record counts, their own would not; then none is left."""
    other = world.visitor()
    other.sign_in("/ingresar?como=profesional", story.WORKERS[1].person)
    page = send(other, ask(world, other))
    assert page.status == 200, "the first establishment's record of her has the number"
    with world.renhice.database.unit_of_work() as session:
        place = world.place(story.ASKING.renipress)
        session.connection().exec_driver_sql(
            "UPDATE source_records SET active = false WHERE establishment_id = %s", (place.id,)
        )
    page = send(other, page)
    assert page.status == 422
    assert "No hay un celular" in page.text
    with world.renhice.database.unit_of_work() as session:
        session.connection().exec_driver_sql("UPDATE source_records SET active = true")
    settle(patient)


def test_an_operator_that_is_down_is_tried_again_and_a_late_message_is_not_sent(
    world: World, physician: Visitor, patient: Visitor
) -> None:
    carrier(world, "down")
    page = send(physician, ask(world, physician))
    before = len(outbox(world))
    deliver(world)
    assert "está saliendo" in physician.open(page.url.path).text
    carrier(world, "normal")
    with world.renhice.database.unit_of_work() as session:
        session.execute(update(TextMessage).values(available_at=now() - timedelta(seconds=1)))
    deliver(world)
    deliver(world)
    assert len(outbox(world)) == before + 1
    assert "El mensaje salió" in physician.open(page.url.path).text
    page = send(physician, page)
    with world.renhice.database.unit_of_work() as session:
        session.execute(update(SmsCode).values(expires_at=now() - timedelta(seconds=1)))
    deliver(world)
    assert len(outbox(world)) == before + 1
    settle(patient)


def test_a_message_sent_twice_is_one(world: World, physician: Visitor, patient: Visitor) -> None:
    send(physician, ask(world, physician))
    deliver(world)
    before = len(outbox(world))
    with world.renhice.database.unit_of_work() as session:
        session.execute(update(TextMessage).values(ended_at=None, available_at=now() - timedelta(seconds=1)))
    deliver(world)
    assert len(outbox(world)) == before
    settle(patient)


def test_neither_code_nor_number_is_in_the_database(world: World, physician: Visitor, patient: Visitor) -> None:
    send(physician, ask(world, physician))
    deliver(world)
    code = newest_code(world)
    with world.renhice.database.unit_of_work() as session:
        tables = ("sms_codes", "text_messages", "outbox", "audit_events")
        rows = [str(row) for table in tables for row in session.connection().exec_driver_sql(f"SELECT * FROM {table}")]
    for row in rows:
        assert f"'{code}'" not in row
        assert NUMBER[-9:] not in row
    settle(patient)


class TestOverTheApi:
    """What a record system does with a patient in front of it."""

    def ask(self, asking: RecordSystem, world: World, category: str) -> tuple[str, dict[str, str]]:
        headers = asking.token("access-request")
        wanted = {
            "person": str(world.person_id),
            "professional": {"college": "CMP", "number": "990101"},
            "categories": [category],
        }
        return asking.ask_access(headers, wanted).json()["id"], headers

    def open_two(self, asking: RecordSystem, world: World) -> tuple[list[tuple[str, str]], dict[str, str]]:
        """Where to answer two codes that were sent, each code, and with what headers."""
        open_ones, headers = list[tuple[str, str]](), dict[str, str]()
        for category in ("encounters", "immunizations"):
            launch, headers = self.ask(asking, world, category)
            assert self.post(asking, f"{launch}/sms-code", headers).status_code == 202
            deliver(world)
            open_ones.append((f"{launch}/sms-code/answer", newest_code(world)))
        return open_ones, headers

    def post(self, asking: RecordSystem, path: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
        url = f"{asking._base_url}/api/v1/access-requests/{path}"
        return asking._http.post(url, json=body, headers=headers)

    def test_from_the_code_to_a_device_token(self, world: World, asking: RecordSystem, patient: Visitor) -> None:
        launch, headers = self.ask(asking, world, "immunizations")
        waiting = asking.wait(launch)
        sent = self.post(asking, f"{launch}/sms-code", headers)
        assert sent.status_code == 202, sent.text
        assert sent.json().keys() == {"expires_at", "ending", "outcome", "tries_left"}
        deliver(world)
        code = newest_code(world)
        refused = self.post(asking, f"{launch}/sms-code/answer", headers, {"code": wrong(code)})
        assert (refused.status_code, refused.json()["code"]) == (422, "wrong-code")
        granted = self.post(asking, f"{launch}/sms-code/answer", headers, {"code": code})
        assert granted.status_code == 200, granted.text
        assert granted.json()["categories"] == ["immunizations"]
        assert asking.poll(waiting.json()["device_code"]).json()["scope"] == "patient/Immunization.rs"
        again = self.post(asking, f"{launch}/sms-code/answer", headers, {"code": code})
        assert again.status_code == 409
        patient.press(patient.open("/mi-historia/permisos"), "/retirar")

    @pytest.mark.parametrize(
        "body", [None, {}, [], {"code": 1}, {"code": "12345"}, {"code": "１２３４５６"}, {"x": "1"}]
    )
    def test_garbage_is_refused(self, world: World, asking: RecordSystem, body: Any) -> None:
        launch, headers = self.ask(asking, world, "immunizations")
        assert self.post(asking, f"{launch}/sms-code/answer", headers, body).status_code in {400, 422}

    def test_another_establishments_request_looks_unknown(self, world: World, asking: RecordSystem) -> None:
        launch, headers = self.ask(asking, world, "immunizations")
        known = next(e for e in world.sandbox["establishments"] if e["renipress"] == story.HOLDING.renipress)
        stranger = RecordSystem(world.base_url, known, Teller())
        other = stranger.token("access-request")
        unknown = "6f1c7c1e-0c5e-4c53-9a53-6d3a6a2f9b10"
        answers = [
            self.post(stranger, f"{one}/{path}", other, body)
            for one in (launch, unknown)
            for path, body in (("sms-code", None), ("sms-code/answer", {"code": "123456"}))
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({(answer.json()["title"], answer.json()["code"]) for answer in answers}) == 1
        assert self.post(asking, f"{launch}/sms-code", {}).status_code == 401
        assert self.post(asking, f"{launch}/sms-code", headers).status_code == 202

    def test_one_code_read_out_by_twenty_at_once_counts_once(
        self, world: World, asking: RecordSystem, patient: Visitor
    ) -> None:
        launch, headers = self.ask(asking, world, "problems")
        assert self.post(asking, f"{launch}/sms-code", headers).status_code == 202
        deliver(world)
        body = {"code": newest_code(world)}
        with ThreadPoolExecutor(20) as pool:
            answers = pool.map(lambda _: self.post(asking, f"{launch}/sms-code/answer", headers, body), range(20))
            assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}
        patient.press(patient.open("/mi-historia/permisos"), "/retirar")

    def test_twenty_guesses_at_once_are_three_tries(self, world: World, asking: RecordSystem) -> None:
        launch, headers = self.ask(asking, world, "encounters")
        assert self.post(asking, f"{launch}/sms-code", headers).status_code == 202
        deliver(world)
        body = {"code": wrong(newest_code(world))}
        with ThreadPoolExecutor(20) as pool:
            answers = pool.map(lambda _: self.post(asking, f"{launch}/sms-code/answer", headers, body), range(20))
            assert {answer.status_code for answer in answers} <= {409, 422}
        right = self.post(asking, f"{launch}/sms-code/answer", headers, {"code": newest_code(world)})
        assert right.status_code == 409

    def test_nobody_spends_the_code_of_another_establishment(
        self, world: World, asking: RecordSystem, patient: Visitor
    ) -> None:
        open_ones, headers = self.open_two(asking, world)
        with world.renhice.database.unit_of_work() as session:
            [first, _] = session.scalars(select(SmsCode).order_by(SmsCode.created_at)).all()
            elsewhere = select(Establishment.id).where(Establishment.renipress == story.HOLDING.renipress)
            first.establishment_id = session.scalars(elsewhere).one()
        for _ in range(3):
            refused = self.post(asking, open_ones[1][0], headers, {"code": wrong(open_ones[1][1])})
            assert refused.status_code == 422
        answered = [self.post(asking, path, headers, {"code": code}).status_code for path, code in open_ones]
        assert answered == [200, 409]
        patient.press(patient.open("/mi-historia/permisos"), "/retirar")

    def test_one_establishment_does_not_use_up_what_a_person_may_be_sent(
        self, world: World, asking: RecordSystem
    ) -> None:
        asked = [self.ask(asking, world, one) for one in ("encounters", "immunizations")]
        sent = [self.post(asking, f"{launch}/sms-code", headers).status_code for launch, headers in (asked * 3)[:5]]
        assert sent == [202, 202, 202, 202, 429]

    def test_codes_open_at_once_share_their_tries(self, world: World, asking: RecordSystem) -> None:
        """Else each code more would be three guesses more at the same telephone."""
        open_ones, headers = self.open_two(asking, world)
        for path, code in (*open_ones, open_ones[0]):
            refused = self.post(asking, path, headers, {"code": wrong(code)})
            assert refused.status_code == 422
        assert refused.json()["hint"] == "Send another code."
        for path, code in open_ones:
            assert self.post(asking, path, headers, {"code": code}).status_code == 409
