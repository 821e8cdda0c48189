"""RENIEC over PIDE as the real service has been seen: its JSON, its XML, and its failures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox import story
from sandbox.citizens import Citizens
from sandbox.files import write_json
from sandbox.pide import Entity, Pide, create_app
from tests.functional.sandbox.conftest import serving

CONTROL = {"Authorization": "Bearer control"}
OFFICIAL = {"nuDniUsuario": "90000001", "nuRucUsuario": "20999000001"}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    citizens = Citizens(tmp_path / "citizens.sqlite")
    citizens.enrol(story.PEOPLE)
    write_json(tmp_path / "pide.json", {"password": "first-password"})
    entity = Entity("90000001", "20999000001", tmp_path / "pide.json")
    with serving(create_app(Pide(citizens, entity, "control"))) as base:
        yield base


def consult(url: str, dni: str, password: str = "first-password", query: str = "?out=json") -> httpx.Response:
    body = {"PIDE": OFFICIAL | {"nuDniConsulta": dni, "password": password}}
    return httpx.post(f"{url}/Rest/RENIEC/Consultar{query}", json=body)


def answer(response: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = response.raise_for_status().json()["consultarResponse"]["return"]
    return found


def test_names_are_given_and_birth_date_and_sex_are_not(url: str) -> None:
    found = answer(consult(url, story.PATIENT.document.number))
    person = found["datosPersona"]
    assert found["coResultado"] == "0000"
    assert (person["apPrimer"], person["apSegundo"], person["prenombres"]) == ("HUAMAN", "QUISPE", "ROSA MARIA")
    expected = {"apPrimer", "apSegundo", "prenombres", "direccion", "estadoCivil", "restriccion", "ubigeo", "foto"}
    assert set(person) == expected


def test_xml_is_the_default(url: str) -> None:
    response = consult(url, story.PATIENT.document.number, query="")
    assert response.headers["Content-Type"].startswith("text/xml")
    assert "<apPrimer>HUAMAN</apPrimer>" in response.text


def test_unknown_numbers_and_wrong_credentials(url: str) -> None:
    assert answer(consult(url, "00000001"))["coResultado"] == "0001"
    refused = answer(consult(url, story.PATIENT.document.number, password="wrong"))
    assert refused["coResultado"] == "1003"
    assert "datosPersona" not in refused


def test_special_numbers_fail_as_the_real_service_has(url: str) -> None:
    assert answer(consult(url, "99999901"))["coResultado"] == "0001"
    maintenance = consult(url, "99999902")
    assert (maintenance.status_code, maintenance.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert consult(url, "99999903").status_code == 500
    assert answer(consult(url, "99999904"))["datosPersona"]["apSegundo"].strip() == ""
    assert "datosPersona" not in answer(consult(url, "99999905"))
    with pytest.raises(ValueError, match="Expecting"):
        consult(url, "99999907").json()
    assert answer(consult(url, "99999908"))["datosPersona"]["restriccion"] == "FALLECIMIENTO"


def test_the_switch_breaks_and_mends_it_for_everybody(url: str) -> None:
    number = story.PATIENT.document.number
    assert httpx.post(f"{url}/control", json={"mode": "error"}).status_code == 401
    assert httpx.post(f"{url}/control", json={"mode": "error"}, headers=CONTROL).status_code == 200
    assert consult(url, number).status_code == 500
    httpx.post(f"{url}/control", json={"mode": "slow", "seconds": 0.2}, headers=CONTROL)
    assert consult(url, number).elapsed.total_seconds() >= 0.2
    httpx.post(f"{url}/control", json={"mode": "normal"}, headers=CONTROL)
    assert answer(consult(url, number))["coResultado"] == "0000"


@pytest.mark.parametrize(
    "wanted", [{}, [], {"mode": "?"}, {"mode": "slow", "seconds": 1e9}, {"mode": "slow", "seconds": "1"}]
)
def test_the_switch_takes_only_what_it_knows(url: str, wanted: object) -> None:
    assert httpx.post(f"{url}/control", json=wanted, headers=CONTROL).status_code == 400


def test_a_rotated_password_replaces_the_old_one(url: str) -> None:
    def rotate(old: str, new: str) -> str:
        body = {
            "PIDE": {"credencialAnterior": old, "credencialNueva": new, "nuDni": "90000001", "nuRuc": "20999000001"}
        }
        response = httpx.post(f"{url}/Rest/RENIEC/Actualizar?out=json", json=body)
        return str(response.json()["actualizarcredencialResponse"]["return"]["coResultado"])

    assert rotate("wrong", "second-password") == "1003"
    assert rotate("first-password", "short") == "1004"
    assert rotate("first-password", "second-password") == "0000"
    assert answer(consult(url, "94900137"))["coResultado"] == "1003"
    assert answer(consult(url, "94900137", password="second-password"))["coResultado"] == "0000"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"PIDE": 1}', b'{"PIDE": {"nuDniConsulta": 1}}', b"x" * 9000])
@pytest.mark.parametrize("path", ["Consultar", "Actualizar"])
def test_garbage_is_refused_clearly(url: str, path: str, body: bytes) -> None:
    response = httpx.post(f"{url}/Rest/RENIEC/{path}", content=body, headers={"Content-Type": "application/json"})
    assert 400 <= response.status_code < 500
    assert response.json()["error"]
