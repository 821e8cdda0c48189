"""The guard as middleware: refuses by itself, hands the grant on, and can't be talked around."""

import io
from typing import Any

import pytest
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app
from werkzeug.wrappers import Request, Response

from consent_broker.resource_server import Grant, Guard, GuardMiddleware, Refusal

GRANT = Grant(token_id="t", client_id="c", patient="p", scopes=frozenset(), expires_at=0, claims={}, nonce="next")
SHOWN = {"Authorization": "DPoP x", "DPoP": "proof"}


class Recorder(Guard):
    """A guard that remembers what it was asked and says what it was told to."""

    def __init__(self, answer: Grant | Refusal) -> None:
        self.answer, self.asked = answer, []

    def check(self, *asked: Any) -> Grant | Refusal:  # type: ignore[override]
        self.asked.append(asked)
        return self.answer


@Request.application
def records(request: Request) -> Response:
    grant = request.environ.get("renhice.grant")
    return Response(f"{grant.patient if grant else '-'} {request.form.get('patient', '')}")


def client(answer: Grant | Refusal) -> tuple[Client, Recorder]:
    guard = Recorder(answer)
    return Client(GuardMiddleware(records, guard, prefix="/fhir")), guard


def test_the_grant_reaches_the_application_with_the_body() -> None:
    http, guard = client(GRANT)
    answer = http.post("/fhir/Encounter/_search?a=1", data={"patient": "p"}, headers=SHOWN)
    assert answer.text == "p p"
    method, path, query, headers, form = guard.asked[0]
    assert (method, path, query, form) == ("POST", "/Encounter/_search", "a=1", "patient=p")
    assert (headers["Authorization"], headers["DPoP"]) == ("DPoP x", "proof")
    assert answer.headers["DPoP-Nonce"] == "next"


def test_a_refusal_is_answered_in_fhir() -> None:
    http, _ = client(Refusal(401, "use_dpop_nonce", "no", "fresh"))
    answer = http.get("/fhir/Encounter?patient=p")
    assert answer.status_code == 401
    assert answer.mimetype == "application/fhir+json"
    assert answer.headers["WWW-Authenticate"].endswith('error="use_dpop_nonce", error_description="no"')
    assert answer.headers["DPoP-Nonce"] == "fresh"
    assert answer.get_json()["resourceType"] == "OperationOutcome"


def test_only_the_capability_statement_is_public() -> None:
    http, guard = client(Refusal(401, None, "no"))
    assert http.get("/fhir/metadata").status_code == 200
    assert http.post("/fhir/metadata").status_code == 401
    assert http.get("/fhir/metadata/").status_code == 401
    assert http.get("/fhirx").status_code == 200
    assert len(guard.asked) == 2


@pytest.mark.parametrize(
    "path", ["//fhir/Encounter/1", "/FHIR/Encounter/1", "/x/../fhir/Encounter/1", "/./fhir", "/fhir;v=1/Encounter/1",
             "/%66hir/Encounter/1", "/x/%252e%252e/fhir/Encounter/1", "\\fhir\\Encounter"],
)  # fmt: skip
def test_another_spelling_of_the_base_is_not_a_way_around_the_guard(path: str) -> None:
    """What an application makes of it nobody here knows; some take it for the base."""
    guard = Recorder(GRANT)
    environ = EnvironBuilder("/").get_environ() | {"PATH_INFO": path}
    assert run_wsgi_app(GuardMiddleware(records, guard, prefix="/fhir"), environ)[1] == "404 Not Found"
    assert guard.asked == []


def test_an_application_sees_nothing_of_a_request_that_was_not_checked() -> None:
    seen = list[Any]()

    def application(environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        seen.append(({name for name, _ in request.headers if name.startswith("X-")}, request.get_data()))
        return Response("")(environ, start_response)

    otherwise = ["X-HTTP-Method-Override", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Request-Id"]
    http = Client(GuardMiddleware(application, Recorder(GRANT), prefix="/fhir"))
    http.get("/fhir/Encounter/1", data={"patient": "y"}, headers=dict.fromkeys(otherwise, "DELETE"))
    assert seen == [({"X-Request-Id"}, b"")]


def test_a_grant_can_not_be_brought_along() -> None:
    http, _ = client(GRANT)
    assert http.get("/elsewhere", environ_overrides={"renhice.grant": GRANT}).text == "- "


@pytest.mark.parametrize("length", ["x", "-5", "", "99999999999"])
def test_a_lying_content_length_breaks_nothing(length: str) -> None:
    builder = EnvironBuilder("/fhir/Encounter/_search", method="POST", input_stream=io.BytesIO(b"patient=p"))
    environ = builder.get_environ() | {"CONTENT_LENGTH": length}
    assert Client(GuardMiddleware(records, Recorder(GRANT), prefix="/fhir")).open(environ).status_code == 200


def test_a_large_search_is_refused() -> None:
    http, guard = client(GRANT)
    assert http.post("/fhir/Encounter/_search", data={"patient": "p" * 70_000}).status_code == 413
    assert guard.asked == []
