"""Staff signs in where staff does: what that provider says makes nobody a patient, what ID Perú says nobody staff."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox import story
from sandbox.clerks import write_down
from tests.functional.portal.world import Visitor, World, register

PHYSICIAN = story.PHYSICIAN.person


def provider_of(visitor: Visitor) -> str:
    return f"{visitor.heard[-1].url.scheme}://{visitor.heard[-1].url.netloc.decode()}"


def test_each_goes_to_their_own_provider(world: World) -> None:
    for word, known in (("profesional", "staff_provider"), ("analista", "staff_provider"), ("paciente", "id_peru")):
        visitor = world.visitor()
        visitor.open(f"/ingresar?como={word}")
        assert provider_of(visitor) == world.sandbox[known]["issuer"]


def test_a_patient_has_no_account_at_the_staffs_provider(world: World) -> None:
    visitor = world.visitor()
    page = visitor.sign_in("/ingresar?como=profesional", story.PATIENT)
    assert page.has_form("/service/login"), "the number is not known there"


def test_neither_provider_speaks_for_the_other(world: World) -> None:
    """The physician is a patient too: at work they see no record of their own, at home nobody else's."""
    register(world.renhice, write_down(PHYSICIAN, story.HOLDING.renipress, "STAFF-1"), story.HOLDING.renipress)
    at_work, at_home = world.visitor(), world.visitor()
    assert at_work.sign_in("/ingresar?como=profesional", PHYSICIAN).url.path == "/profesional"
    assert at_work.open("/mi-historia").status == 403
    assert at_home.sign_in("/ingresar?como=paciente", PHYSICIAN).url.path == "/mi-historia"
    page = at_home.open("/profesional")
    assert provider_of(at_home) == world.sandbox["staff_provider"]["issuer"], "too weak: sent to the staff's provider"
    assert page.has_form("/service/login")


@pytest.mark.parametrize(
    ("word", "other"), [("profesional", "/ingresar/retorno"), ("paciente", "/ingresar/retorno/personal")]
)
def test_an_answer_is_taken_where_it_was_asked_for(world: World, word: str, other: str) -> None:
    """Mix-up: what one provider answers is worth nothing at the other's address."""
    with httpx.Client(base_url=world.base_url) as browser:
        leaving = browser.get(f"/ingresar?como={word}")
        state = parse_qs(urlsplit(leaving.headers["location"]).query)["state"][0]
        answer = browser.get(other, params={"code": "x", "state": state})
        assert answer.status_code == 400
        assert "No pudimos completar su ingreso" in answer.text


def test_an_answer_of_another_issuer_is_refused(world: World) -> None:
    with httpx.Client(base_url=world.base_url) as browser:
        leaving = browser.get("/ingresar?como=profesional")
        state = parse_qs(urlsplit(leaving.headers["location"]).query)["state"][0]
        query = {"code": "x", "state": state, "iss": world.sandbox["id_peru"]["issuer"]}
        assert browser.get("/ingresar/retorno/personal", params=query).status_code == 400


def test_sessions_of_work_and_home_are_not_listed_together(world: World) -> None:
    register(world.renhice, write_down(PHYSICIAN, story.HOLDING.renipress, "STAFF-1"), story.HOLDING.renipress)
    at_home = world.visitor()
    at_home.sign_in("/ingresar?como=paciente", PHYSICIAN)
    before = at_home.open("/cuenta/sesiones").text.count("Última actividad")
    world.visitor().sign_in("/ingresar?como=profesional", PHYSICIAN)
    assert at_home.open("/cuenta/sesiones").text.count("Última actividad") == before
    world.visitor().sign_in("/ingresar?como=paciente", PHYSICIAN)
    assert at_home.open("/cuenta/sesiones").text.count("Última actividad") == before + 1


@pytest.mark.parametrize(("word", "known"), [("profesional", "staff_provider"), ("paciente", "id_peru")])
def test_who_signs_out_at_the_provider_is_out_here(world: World, word: str, known: str) -> None:
    """OpenID Connect Back-Channel Logout: the provider tells, the browser carries nothing."""
    register(world.renhice, write_down(PHYSICIAN, story.HOLDING.renipress, "STAFF-1"), story.HOLDING.renipress)
    here, elsewhere = world.visitor(), world.visitor()
    for visitor in (here, elsewhere):
        visitor.sign_in(f"/ingresar?como={word}", PHYSICIAN)
    here.browser.open(f"{world.sandbox[known]['issuer']}/service/logout")
    statuses = []
    for visitor in (here, elsewhere):
        cookies = {one.name: one.value or "" for one in visitor.browser._http.cookies.jar if "session" in one.name}
        statuses.append(httpx.get(f"{world.base_url}/cuenta/sesiones", cookies=cookies).status_code)
    assert statuses == [303, 200]
