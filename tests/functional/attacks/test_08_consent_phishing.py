"""Attack 8: the patient is made to permit something else than the page says, or without having meant to."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox import story
from sandbox.demo.browser import Page
from tests.functional.portal.conftest import patient, physician, ports, sandbox_files, settings, world
from tests.functional.portal.test_authorise import asking, authorization, press
from tests.functional.portal.world import Visitor, World

__all__ = ["asking", "patient", "physician", "ports", "sandbox_files", "settings", "world"]
SHOWN = {"allergies": "Alergias", "encounters": "Atenciones"}


def consent_page(world: World, asking: Any, visitor: Visitor, *categories: str) -> tuple[Page, str, str]:
    """The page, the state its client knows it by, and the client's verifier."""
    path, state, verifier = authorization(world, asking, list(categories or SHOWN))
    return visitor.open(path), state, verifier


def post(visitor: Visitor, page: Page, headers: dict[str, str] | None = None, **typed: str) -> httpx.Response:
    form = page.form("/autorizar/")
    data = form.fields | {"decision": "permitir"} | typed
    return visitor.browser._http.post(f"{visitor.base_url}{form.action}", data=data, headers=headers)


def answered(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def test_the_page_is_built_from_what_was_stored(world: World, asking: Any, patient: Visitor) -> None:
    """Whatever else the address of the page says, it says the same, and names whom the registry knows."""
    page, _, _ = consent_page(world, asking, patient)
    forged = "?establishment=Otro&scope=patient/*.rs&categoria=immunizations&redirect_uri=https://evil.example"
    again = patient.open(f"{page.url.path}{forged}")
    plain = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|csrf\S+")
    assert plain.sub("", again.text) == plain.sub("", page.text)
    assert story.ASKING.name in again.text
    assert "Vacunas" not in again.text.partition("Qué no podrá leer")[0]


def test_the_answer_alters_nothing_of_what_is_granted(world: World, asking: Any, patient: Visitor) -> None:
    page, state, verifier = consent_page(world, asking, patient, "allergies", "encounters")
    forged = {"scope": "patient/Immunization.rs", "categoria": "immunizations", "redirect_uri": "https://evil.example",
              "client_id": "other", "state": "other", "purpose": "HPAYMT", "person": "x"}  # fmt: skip
    answer = post(patient, page, **forged)
    location = answer.headers["location"]
    assert location.startswith(f"{asking._redirect_uri}?")
    assert answered(location)["state"] == state
    token = asking.redeem(answered(location)["code"], verifier).json()
    assert set(token["scope"].split()) == {"patient/AllergyIntolerance.rs", "patient/Encounter.rs"}


def test_another_sites_form_permits_nothing(world: World, asking: Any, patient: Visitor) -> None:
    page, _, _ = consent_page(world, asking, patient)
    for headers, typed in (
        (None, {"csrf": "x"}),
        (None, {"csrf": ""}),
        ({"Sec-Fetch-Site": "cross-site"}, {}),
        ({"Sec-Fetch-Site": "same-site"}, {}),
    ):
        answer = post(patient, page, headers, **typed)
        assert answer.status_code == 403
        assert "location" not in answer.headers
    assert "code" in answered(press(patient, page, "permitir"))


def test_the_page_is_framed_by_nobody_and_kept_by_nobody(world: World, asking: Any, patient: Visitor) -> None:
    consent_page(world, asking, patient)
    headers = patient.heard[-1].headers
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy
    assert "no-store" in headers["cache-control"]
    assert headers["referrer-policy"] == "no-referrer"


def test_two_tabs_do_not_cross(world: World, asking: Any, patient: Visitor) -> None:
    first, first_state, first_verifier = consent_page(world, asking, patient, "allergies", "encounters")
    second, second_state, _ = consent_page(world, asking, patient, "allergies", "encounters", "immunizations")
    assert first.url.path != second.url.path
    answer = answered(press(patient, second, "permitir"))
    assert answer["state"] == second_state
    other = answered(press(patient, first, "permitir"))
    assert other["state"] == first_state
    assert asking.redeem(other["code"], first_verifier).status_code == 200
    assert asking.redeem(answer["code"], first_verifier).status_code == 400


def test_a_page_of_hers_is_nobody_elses(world: World, asking: Any, patient: Visitor, physician: Visitor) -> None:
    """Session fixation (MITREid CVE-2021-27582): a challenge opened by somebody else asks them nothing."""
    page, _, _ = consent_page(world, asking, patient)
    stranger = physician.sign_in(page.url.path, story.PHYSICIAN.person)
    assert stranger.status in {403, 404}
    assert story.ASKING.name not in stranger.text
    assert "code" in answered(press(patient, page, "permitir"))


@pytest.mark.parametrize("decision", ["", "si", "PERMITIR", "permitir\x00", "no-permitir,permitir"])
def test_silence_and_noise_permit_nothing(world: World, asking: Any, patient: Visitor, decision: str) -> None:
    page, _, _ = consent_page(world, asking, patient)
    answer = post(patient, page, decision=decision)
    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_a_link_permits_nothing(world: World, asking: Any, patient: Visitor) -> None:
    page, _, _ = consent_page(world, asking, patient)
    again = patient.open(f"{page.url.path}?decision=permitir")
    assert again.has_form("/autorizar/")
