"""Forms, headers and inputs: what other sites, old tabs and hostile hands can't do."""

from uuid import uuid4

import httpx
import pytest
from flask import Flask

from sandbox import story
from tests.functional.portal.world import Visitor, World

SOMEONES = "6f1c7c1e-0c5e-4c53-9a53-6d3a6a2f9b10"  # parameters must be the same in every process that collects them
PERSONAL = ["/mi-historia", "/mi-historia/accesos", "/mi-historia/permisos", "/cuenta/sesiones"]


def _forms(app: Flask) -> list[str]:
    """The address of every form of the pages, of some patient, permission or case there is not."""
    surfaces, routes = app.config["SURFACES"], app.url_map.bind("")
    rules = [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    pages = [rule for rule in rules if surfaces.get(rule.endpoint.partition(".")[0]) == "page"]
    mine = [rule for rule in pages if rule.rule != "/oauth/authorize"]  # RFC 6749 §3.1: other sites send people there
    return [routes.build(one.endpoint, dict.fromkeys(one.arguments, uuid4()), "POST") for one in mine]


@pytest.mark.parametrize("token", [None, "", "x" * 43, "é"])
def test_a_form_without_its_token_does_nothing(patient: Visitor, world: World, app: Flask, token: str | None) -> None:
    data = {} if token is None else {"csrf": token}
    forms = _forms(app)
    for path in forms:
        answer = patient.browser._http.post(f"{world.base_url}{path}", data=data)
        assert (path, answer.status_code) == (path, 403)
        assert "Este formulario ya no vale" in answer.text
    assert len(forms) > 40
    assert patient.open("/mi-historia").url.path == "/mi-historia"


def test_a_form_of_another_site_does_nothing_even_with_a_token(patient: Visitor, world: World) -> None:
    token = patient.open("/").form("/salir").fields["csrf"]
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = patient.browser._http.post(f"{world.base_url}/salir", data={"csrf": token}, headers=headers)
    assert answer.status_code == 403


def test_the_token_of_one_session_is_worthless_in_another(patient: Visitor, physician: Visitor, world: World) -> None:
    token = physician.open("/").form("/salir").fields["csrf"]
    assert patient.browser._http.post(f"{world.base_url}/salir", data={"csrf": token}).status_code == 403


@pytest.mark.parametrize("path", [*PERSONAL, "/", "/ingresar", "/accesibilidad", "/no-existe"])
def test_every_page_has_the_same_armour(patient: Visitor, path: str) -> None:
    patient.open(path)
    headers = patient.heard[-1].headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", [*PERSONAL, "/", "/ingresar", "/no-existe"])
def test_no_page_needs_another_host_or_inline_code(patient: Visitor, path: str) -> None:
    body = patient.open(path).body
    assert "http://" not in body.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in body
    assert "style=" not in body
    assert "onclick" not in body
    assert "<script>" not in body
    assert body.count("<h1") == 1


def test_no_document_number_is_in_any_address_or_page(world: World, physician: Visitor) -> None:
    number = story.PATIENT.document.number
    page = physician.press(physician.open("/profesional"), "/profesional", "dni", dni=number)
    assert page.url.path == f"/profesional/persona/{world.person_id}"
    assert all(number not in str(answer.url) for answer in physician.heard)
    assert number not in page.body
    assert number[-4:] in page.body


def test_a_name_search_masks_and_a_wrong_one_explains(physician: Visitor) -> None:
    page = physician.open("/profesional")
    form = next(form for form in page.forms if "paterno" in form.fields)
    typed = {"paterno": "HUAMAN", "materno": "QUISPE", "nombres": "ROSA MARIA", "nacimiento": "1984-03-12"}
    found = physician.browser.submit(page, form, "nombre", **typed)
    assert "Q., ROSA M." in found.text
    empty = physician.browser.submit(page, form, "nombre", paterno="<script>alert(1)</script>")
    assert empty.status == 422
    assert "<script>alert" not in empty.body
    assert "Revise lo siguiente" in empty.text


@pytest.mark.parametrize(
    "path",
    [
        "/mi-historia/accesos?desde=%00&hasta=zzz&establecimiento=%F0%9F",
        "/mi-historia/accesos?desde=9999-99-99",
        "/mi-historia/accesos?desde=0001-01-01&hasta=9999-12-31",
        "/mi-historia/accesos.csv?establecimiento=" + "x" * 3000,
        "/mi-historia/permisos/not-a-uuid",
        f"/mi-historia/permisos/{SOMEONES}",
        f"/mi-historia/pedidos/{SOMEONES}",
        "/autorizar/" + "x" * 3000,
        "/autorizar/%00",
        "/static/../session.py",
        "/static/%2e%2e%2fsession.py",
        "/static/nope.css",
        "/ingresar?como=rey&nivel=9&volver=//evil.example",
        "/estadisticas/%00.svg",
    ],
)
def test_garbage_gets_a_clear_page(patient: Visitor, path: str) -> None:
    page = patient.open(path)
    assert page.status in {200, 400, 403, 404}
    assert page.body.count("<h1") == 1


def test_a_form_too_large_is_refused(patient: Visitor, world: World) -> None:
    answer = patient.browser._http.post(f"{world.base_url}/salir", data={"csrf": "x" * 2_000_000})
    assert answer.status_code == 413


def test_static_files_are_cached_compressed_and_few(world: World) -> None:
    with httpx.Client(base_url=world.base_url) as browser:
        page = browser.get("/")
        total = len(page.content)
        for link in [part.split('"')[0] for part in page.text.split('"/static/')[1:]]:
            file = browser.get(f"/static/{link}")
            assert "immutable" in file.headers["cache-control"]
            total += int(file.headers["content-length"])
    assert total < 60_000


def test_the_look_is_kept_and_rendered_by_the_server(world: World) -> None:
    visitor = world.visitor()
    page = visitor.open("/accesibilidad")
    page = visitor.press(page, "/apariencia", "oscuro")
    assert page.url.path == "/accesibilidad"
    assert "rh-dark" in page.body
    form = next(form for form in page.forms if ("texto", "200") in form.buttons)
    assert "rh-text-200" in visitor.browser.submit(page, form, "200").body


def test_the_csv_of_accesses_opens_in_a_spreadsheet(patient: Visitor, physician: Visitor, world: World) -> None:
    physician.open(f"/profesional/persona/{world.person_id}")
    answer = patient.browser.download(f"{world.base_url}/mi-historia/accesos.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = answer.text.splitlines()
    assert lines[0].startswith("\ufeffCuándo,Quién")
    assert any("VALDIVIA" in line for line in lines)


def test_a_weak_sign_in_must_step_up_to_decide(world: World) -> None:
    visitor = world.visitor()
    visitor.sign_in("/ingresar?como=paciente", story.PATIENT)
    page = visitor.open(f"/mi-historia/pedidos/{uuid4()}")
    assert "/service/" in page.url.path
    assert visitor.sign_in(f"/mi-historia/pedidos/{uuid4()}", story.PATIENT).status == 404
