"""Signing in: what opens a session, what does not, and how a session ends."""

from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx
import pytest

from portal.session import lives
from sandbox import story
from tests.functional.portal.world import Visitor, World


def test_a_session_is_a_strict_cookie_and_a_hash(world: World, patient: Visitor) -> None:
    cookies = [header for answer in patient.heard for header in answer.headers.get_list("set-cookie")]
    session = next(header for header in cookies if header.startswith("renhice_session="))
    assert "HttpOnly" in session
    assert "SameSite=Lax" in session
    assert "Path=/" in session
    secret = session.split("=", 1)[1].split(";")[0]
    with world.renhice.database.engine.connect() as connection:
        stored = str(connection.exec_driver_sql("SELECT * FROM portal_sessions").fetchall())
    assert secret not in stored
    assert "ROSA" not in stored


def test_who_is_not_signed_in_is_sent_to_id_peru(world: World) -> None:
    visitor = world.visitor()
    page = visitor.open("/mi-historia/accesos")
    assert page.has_form("/service/login")
    assert visitor.sign_in("/mi-historia/accesos", story.PATIENT).url.path == "/mi-historia/accesos"


def test_nobody_can_be_signed_in_with_another_browsers_answer(world: World) -> None:
    """Login CSRF: the answer of the attacker's sign-in, opened in the victim's browser."""
    attacker, victim = world.visitor(), world.visitor()
    attacker.sign_in("/ingresar?como=paciente", story.PATIENT)
    answer = next(one for one in attacker.heard if "/ingresar/retorno" in str(one.request.url))
    page = victim.open(str(answer.request.url.raw_path, "ascii"))
    assert victim.status == 400
    assert "No pudimos completar su ingreso" in page.text
    assert victim.open("/mi-historia").has_form("/service/login")


def test_an_answer_is_taken_once(world: World) -> None:
    visitor = world.visitor()
    visitor.sign_in("/ingresar?como=paciente", story.PATIENT)
    answer = next(one for one in visitor.heard if "/ingresar/retorno" in str(one.request.url))
    visitor.open(str(answer.request.url.raw_path, "ascii"))
    assert visitor.status == 400


@pytest.mark.parametrize(
    "query",
    ["", "?code=x", "?code=x&state=y", "?error=access_denied&state=y", "?code=%00&state=%F0", "?code=" + "a" * 5000],
)
def test_a_made_up_answer_is_refused_clearly(world: World, query: str) -> None:
    with httpx.Client(base_url=world.base_url) as browser:
        browser.get("/ingresar?como=paciente")
        answer = browser.get(f"/ingresar/retorno{query}")
    assert answer.status_code == 400
    assert "Qué hacer ahora" in answer.text


def test_an_answer_that_names_another_issuer_is_refused(world: World) -> None:
    with httpx.Client(base_url=world.base_url) as browser:
        going = browser.get("/ingresar?como=paciente").headers["location"]
        state = parse_qs(urlsplit(going).query)["state"][0]
        answer = browser.get("/ingresar/retorno", params={"code": "x", "state": state, "iss": "https://evil.example"})
    assert answer.status_code == 400
    assert "No pudimos completar su ingreso" in answer.text


def test_a_level_that_was_not_reached_opens_nothing(world: World) -> None:
    """ID Perú is asked for level 1 behind our back: the token says so and is refused."""
    with httpx.Client(base_url=world.base_url) as browser:
        going = browser.get("/ingresar?como=profesional")
        weaker = going.headers["location"].replace("acr_values=3", "acr_values=1")
        visitor = world.visitor()
        page = visitor.browser.open(weaker)
        number = story.PHYSICIAN.person.document.number
        found = next(p for p in world.sandbox["people"] if p["document"]["number"] == number)
        form = page.form("/service/login")
        visitor.browser.submit(page, form, dni=number, password=found["password"])
        back = next(one for one in visitor.heard if "/ingresar/retorno" in str(one.request.url)).request.url
        answer = browser.get(str(back))
    assert answer.status_code == 400
    assert "renhice_session" not in answer.headers.get("set-cookie", "")


def test_the_request_to_id_peru_carries_what_it_must(world: World) -> None:
    answer = httpx.get(f"{world.base_url}/ingresar?como=paciente")
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert answer.status_code == 303
    assert query["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge", "acr_values"} <= query.keys()
    assert "Path=/ingresar" in answer.headers["set-cookie"]


def test_signing_out_ends_the_session_for_good(world: World, patient: Visitor) -> None:
    cookies = dict(patient.browser._http.cookies)
    patient.press(patient.open("/"), "/salir")
    answer = httpx.get(f"{world.base_url}/mi-historia", cookies=cookies)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/ingresar")


def test_sessions_are_listed_and_ended_by_their_owner_only(world: World, patient: Visitor, physician: Visitor) -> None:
    other = world.visitor()
    other.sign_in("/ingresar?como=paciente", story.PATIENT)
    page = patient.open("/cuenta/sesiones")
    assert "Este equipo" in page.text
    newest = page.form("/cerrar")
    token = physician.open("/").form("/salir").fields
    foreign = physician.browser._http.post(f"{world.base_url}{newest.action}", data=token)
    assert foreign.status_code == 404, "looks like none"
    assert other.open("/mi-historia").url.path == "/mi-historia"
    ending = UUID(newest.action.split("/")[-2])
    with world.renhice.database.unit_of_work() as session:
        assert lives(session, ending)
    left = patient.press(page, newest.action)
    assert newest.action not in {form.action for form in left.forms}
    with world.renhice.database.unit_of_work() as session:
        assert not lives(session, ending), "a page that arrives would go on"
    other.browser._http.cookies.delete("idperu_session")
    assert other.open("/mi-historia").has_form("/service/login")


@pytest.mark.parametrize("cookie", ["", "x", "a" * 43, "é", "a" * 5000, "Z" + "0" * 42, "' OR 1=1 --"])
def test_a_made_up_session_is_nobody(world: World, cookie: str) -> None:
    answer = httpx.get(f"{world.base_url}/mi-historia", headers={"Cookie": f"renhice_session={cookie}".encode()})
    assert answer.status_code == 303


def test_a_role_is_not_a_matter_of_asking(world: World) -> None:
    for path, person in (("/profesional", story.ANALYST.person), ("/estadisticas", story.PHYSICIAN.person)):
        page = world.visitor().sign_in(path, person)
        assert page.status == 403
        assert "no tiene el perfil" in page.text


def test_a_form_sent_after_the_session_ended_leads_back_to_a_page(world: World) -> None:
    for path, back in (("/cuenta/sesiones/{}/cerrar", "/cuenta/sesiones"), ("/mi-historia/pedidos/{}", None)):
        form = path.format(uuid4())
        answer = httpx.post(f"{world.base_url}{form}", data={"csrf": "old"})
        assert answer.status_code == 303
        assert parse_qs(urlsplit(answer.headers["location"]).query)["volver"] == [back or form]
