"""ID Perú over HTTP: what a browser and a relying party see."""

import json
from collections.abc import Iterator

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from sandbox.citizens import Citizens
from sandbox.demo.browser import Browser, Page
from sandbox.files import read_json
from sandbox.idperu import create_app
from sandbox.layout import Layout
from sandbox.openid import Party, Provider, s256
from sandbox.population import Population
from tests.functional.sandbox.conftest import Json, free_port, serving

RETURN = "http://127.0.0.1:9/ingresar/retorno"
VERIFIER = "v" * 50
WHOLE = {
    "response_type": "code", "client_id": "portal", "redirect_uri": RETURN, "scope": "openid profile", "state": "s t",
    "nonce": "n", "code_challenge": s256(VERIFIER), "code_challenge_method": "S256",
}  # fmt: skip


@pytest.fixture(scope="module")
def url(layout: Layout) -> Iterator[str]:
    port = free_port()
    keys = read_json(layout.keys)
    provider = Provider(f"http://127.0.0.1:{port}", Party("portal", "s3cret", (RETURN,)), keys["idperu"])
    with serving(create_app(provider, Citizens(layout.citizens)), port) as base:
        yield base


@pytest.fixture(scope="module")
def person(summary: Json) -> Json:
    found: Json = summary["people"][0]
    return found


class Visitor(Browser):
    """A browser that stops at the relying party's door, where nobody listens in these tests."""

    def __init__(self) -> None:
        super().__init__(lambda _response: None)

    def leave(self, action: str, page: Page, **typed: str) -> httpx.URL:
        form = page.form(action)
        answer = self._http.post(page.url.join(form.action), data=form.fields | typed)
        assert answer.status_code == 303, answer.text
        return httpx.URL(answer.headers["Location"])


def ask(url: str, **changes: str) -> str:
    return str(httpx.URL(f"{url}/service/auth", params=WHOLE | changes))


def redeem(url: str, code: str, **changes: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": RETURN, "code_verifier": VERIFIER}
    return httpx.post(f"{url}/service/token", data=form | changes, auth=("portal", "s3cret"))


def sign_in(url: str, person: Json, acr: str, visitor: Visitor | None = None) -> httpx.URL:
    visitor = visitor or Visitor()
    page = visitor.open(ask(url, acr_values=acr))
    typed = {"dni": person["document"]["number"], "password": person["password"]}
    if acr in {"0", "1"}:
        return visitor.leave("/service/login", page, **typed)
    page = visitor.submit(page, page.form("/service/login"), **typed)
    return visitor.leave("/service/factor", page, code=person["pin" if acr == "3" else "otp"])


@pytest.mark.parametrize(
    ("acr", "given", "method"), [("1", "1", "one_factor"), ("2", "2", "two_factor"), ("3", "3", "pki_dnie")]
)
def test_signing_in_at_each_level(url: str, person: Json, acr: str, given: str, method: str) -> None:
    answer = sign_in(url, person, acr)
    assert str(answer).startswith(RETURN)
    assert (answer.params["state"], answer.params["iss"]) == ("s t", url)
    tokens = redeem(url, answer.params["code"]).raise_for_status().json()
    metadata = httpx.get(f"{url}/.well-known/openid-configuration").json()
    keys = KeySet.import_key_set(httpx.get(metadata["jwks_uri"]).json())
    claims = jwt.decode(tokens["id_token"], keys, ["ES256"]).claims
    assert (claims["acr"], claims["amr"], claims["nonce"]) == (given, [method], "n")
    assert claims["doc"] == person["document"]["number"]
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert httpx.get(metadata["userinfo_endpoint"], headers=bearer).json()["sub"] == claims["sub"]
    assert redeem(url, answer.params["code"]).json()["error"] == "invalid_grant"


def test_a_session_is_reused_until_more_is_asked(url: str, person: Json) -> None:
    visitor = Visitor()
    sign_in(url, person, "2", visitor)
    again = visitor._http.get(ask(url, acr_values="1", prompt="none"))
    assert "code=" in again.headers["Location"]
    stronger = visitor._http.get(ask(url, acr_values="3", prompt="none"))
    assert "error=login_required" in stronger.headers["Location"]
    assert visitor.open(ask(url, acr_values="2", prompt="login")).has_form("/service/login")
    visitor.open(f"{url}/service/logout")
    assert "login_required" in visitor._http.get(ask(url, prompt="none")).headers["Location"]


def test_wrong_credentials_stay_on_a_clear_page(url: str, person: Json) -> None:
    visitor = Visitor()
    page = visitor.open(ask(url))
    number = person["document"]["number"]
    for password in ("", "wrong", "ñandú", "x" * 2000):
        failed = visitor.submit(page, page.form("/service/login"), dni=number, password=password)
        assert failed.status == 401
        assert "no son correctos" in failed.text
    last = visitor.submit(page, page.form("/service/login"), dni=number, password="wrong")
    assert last.status == 403
    assert visitor.submit(page, page.form("/service/login"), dni=number, password=person["password"]).status == 400


def test_a_second_factor_can_not_be_skipped_or_guessed(url: str, person: Json) -> None:
    visitor = Visitor()
    page = visitor.open(ask(url, acr_values="2"))
    transaction = page.form("/service/login").fields["transaction"]
    skipped = httpx.post(f"{url}/service/factor", data={"transaction": transaction, "code": person["otp"]})
    assert skipped.status_code == 400
    typed = {"dni": person["document"]["number"], "password": person["password"]}
    page = visitor.submit(page, page.form("/service/login"), **typed)
    assert visitor.submit(page, page.form("/service/factor"), code="000").status == 401


def test_minors_can_not_sign_in(url: str, layout: Layout) -> None:
    child = next(p for p in Population().people(30) if p.document and p.age < 18)
    Citizens(layout.citizens).enrol([child])
    visitor = Visitor()
    page = visitor.open(ask(url))
    assert visitor.submit(page, page.form("/service/login"), dni=child.document.number, password="").status == 401


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": "x"}, "invalid_request"),
        ({"scope": "email"}, "invalid_scope"),
        ({"acr_values": "9"}, "invalid_request"),
    ],
)
def test_protocol_errors_go_back_to_the_relying_party(url: str, changes: dict[str, str], error: str) -> None:
    answer = httpx.get(ask(url, **changes))
    assert answer.status_code == 303
    returned = httpx.URL(answer.headers["Location"]).params
    assert (returned["error"], returned["iss"], returned["state"]) == (error, url, "s t")


@pytest.mark.parametrize(
    "changes", [{"client_id": "other"}, {"redirect_uri": "https://evil.pe/"}, {"redirect_uri": ""}]
)
def test_an_unknown_destination_is_never_redirected_to(url: str, changes: dict[str, str]) -> None:
    answer = httpx.get(ask(url, **changes))
    assert answer.status_code == 400
    assert "No se puede continuar" in answer.text


@pytest.mark.parametrize("secret", [("portal", "wrong"), ("other", "s3cret"), ("portal", "ñ")])
def test_the_token_endpoint_knows_its_client(url: str, secret: tuple[str, str]) -> None:
    answer = httpx.post(f"{url}/service/token", data={"grant_type": "authorization_code"}, auth=secret)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("path", ["/service/login", "/service/factor", "/service/token"])
@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"transaction=a&transaction=b", b"code=" + b"x" * 20000])
def test_garbage_is_refused_clearly(url: str, path: str, body: bytes) -> None:
    answer = httpx.post(f"{url}{path}", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert 400 <= answer.status_code < 500


def test_pages_need_no_script_and_are_not_kept(url: str) -> None:
    answer = httpx.get(ask(url))
    assert "<script" not in answer.text
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"
    assert json.dumps(answer.text).count("<h1>") == 1
