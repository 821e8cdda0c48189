"""Attack 7: the authorization endpoint is made to send a browser somewhere (Authlib CVE-2026-41479, CVE-2026-44681)."""

from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.functional.oauth.world import ISSUER, World

REGISTERED = "https://app.example/callback"
SPELLINGS = [
    "https://app.example/callback/", "https://app.example/callback#", "https://app.example/callback#f",
    "https://app.example/callback?", "https://app.example/callback?next=https://evil.example",
    "https://app.example/Callback", "https://APP.example/callback", "https://app.example:443/callback",
    "https://app.example./callback", "https://app.example/%63allback", "https://app.example/./callback",
    "https://app.example/callback/../callback", "https://app.example\\@evil.example/callback",
    "https://app.example@evil.example/callback", "https://evil.example#https://app.example/callback",
    "https://evil.example/https://app.example/callback", "https://evil.example?https://app.example/callback",
    "https://user:pass@app.example/callback", "http://app.example/callback", "//app.example/callback", "/callback",
    "javascript:alert(1)//https://app.example/callback", "data:text/html,x", "https:app.example/callback",
    "https://app.example/callback\r\nLocation: https://evil.example", "https://app.example/callback\t",
    " https://app.example/callback", "https://app.example%00.evil.example/callback", "https://аpp.example/callback",
    "app.example/callback", "*", "null", "https://app.example/callback,https://evil.example",
]  # fmt: skip


def nowhere(answer: TestResponse) -> None:
    """Shown to the person; sent nowhere, by header or by page."""
    assert (answer.status_code, "Location" in answer.headers) == (400, False)
    assert "evil.example" not in answer.text
    assert "http-equiv" not in answer.text.lower()


@pytest.mark.parametrize("redirect_uri", SPELLINGS)
@pytest.mark.parametrize("more", [{}, {"response_type": "token"}, {"response_type": "x"}, {"scope": None}], ids=str)
def test_no_spelling_but_the_registered_one_is_followed(world: World, redirect_uri: str, more: dict[str, str]) -> None:
    nowhere(world.authorize(world.app_client, redirect_uri=redirect_uri, **more))
    pushed = world.push(redirect_uri=redirect_uri.replace("app.example", "sihce.example"), **more)
    assert (pushed.status_code, pushed.json["error"]) == (400, "invalid_request")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60), st.integers(0, len(REGISTERED)))
def test_no_text_put_into_the_registered_one_is_followed(world: World, text: str, at: int) -> None:
    changed = REGISTERED[:at] + text + REGISTERED[at:]
    answer = world.authorize(world.app_client, redirect_uri=changed)
    if changed == REGISTERED:
        assert answer.status_code == 303
    else:
        nowhere(answer)


@pytest.mark.parametrize("client_id", [None, "", "nobody", "sihce-a", "app-a ", "APP-A", "app-a\x00", "' OR 1=1 --"])
def test_for_no_other_client_is_it_followed(world: World, client_id: str | None) -> None:
    nowhere(world.authorize(world.app_client, client_id=client_id))


def test_a_reference_leads_to_the_patients_page_alone(world: World) -> None:
    assert world.authorize().location.startswith(f"{ISSUER}/autorizar/")
    for reference in ("urn:ietf:params:oauth:request_uri:x", "https://evil.example/request", "x" * 5000):
        query = {"client_id": world.asking.client_id, "request_uri": reference}
        nowhere(world.asking.http.get("/oauth/authorize", query_string=query))


def test_where_an_answer_goes_is_not_the_answers_to_say(world: World) -> None:
    challenge = world.challenge(world.app_client, state="//evil.example/?x#y\r\nLocation: https://evil.example")
    url = world.accept(challenge)
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path, parts.fragment) == ("https", "app.example", "/callback", "")
    assert "\r" not in url
    assert "\n" not in url


@pytest.mark.parametrize("path", ["/fhir//Patient", "/oauth//authorize", "/mi-historia//permisos", "/fhir"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_spelling_of_an_address_leads_to_the_host_a_request_names(world: World, method: str, path: str) -> None:
    """A 308 is kept by caches for good, and repeats what was posted."""
    environ = {"PATH_INFO": path, "HTTP_HOST": "evil.example"}
    answer = world.asking.http.open(method=method, environ_overrides=environ)
    assert (answer.status_code // 100, "Location" in answer.headers) == (4, False)
