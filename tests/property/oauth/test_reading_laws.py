"""Whatever a client sends, reading it either works or is refused as the RFC says; nothing else escapes."""

from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

from authlib.oauth2.rfc6749.errors import InvalidRequestError, InvalidScopeError
from flask import Request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from consent_broker.oauth.rfc6749_parameters import FORM, MAX_VALUE, read_authorization_parameters, read_form
from consent_broker.oauth.rfc9207_redirects import answer_url
from consent_broker.oauth.scopes import SUPPORTED, parse_scopes

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@patient
@given(st.text())
def test_a_scope_is_known_or_refused(text: str) -> None:
    with suppress(InvalidScopeError):
        assert parse_scopes(text) <= SUPPORTED


@patient
@given(st.lists(st.sampled_from(sorted(SUPPORTED)), min_size=1, max_size=20))
def test_known_scopes_come_through_whole(scopes: list[str]) -> None:
    assert parse_scopes(" ".join(scopes)) == set(scopes)


@patient
@given(st.binary(max_size=400), st.sampled_from([FORM, "application/json", "multipart/form-data; boundary=x", ""]))
def test_any_body_is_read_strictly_or_refused(body: bytes, kind: str) -> None:
    request = Request(EnvironBuilder(method="POST", data=body, content_type=kind).get_environ())
    try:
        parameters = read_form(request)
    except InvalidRequestError:
        return
    assert kind == FORM
    assert all(0 < len(value) <= MAX_VALUE for value in parameters.values())


@patient
@given(st.text(max_size=200))
def test_any_query_is_read_strictly_or_refused(query: str) -> None:
    environ = EnvironBuilder(method="GET").get_environ() | {"QUERY_STRING": query.encode().decode("latin-1")}
    with suppress(InvalidRequestError):
        assert isinstance(read_authorization_parameters(Request(environ)), dict)


@patient
@given(st.dictionaries(st.sampled_from(["code", "state", "error"]), st.text(min_size=1)))
def test_an_answer_never_changes_where_it_goes(answer: dict[str, str]) -> None:
    url = answer_url("https://issuer.example", "https://client.example/cb?tenant=1", answer)
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.path, parts.fragment) == ("https", "client.example", "/cb", "")
    sent = {name: values[0] for name, values in parse_qs(parts.query, errors="surrogatepass").items()}
    assert sent == answer | {"iss": "https://issuer.example", "tenant": "1"}
