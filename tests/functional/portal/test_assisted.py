"""Consent with help: written down by one, confirmed by another who was there; narrow, short, and told to the person."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from consent_broker.consents.models import ConsentVersion
from consent_broker.desk import assisted as desk
from consent_broker.desk.models import AssistedConsent
from registry.calendar import LIMA
from registry.database import new_id, now
from registry.directory.models import Affiliation
from registry.directory.service import get_professional_by_registration
from sandbox import story
from tests.functional.portal.test_desk import ask, settle
from tests.functional.portal.test_sms import deliver, outbox
from tests.functional.portal.world import Visitor, World

SCAN = b"%PDF-1.7 signed"
DNI = story.PATIENT.document.number
GOOD = {"categoria": ["allergies"], "hasta": "1", "evidencia": "spoken", "documento": "DNI", "numero": DNI}


@pytest.fixture
def witness(world: World) -> Iterator[Visitor]:
    """A colleague of the asking establishment, signed in."""
    with world.renhice.database.unit_of_work() as session:
        row = Affiliation(
            id=new_id(),
            professional_id=get_professional_by_registration(session, "CMP", "990102").id,
            establishment_id=world.place(story.ASKING.renipress).id,
            role=f"nurse {secrets.token_hex(4)}",
            valid_from=now() - timedelta(days=1),
        )
        session.add(row)
    visitor = world.visitor()
    visitor.sign_in("/ingresar?como=profesional", story.WORKERS[1].person)
    yield visitor
    with world.renhice.database.unit_of_work() as session:
        ended = update(Affiliation).where(Affiliation.id == row.id).values(valid_until=now() - timedelta(seconds=1))
        session.execute(ended)


@pytest.fixture(autouse=True)
def _clean(world: World, patient: Visitor) -> Iterator[None]:
    yield
    settle(patient)
    page = patient.open("/mi-historia/permisos")
    while page.has_form("/retirar"):
        patient.press(page, "/retirar")
        page = patient.open("/mi-historia/permisos")
    with world.renhice.database.unit_of_work() as session:
        session.execute(update(AssistedConsent).values(recorded_at=now() - timedelta(days=2)))


def put(world: World, physician: Visitor, scan: bytes | None = None, **changes: Any) -> httpx.Response:
    """Write down what she permits, on the page of a request for allergies and medication."""
    page = physician.open(f"/profesional/persona/{world.person_id}")
    if page.has_form("/profesional/persona/"):
        fields = {"motivo": "TREAT", "dias": "30", "csrf": page.form("/salir").fields["csrf"]}
        asked = {**page.form("/profesional/persona/").fields, **fields, "categoria": ["allergies", "medications"]}
        physician.browser._http.post(f"{world.base_url}{page.url.path}", data=asked)
    page = ask(world, physician)
    token = {"csrf": page.form("/salir").fields["csrf"]}
    path = page.url.path.removesuffix("/codigo") + "/con-ayuda"
    files = {"formulario": ("f.pdf", scan, "application/pdf")} if scan is not None else None
    data = {name: value for name, value in (GOOD | changes | token).items() if value is not None}
    return physician.browser._http.post(f"{world.base_url}{path}", data=data, files=files)


def waiting(witness: Visitor) -> str:
    page = witness.open("/profesional/por-confirmar")
    assert story.PATIENT.given_names not in page.text, "a name only once one is opened"
    return next(link for link in page.links if link.startswith("/profesional/por-confirmar/"))


def newest(world: World) -> ConsentVersion:
    with world.renhice.database.unit_of_work() as session:
        return session.scalars(select(ConsentVersion).order_by(ConsentVersion.recorded_at.desc()).limit(1)).one()


def test_two_who_were_there(world: World, physician: Visitor, witness: Visitor, patient: Visitor) -> None:
    assert put(world, physician).status_code == 303
    assert newest(world).status == "proposed", "nothing is permitted yet"
    assert not physician.open("/profesional/por-confirmar").has_form("/por-confirmar/")
    page = witness.open(waiting(witness))
    for words in ("JULIO CESAR VALDIVIA RAMOS", "Alergias", "Lo dijo delante de dos profesionales", "DNI"):
        assert words in page.text
    assert "Medicación" not in page.text
    assert DNI not in page.body
    witness.press(page, "/por-confirmar/", "confirmar")
    granted = newest(world)
    assert (granted.status, granted.categories) == ("active", ["allergies"])
    assert granted.ends_at is not None
    assert granted.ends_at.astimezone(LIMA).date() - now().astimezone(LIMA).date() == timedelta(days=2)
    assert granted.evidence["channel"] == "assisted"
    assert granted.evidence["confirmed_by"] != granted.evidence["professional_id"]
    assert DNI not in str(granted.evidence)
    assert "Historia compartida" in physician.open(f"/profesional/persona/{world.person_id}").text
    assert "Dado con ayuda en el establecimiento" in patient.open("/mi-historia/permisos").text
    deliver(world)
    told = outbox(world)[0]["text"]
    for words in (story.ASKING.name, "JULIO CESAR VALDIVIA RAMOS", "quedo anotado que usted permite", "113"):
        assert words in told


def test_the_days_of_the_records_are_written_down_too(world: World, physician: Visitor, witness: Visitor) -> None:
    wrong = put(world, physician, **{"datos-desde": "el martes", "numero": DNI})
    assert (wrong.status_code, wrong.text.count("Escriba una fecha como")) == (422, 2)
    page = physician.browser._arrive(wrong)
    kept = page.form("/con-ayuda").fields
    assert (kept["categoria"], kept["hasta"], kept["evidencia"], kept["numero"]) == ("allergies", "1", "spoken", DNI)
    assert put(world, physician, **{"datos-hasta": "2019-12-31"}).status_code == 303
    page = witness.open(waiting(witness))
    assert "Solo hasta el 31 de diciembre de 2019" in page.text
    witness.press(page, "/por-confirmar/", "confirmar")
    assert (newest(world).data_from, str(newest(world).data_until)) == (None, "2019-12-31")


def test_a_form_is_kept_as_its_hash(world: World, physician: Visitor, witness: Visitor) -> None:
    assert put(world, physician, SCAN, evidencia="signed-form").status_code == 303
    witness.press(witness.open(waiting(witness)), "/por-confirmar/", "confirmar")
    assert newest(world).evidence["form_sha256"] == sha256(SCAN).hexdigest()


def test_a_large_scan_is_taken_and_a_larger_one_is_not(world: World, physician: Visitor, witness: Visitor) -> None:
    assert put(world, physician, SCAN + b"x" * 5_000_000, evidencia="signed-form").status_code == 303
    witness.press(witness.open(waiting(witness)), "/por-confirmar/", "no-confirmar")
    assert put(world, physician, SCAN + b"x" * 9_000_000, evidencia="signed-form").status_code == 413


def test_what_was_not_confirmed_permits_nothing(
    world: World, physician: Visitor, witness: Visitor, patient: Visitor
) -> None:
    put(world, physician)
    path = waiting(witness)
    witness.press(witness.open(path), "/por-confirmar/", "no-confirmar")
    assert newest(world).status == "proposed"
    assert witness.open(path).status == 409
    put(world, physician)
    path = waiting(witness)
    with world.renhice.database.unit_of_work() as session:
        session.execute(update(AssistedConsent).values(expires_at=now() - timedelta(seconds=1)))
    assert witness.open(path).status == 409
    assert "No hay nada por confirmar" in witness.open("/profesional/por-confirmar").text


def test_nobody_confirms_their_own_where_there_are_others(world: World, physician: Visitor, witness: Visitor) -> None:
    put(world, physician, SCAN, evidencia="signed-form")
    path = waiting(witness)
    page = physician.open(path)
    refused = physician.press(page, "/por-confirmar/", "confirmar")
    assert refused.status == 403
    assert newest(world).status == "proposed"


def test_alone_a_form_will_do_for_a_day_and_words_will_not(world: World, physician: Visitor) -> None:
    assert put(world, physician).status_code == 422
    assert put(world, physician, SCAN, evidencia="fingerprint-form", hasta="7").status_code == 422
    answer = put(world, physician, SCAN, evidencia="fingerprint-form", hasta="1")
    assert answer.status_code == 303
    page = physician.open(answer.headers["location"])
    physician.press(page, "/por-confirmar/", "confirmar")
    assert newest(world).status == "active"


@pytest.mark.parametrize(
    ("scan", "changes", "words"),
    [
        (None, {"categoria": []}, "Marque al menos una parte"),
        (None, {"categoria": ["problems"]}, "Marque al menos una parte"),
        (None, {"evidencia": ""}, "Elija cómo lo dijo"),
        (None, {"evidencia": "signed-form"}, "Falta el formulario"),
        (b"", {"evidencia": "signed-form"}, "Falta el formulario"),
        (b"MZ\x90\x00", {"evidencia": "signed-form"}, "Falta el formulario"),
        (None, {"numero": "94900138"}, "Ese documento no figura"),
        (None, {"numero": ""}, "Ese documento no figura"),
        (None, {"documento": "CE"}, "Ese documento no figura"),
        (None, {"documento": "x"}, "Elija el documento"),
        (None, {"documento": "known", "hasta": "7"}, "hasta mañana"),
        (None, {"numero": "9" * 5000}, "Ese documento no figura"),
    ],
)
def test_a_statement_without_its_evidence_is_refused(
    world: World, physician: Visitor, witness: Visitor, scan: bytes | None, changes: dict[str, Any], words: str
) -> None:
    answer = put(world, physician, scan, **changes)
    assert answer.status_code == 422
    assert words in answer.text
    assert "No hay nada por confirmar" in witness.open("/profesional/por-confirmar").text


def test_the_number_is_read_however_it_is_written(world: World, physician: Visitor, witness: Visitor) -> None:
    assert put(world, physician, numero=f" {DNI[:4]} {DNI[4:]} ").status_code == 303
    witness.press(witness.open(waiting(witness)), "/por-confirmar/", "no-confirmar")


def test_another_establishments_professional_sees_and_settles_nothing(
    world: World, physician: Visitor, witness: Visitor, patient: Visitor
) -> None:
    put(world, physician)
    path = waiting(witness)
    with world.renhice.database.unit_of_work() as session:
        professional = get_professional_by_registration(session, "CMP", "990102")
        mine = (Affiliation.professional_id == professional.id) & Affiliation.role.startswith("nurse")
        session.execute(update(Affiliation).where(mine).values(valid_until=now() - timedelta(seconds=1)))
    assert witness.open(path).status == 404
    csrf = witness.open("/profesional").form("/salir").fields["csrf"]
    data = {"csrf": csrf, "decision": "confirmar"}
    assert witness.browser._http.post(f"{world.base_url}{path}", data=data).status_code == 404
    assert "No hay nada por confirmar" in witness.open("/profesional/por-confirmar").text
    assert patient.open(path).status in {200, 403}
    assert newest(world).status == "proposed"


def test_of_ten_who_confirm_at_once_one_does(world: World, physician: Visitor, witness: Visitor) -> None:
    put(world, physician)
    path = waiting(witness)
    data = {"csrf": witness.open(path).form("/salir").fields["csrf"], "decision": "confirmar"}
    with ThreadPoolExecutor(10) as pool:
        post = lambda _: witness.browser._http.post(f"{world.base_url}{path}", data=data).status_code  # noqa: E731
        answers = sorted(pool.map(post, range(10)))
    assert answers == [303] + [409] * 9


def test_statements_are_bounded(
    world: World, physician: Visitor, witness: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert desk.MAX_A_DAY == 20
    monkeypatch.setattr(desk, "MAX_A_DAY", 3)
    assert [put(world, physician).status_code for _ in range(4)] == [303, 303, 303, 429]


def test_who_can_not_sign_in_takes_back_in_front_of_anybody(
    world: World, physician: Visitor, witness: Visitor, patient: Visitor
) -> None:
    put(world, physician)
    witness.press(witness.open(waiting(witness)), "/por-confirmar/", "confirmar")
    page = witness.open(f"/profesional/persona/{world.person_id}")
    done = witness.press(page, "/retirar-con-ayuda")
    assert "Quedó retirado" in done.text
    assert "VALDIVIA" not in done.text, "who was permitted is not theirs to know"
    assert (newest(world).status, newest(world).reason) == ("revoked", "withdrawn-with-help")
    again = witness.press(witness.open(f"/profesional/persona/{world.person_id}"), "/retirar-con-ayuda")
    assert again.text == done.text, "nothing tells whether there was anything"
    assert "Retirado" in patient.open("/mi-historia/permisos").text


def test_what_she_permitted_on_her_own_screen_is_hers_to_take_back(
    world: World, physician: Visitor, patient: Visitor
) -> None:
    page = ask(world, physician)
    link = next(link for link in patient.open("/mi-historia").links if "/pedidos/" in link)
    patient.press(patient.open(link), "/pedidos/", "permitir")
    physician.press(physician.open(f"/profesional/persona/{world.person_id}"), "/retirar-con-ayuda")
    assert newest(world).status == "active"
    assert page.status == 200
