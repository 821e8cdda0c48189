"""The guard against an issuer we control: every doubt is a refusal."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from consent_broker.oauth.token_status_list import compress
from consent_broker.resource_server import Grant, Guard, Refusal
from consent_broker.resource_server.nonces import NONCE_SECONDS
from tests.functional.oauth.moments import After, resolve
from tests.functional.oauth.proofs import Prover

ISSUER, AUDIENCE, PATIENT = "https://renhice.example", "https://b.example/fhir", "0198-patient"
KEY = ECKey.generate_key("P-256", {"kid": "one"})
GATEWAY = Prover()
OWN = ECKey.generate_key("P-256", {"kid": "b"})
SYSTEM = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/registro"

Headers = dict[str, str]


class Issuer:
    """A registry that publishes keys and introspects; counts what it is asked."""

    def __init__(self) -> None:
        self.keys = [KEY]
        self.active: dict[str, Any] | None = None
        self.down = False
        self.calls: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request.url.path)
        if self.down:
            raise httpx.ConnectError("down")
        if request.url.path == "/oauth/jwks":
            return httpx.Response(200, json={"keys": [key.as_dict(private=False) for key in self.keys]})
        if request.url.path == "/oauth/status/0":
            return httpx.Response(200, text=status_list())
        token = dict(pair.split("=", 1) for pair in request.content.decode().split("&"))["token"]
        answer = self.active if self.active is not None else {"active": True} | read(token)
        return httpx.Response(200, json=answer)


def read(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, KEY, algorithms=["ES256"]).claims)


LISTED = {"status_list": {"idx": 0, "uri": f"{ISSUER}/oauth/status/0"}}


def status_list() -> str:
    now = int(time.time())
    claims = {"sub": f"{ISSUER}/oauth/status/0", "iat": now, "exp": now + 10, "ttl": 5,
              "status_list": {"bits": 1, "lst": compress([])}}  # fmt: skip
    return jwt.encode({"alg": "ES256", "kid": "one", "typ": "statuslist+jwt"}, claims, KEY, algorithms=["ES256"])


def token(*, header: dict[str, Any] | None = None, key: ECKey = KEY, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 200, "jti": uuid.uuid4().hex, "sub": PATIENT,
              "client_id": "sihce-a", "scope": "patient/AllergyIntolerance.rs patient/Encounter.r",
              "patient": PATIENT, "cnf": {"jkt": GATEWAY.thumbprint}} | changes  # fmt: skip
    head = {"alg": "ES256", "kid": "one", "typ": "at+jwt"} | (header or {})
    head = {name: value for name, value in head.items() if value is not None}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(head, claims, key, algorithms=["ES256"], default_type=None)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


def guard_of(issuer: Callable[[httpx.Request], httpx.Response], **settings: Any) -> Guard:
    http = httpx.Client(transport=httpx.MockTransport(issuer))
    return Guard(ISSUER, AUDIENCE, "sihce-b", OWN.as_dict(private=True), http=http, **settings)


def shown(guard: Guard, value: str, method: str = "GET", path: str = "/AllergyIntolerance", **claims: Any) -> Headers:
    """The headers of a token with a good proof, or with one changed for the worse."""
    proof = GATEWAY.proof(method, AUDIENCE + path, value, **({"nonce": guard._proofs.nonce} | claims))
    return {"authorization": f"DPoP {value}", "dpop": proof}


def ask(
    guard: Guard, value: str, query: str = f"patient={PATIENT}", path: str = "/AllergyIntolerance"
) -> Grant | Refusal:
    return guard.check("GET", path, query, shown(guard, value, path=path))


def refusal(answer: Grant | Refusal) -> tuple[int, str | None]:
    assert isinstance(answer, Refusal), answer
    return answer.status, answer.error


@pytest.mark.parametrize(
    "query",
    [f"patient={PATIENT}", f"patient=Patient/{PATIENT}", f"patient.identifier={SYSTEM}%7C{PATIENT}&_count=5",
     f"patient:Patient={PATIENT}&date=ge2024"],
)  # fmt: skip
def test_a_search_for_the_patient_of_the_token_is_granted(issuer: Issuer, query: str) -> None:
    answer = ask(guard_of(issuer), token(act={"sub": "CMP 1"}), query)
    assert isinstance(answer, Grant)
    assert (answer.patient, answer.actor, answer.client_id) == (PATIENT, "CMP 1", "sihce-a")


def test_a_read_by_id_is_granted_for_the_type(issuer: Issuer) -> None:
    assert isinstance(ask(guard_of(issuer), token(), "", "/Encounter/1"), Grant)


def test_a_search_in_the_body_is_read_like_a_query(issuer: Issuer) -> None:
    guard, path = guard_of(issuer), "/AllergyIntolerance/_search"
    kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    value = token()
    first, second = (shown(guard, value, "POST", path) | kind for _ in range(2))
    assert isinstance(guard.check("POST", path, "", first, f"patient={PATIENT}"), Grant)
    assert refusal(guard.check("POST", path, f"patient={PATIENT}", second, "patient=other"))[0] == 403
    multipart = first | {"Content-Type": "multipart/form-data; boundary=x"}
    assert refusal(guard.check("POST", path, f"patient={PATIENT}", multipart, ""))[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "query", "status"),
    [
        ("GET", "/AllergyIntolerance", "", 403),
        ("GET", "/AllergyIntolerance", "patient=other", 403),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&patient=other", 403),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT},other", 403),
        ("GET", "/AllergyIntolerance", f"patient=Patient/{PATIENT}/../other", 403),
        ("GET", "/AllergyIntolerance", f"patient=https://evil.example/Patient/{PATIENT}", 403),
        ("GET", "/AllergyIntolerance", f"patient:not={PATIENT}", 400),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&subject=other", 403),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&patient.name=x", 400),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&_include=*", 400),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&_revinclude:iterate=Provenance:target", 400),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&_has:Observation:patient:code=1", 400),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&access_token=x", 400),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&" + "&".join(f"a{n}=1" for n in range(50)), 400),
        ("GET", "/AllergyIntolerance", "&&&", 400),
        ("GET", "/MedicationStatement", f"patient={PATIENT}", 403),
        ("GET", "/Encounter", f"patient={PATIENT}", 403),
        ("GET", "/Patient/1", "", 403),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&encounter.diagnosis=x", 400),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&asserter:Practitioner.name=x", 400),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&Patient=x", 403),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&_INCLUDE=*", 400),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&code=1;patient=x", 400),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&patient[]=x", 400),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&%ff=x", 400),
        ("GET", "/AllergyIntolerance", f"patient={PATIENT}&_method=DELETE", 400),
        ("GET", "/", "", 403),
        ("GET", "/AllergyIntolerance/1/_history", "", 403),
        ("GET", "/AllergyIntolerance/$export", "", 403),
        ("GET", "/../AllergyIntolerance", f"patient={PATIENT}", 403),
        ("GET", "//AllergyIntolerance", f"patient={PATIENT}", 403),
        ("POST", "/AllergyIntolerance", f"patient={PATIENT}", 403),
        ("PUT", "/AllergyIntolerance/1", "", 403),
        ("DELETE", "/AllergyIntolerance/1", "", 403),
    ],
)
def test_anything_that_reaches_further_is_refused(
    issuer: Issuer, method: str, path: str, query: str, status: int
) -> None:
    guard = guard_of(issuer)
    headers = shown(guard, token(), method, path) | {"content-type": "application/x-www-form-urlencoded"}
    assert refusal(guard.check(method, path, query, headers))[0] == status


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "https://a.example/fhir"},
        {"aud": [AUDIENCE]},
        {"aud": f"{AUDIENCE}/"},
        {"exp": After(-1)},
        {"exp": After(4000)},
        {"exp": None},
        {"exp": "later"},
        {"exp": After(100.5)},
        {"iat": None},
        {"iat": After(60), "exp": After(120)},
        {"nbf": After(60)},
        {"nbf": "x"},
        {"jti": None},
        {"patient": None},
        {"patient": ["x"]},
        {"scope": None},
        {"client_id": None},
        {"cnf": None},
        {"cnf": {}},
        {"cnf": "x"},
        {"header": {"typ": None}},
        {"header": {"typ": "JWT"}},
        {"header": {"kid": None}},
        {"header": {"kid": "unknown"}},
    ],
    ids=str,
)
def test_a_token_that_is_not_right_is_refused(issuer: Issuer, changes: dict[str, Any]) -> None:
    made = token(**resolve(changes))
    assert refusal(ask(guard_of(issuer), made)) == (401, "invalid_token")


@pytest.mark.parametrize(
    "header", [None, "", "DPoP", "DPoP x", "Basic eDp5", "DPoP a.b", f"DPoP {'x' * 9000}.a.b", "dpop  ", "Bearer a.b.c"]
)
def test_without_a_token_the_answer_is_401(issuer: Issuer, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = guard_of(issuer).check("GET", "/AllergyIntolerance", f"patient={PATIENT}", headers)
    assert refusal(answer)[0] == 401
    assert isinstance(answer, Refusal)
    assert answer.headers["WWW-Authenticate"].startswith('DPoP algs="ES256 PS256')
    assert answer.body["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "lie",
    [{"active": False}, {"active": "true"}, {"active": 1}, {"active": None}, {"jti": "other"}, {"aud": "https://a.example"},
     {"patient": "other"}, {"scope": "patient/*.rs"}, {"client_id": "other"}, {"cnf": {"jkt": "other"}}],
    ids=str,
)  # fmt: skip
def test_introspection_has_the_last_word(issuer: Issuer, lie: dict[str, Any]) -> None:
    value = token()
    issuer.active = {"active": True} | read(value) | lie
    assert refusal(ask(guard_of(issuer), value)) == (401, "invalid_token")
    issuer.active = {"active": True}
    assert refusal(ask(guard_of(issuer), value)) == (401, "invalid_token")


def test_when_the_issuer_is_away_nothing_is_released(issuer: Issuer) -> None:
    guard = guard_of(issuer)
    issuer.down = True
    answer = ask(guard, token())
    assert refusal(answer)[0] == 503
    issuer.down = False
    assert isinstance(ask(guard, token()), Grant)
    issuer.down = True
    assert refusal(ask(guard, token()))[0] == 503


def test_a_kept_answer_is_worth_nothing_while_no_status_list_confirms_it(issuer: Issuer) -> None:
    value = token()
    lazy = guard_of(issuer, cache_seconds=30)
    for _ in range(2):
        assert isinstance(ask(lazy, value), Grant)
    assert issuer.calls.count("/oauth/introspect") == 2


def test_each_request_is_introspected_unless_the_holder_chooses_otherwise(issuer: Issuer) -> None:
    value = token(status=LISTED)
    fresh, lazy = guard_of(issuer), guard_of(issuer, cache_seconds=30)
    for guard in (fresh, fresh, lazy, lazy):
        assert isinstance(ask(guard, value), Grant)
    assert issuer.calls.count("/oauth/introspect") == 3


def test_unknown_keys_cost_one_fetch_and_a_new_key_is_found(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = guard_of(issuer)
    assert isinstance(ask(guard, token()), Grant)
    for number in range(50):
        ask(guard, token(header={"kid": f"flood-{number}"}))
    assert issuer.calls.count("/oauth/jwks") == 1
    late = time.monotonic() + 11
    monkeypatch.setattr(guard._tokens._keys, "_clock", lambda: late)
    new = ECKey.generate_key("P-256", {"kid": "two"})
    issuer.keys.append(new)
    made = token(header={"kid": "two"}, key=new)
    issuer.active = {"active": True} | json.loads(json.dumps(jwt.decode(made, new, algorithms=["ES256"]).claims))
    assert isinstance(ask(guard, made), Grant)
    assert issuer.calls.count("/oauth/jwks") == 2


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"nonce": None}, "use_dpop_nonce"),
        ({"nonce": "x" * 22}, "use_dpop_nonce"),
        ({"htm": "POST"}, "invalid_dpop_proof"),
        ({"htu": f"{AUDIENCE}/Encounter"}, "invalid_dpop_proof"),
        ({"htu": "https://a.example/fhir/AllergyIntolerance"}, "invalid_dpop_proof"),
        ({"ath": "x" * 43}, "invalid_dpop_proof"),
        ({"ath": None}, "invalid_dpop_proof"),
        ({"jti": None}, "invalid_dpop_proof"),
        ({"iat": After(-62)}, "invalid_dpop_proof"),
        ({"iat": After(30)}, "invalid_dpop_proof"),
    ],
    ids=str,
)
def test_a_proof_that_is_not_right_is_refused(issuer: Issuer, claims: dict[str, Any], error: str) -> None:
    guard, value = guard_of(issuer), token()
    answer = guard.check("GET", "/AllergyIntolerance", f"patient={PATIENT}", shown(guard, value, **resolve(claims)))
    assert refusal(answer) == (401, error)
    assert isinstance(answer, Refusal)
    assert answer.headers["DPoP-Nonce"] == guard._proofs.nonce
    assert "/oauth/introspect" not in issuer.calls


def test_a_stolen_token_is_refused_with_no_proof_another_key_or_a_used_proof(issuer: Issuer) -> None:
    guard, value = guard_of(issuer), token()
    query, good = f"patient={PATIENT}", shown(guard, value)
    thief = Prover()
    stolen = thief.proof("GET", f"{AUDIENCE}/AllergyIntolerance", value, nonce=guard._proofs.nonce)
    for proof in ({}, {"dpop": stolen}, {"dpop": f"{good['dpop']},{good['dpop']}"}):
        shown_by_thief = {"authorization": f"DPoP {value}"} | proof
        assert refusal(guard.check("GET", "/AllergyIntolerance", query, shown_by_thief)) == (401, "invalid_dpop_proof")
    assert isinstance(guard.check("GET", "/AllergyIntolerance", query, good), Grant)
    assert refusal(guard.check("GET", "/AllergyIntolerance", query, good)) == (401, "invalid_dpop_proof")


def test_a_nonce_is_good_for_two_periods_in_every_process_of_the_holder(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, value = guard_of(issuer), guard_of(issuer), token()
    nonce = one._proofs.nonce
    for later, status in ((0, None), (NONCE_SECONDS, None), (2 * NONCE_SECONDS + 1, 401)):
        moment = time.time() + later
        monkeypatch.setattr(other._proofs._nonces, "_clock", lambda moment=moment: moment)
        answer = other.check("GET", "/AllergyIntolerance", f"patient={PATIENT}", shown(one, value, nonce=nonce))
        assert (refusal(answer)[0] if status else isinstance(answer, Grant)) == (status or True)
