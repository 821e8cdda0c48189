"""Requests an authorization server should refuse: each is made of one of two servers, and its answer put in a line."""

import base64
import time
from collections.abc import Callable
from typing import Any

from joserfc.jwk import ECKey, OctKey
from werkzeug.test import TestResponse

from consent_broker.oauth.models import AuthorizationCode, AuthorizationRequest
from tests.clients.two_servers import SCOPES, Side
from tests.functional.oauth.moments import After, resolve
from tests.functional.oauth.proofs import Prover, sign
from tests.functional.oauth.world import ASSERTION_TYPE, ISSUER, answer_of, pkce

Case = Callable[[Side], TestResponse]
TOKEN = "/oauth/token"
STRANGER = ECKey.generate_key("P-256", {"kid": "stranger"})


def outcome(answer: TestResponse) -> str:
    """The status with the error: of an answer, or as it travels with a redirection to the client."""
    if 300 <= answer.status_code < 400:
        return f"to the client: {answer_of(answer.location).get('error', 'no error')}"
    if answer.status_code < 300:
        return "taken"
    return f"{answer.status_code} {answer.json['error']}" if "json" in answer.mimetype else f"{answer.status_code} page"


def unsigned(header: str, payload: str) -> str:
    """A JWT that nobody signed."""
    return f"{base64.urlsafe_b64encode(header.encode()).rstrip(b'=').decode()}.{payload}."


def without_signature(side: Side) -> str:
    return unsigned('{"alg":"none"}', side.party.assertion().split(".")[1])


def changed(side: Side, changes: dict[str, Any]) -> dict[str, Any]:
    """Moments made absolute, and addresses of ours those of the side that is asked."""
    issuer = side.party.issuer
    found = resolve(changes)
    return {name: value.replace(ISSUER, issuer) if isinstance(value, str) else value for name, value in found.items()}


def authenticated(**changes: Any) -> Case:
    """A good request with a client assertion changed so."""

    def push(side: Side) -> TestResponse:
        assertion = side.party.assertion(**changed(side, changes))
        form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
        return side.party.post("/oauth/par", side.asked() | form)

    return push


def identified(form: Callable[[Side], dict[str, Any]], headers: dict[str, str] | None = None) -> Case:
    """A good request that says otherwise who asks."""
    return lambda side: side.party.http.post("/oauth/par", data=side.asked() | form(side), headers=headers or {})


def twice(side: Side) -> TestResponse:
    form = side.asked() | side.party.credentials()
    side.party.http.post("/oauth/par", data=form)
    return side.party.http.post("/oauth/par", data=form | {"code_challenge": pkce()[1]})


BASIC = {"Authorization": f"Basic {base64.b64encode(b'sihce-a:x').decode()}"}
FAR = After(10 * 365 * 86_400)
CLIENT: dict[str, Case] = {
    "assertion: alg none": identified(
        lambda s: {"client_assertion_type": ASSERTION_TYPE, "client_assertion": without_signature(s)}
    ),
    "assertion: alg HS256": authenticated(header={"alg": "HS256"}, key=OctKey.generate_key(256)),
    "assertion: another key": authenticated(key=STRANGER),
    "assertion: kid unknown": authenticated(header={"kid": "unknown"}),
    "assertion: crit": authenticated(header={"crit": ["exp"]}),
    "assertion: aud an array": authenticated(aud=[ISSUER]),
    "assertion: aud an array with another": authenticated(aud=[ISSUER, "https://evil.example"]),
    "assertion: aud the token address": authenticated(aud=f"{ISSUER}/oauth/token"),
    "assertion: aud the PAR address": authenticated(aud=f"{ISSUER}/oauth/par"),
    "assertion: aud another server": authenticated(aud="https://evil.example"),
    "assertion: aud absent": authenticated(aud=None),
    "assertion: iss another": authenticated(iss="sihce-b"),
    "assertion: sub another": authenticated(sub="sihce-b"),
    "assertion: sub absent": authenticated(sub=None),
    "assertion: exp absent": authenticated(exp=None),
    "assertion: exp past": authenticated(exp=After(-120), iat=After(-180)),
    "assertion: exp in ten years": authenticated(exp=FAR),
    "assertion: iat absent": authenticated(iat=None),
    "assertion: iat in an hour": authenticated(iat=After(3600), exp=After(3660)),
    "assertion: nbf in an hour": authenticated(nbf=After(3600)),
    "assertion: jti absent": authenticated(jti=None),
    "assertion: used before": twice,
    "assertion: garbage": identified(lambda _: {"client_assertion_type": ASSERTION_TYPE, "client_assertion": "a.b.c"}),
    "assertion: another type": identified(lambda s: s.party.credentials() | {"client_assertion_type": "urn:x"}),
    "client: none": identified(lambda _: {}),
    "client: unknown": identified(lambda s: s.party.credentials(iss="nobody", sub="nobody") | {"client_id": "nobody"}),
    "client: another's client_id": identified(lambda s: s.party.credentials() | {"client_id": s.other.client_id}),
    "client: Basic alone": identified(lambda _: {}, BASIC),
    "client: Basic and an assertion": identified(lambda s: s.party.credentials(), BASIC),
    "client: secret and an assertion": identified(lambda s: s.party.credentials() | {"client_secret": "x"}),
}


def asked(**changes: Any) -> Case:
    return lambda side: side.push(**changes)


REQUEST: dict[str, Case] = {
    "request: no PKCE": asked(code_challenge=None, code_challenge_method=None),
    "request: PKCE plain": asked(code_challenge_method="plain"),
    "request: PKCE method absent": asked(code_challenge_method=None),
    "request: PKCE challenge short": asked(code_challenge="short"),
    "request: redirect_uri absent": asked(redirect_uri=None),
    "request: redirect_uri another": asked(redirect_uri="https://evil.example/callback"),
    "request: redirect_uri with a path more": asked(redirect_uri="https://sihce.example/callback/x"),
    "request: redirect_uri with a query more": asked(redirect_uri="https://sihce.example/callback?x=1"),
    "request: redirect_uri over http": asked(redirect_uri="http://sihce.example/callback"),
    "request: response_type absent": asked(response_type=None),
    "request: response_type token": asked(response_type="token"),
    "request: response_type code id_token": asked(response_type="code id_token"),
    "request: response_type none": asked(response_type="none"),
    "request: response_mode fragment": asked(response_mode="fragment"),
    "request: response_mode web_message": asked(response_mode="web_message"),
    "request: scope unknown": asked(scope="patient/Everything.rs"),
    "request: request_uri in it": lambda s: s.push(request_uri=s.pushed()),
    "request: request_uri of the web": asked(request_uri="https://evil.example/request.jwt"),
    "request: unsigned request object": asked(request=unsigned('{"alg":"none"}', "e30")),
    "request: dpop_jkt of another key": lambda s: s.party.post(
        "/oauth/par",
        s.asked(dpop_jkt=Prover().thumbprint),
        headers={"DPoP": s.party.proof("POST", "/oauth/par")},
    ),
    "request: a parameter twice": lambda s: s.party.http.post(
        "/oauth/par", data=s.asked() | s.party.credentials() | {"scope": SCOPES[:2]}
    ),
    "request: parameters in the query": lambda s: s.party.http.post(
        "/oauth/par", data=s.party.credentials(), query_string=s.asked()
    ),
    "request: by GET": lambda s: s.party.http.get("/oauth/par", query_string=s.asked()),
    "request: as JSON": lambda s: s.party.http.post(
        "/oauth/par", data=s.asked() | s.party.credentials(), headers={"Content-Type": "application/json"}
    ),
}


def lapsed(side: Side) -> TestResponse:
    reference = side.pushed()
    with side.after(AuthorizationRequest, "pushed_until", 120):
        return side.open(request_uri=reference)


def reused(side: Side) -> TestResponse:
    reference = side.pushed()
    side.consent(reference)
    return side.open(request_uri=reference)


UNKNOWN = "urn:ietf:params:oauth:request_uri:unknown"
PAGE: dict[str, Case] = {
    "page: not pushed": lambda s: s.open(**s.asked()),
    "page: reference unknown": lambda s: s.open(request_uri=UNKNOWN),
    "page: reference of another client": lambda s: s.open(s.other, request_uri=s.pushed()),
    "page: reference lapsed": lapsed,
    "page: reference used": reused,
    "page: reference without a client": lambda s: s.open(client_id=None, request_uri=s.pushed()),
    "page: client unknown": lambda s: s.open(client_id="nobody", request_uri=s.pushed()),
    "page: parameters twice": lambda s: s.open(request_uri=[s.pushed(), s.pushed()]),
}


def redeemed(**changes: Any) -> Case:
    return lambda side: side.party.redeem(*side.code(), **changes)


def replayed(side: Side) -> TestResponse:
    code = side.code()
    assert side.party.redeem(*code).status_code == 200
    return side.party.redeem(*code)


def too_late(side: Side) -> TestResponse:
    code = side.code()
    with side.after(AuthorizationCode, "expires_at", 30):
        return side.party.redeem(*code)


def by_another(side: Side) -> TestResponse:
    code, verifier = side.code()
    side.other.redeem("unknown", verifier)
    return side.other.redeem(code, verifier)


def posted(**form: Any) -> Case:
    return lambda side: side.party.post(TOKEN, form)


def by_query(side: Side) -> TestResponse:
    code, verifier = side.code()
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    query = form | {"redirect_uri": side.party.redirect_uri}
    proof = {"DPoP": side.party.proof("POST", TOKEN)}
    return side.party.http.post(TOKEN, data=side.party.credentials(), query_string=query, headers=proof)


def refreshed(**more: str) -> Case:
    def refresh(side: Side) -> TestResponse:
        scope = f"{SCOPES[0]} offline_access"
        token = side.party.redeem(*side.code(scope=scope)).json["refresh_token"]
        return side.party.refresh(token, **more)

    return refresh


def with_another_key(side: Side) -> TestResponse:
    token = side.party.redeem(*side.code(scope=f"{SCOPES[0]} offline_access")).json["refresh_token"]
    stranger = Prover(nonce=side.party.prover.nonce)
    headers = {"DPoP": stranger.proof("POST", f"{side.party.issuer}{TOKEN}")}
    return side.party.post(TOKEN, {"grant_type": "refresh_token", "refresh_token": token}, headers=headers)


GRANT: dict[str, Case] = {
    "grant: code replayed": replayed,
    "grant: code too old": too_late,
    "grant: code unknown": lambda s: s.party.redeem("unknown", pkce()[0]),
    "grant: code absent": redeemed(code=None),
    "grant: code of another client": by_another,
    "grant: verifier wrong": redeemed(code_verifier=pkce()[0]),
    "grant: verifier absent": redeemed(code_verifier=None),
    "grant: verifier short": redeemed(code_verifier="short"),
    "grant: redirect_uri absent": redeemed(redirect_uri=None),
    "grant: redirect_uri another": redeemed(redirect_uri="https://sihce.example/other"),
    "grant: parameters in the query": by_query,
    "grant: a parameter twice": redeemed(grant_type=["authorization_code", "authorization_code"]),
    "grant: type absent": posted(code="x"),
    "grant: type password": posted(grant_type="password", username="x", password="x"),
    "grant: type implicit": posted(grant_type="implicit"),
    "grant: type unknown": posted(grant_type="urn:x"),
    "grant: refresh token unknown": lambda s: s.party.refresh("unknown"),
    "grant: refresh token with another key": with_another_key,
    "grant: refresh for a wider scope": refreshed(scope=f"{SCOPES[0]} {SCOPES[1]}"),
    "grant: refresh for an unknown scope": refreshed(scope="patient/Everything.rs"),
    "introspection: nobody asks": lambda s: s.party.http.post("/oauth/introspect", data={"token": "x"}),
    "introspection: no token": lambda s: s.party.post("/oauth/introspect", {}),
    "introspection: token unknown": lambda s: s.party.post("/oauth/introspect", {"token": "x"}),
    "revocation: nobody asks": lambda s: s.party.http.post("/oauth/revoke", data={"token": "x"}),
    "revocation: no token": lambda s: s.party.post("/oauth/revoke", {}),
    "revocation: token unknown": lambda s: s.party.post("/oauth/revoke", {"token": "x"}),
}


def proved(**changes: Any) -> Case:
    """A good code redeemed with a proof changed so."""

    def redeem(side: Side) -> TestResponse:
        code, verifier = side.code()
        learn_nonce(side)
        proof = side.party.proof("POST", TOKEN, **changed(side, changes))
        return redeem_with(side, code, verifier, proof)

    return redeem


def learn_nonce(side: Side) -> None:
    if side.party.prover.nonce is None:
        side.party.refresh("unknown")


def redeem_with(side: Side, code: str, verifier: str, proof: str | None) -> TestResponse:
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    headers = {} if proof is None else {"DPoP": proof}
    whole = form | {"redirect_uri": side.party.redirect_uri}
    return side.party.post(TOKEN, whole, headers=headers, proved=False)


def of_none(side: Side) -> TestResponse:
    learn_nonce(side)
    payload = side.party.proof("POST", TOKEN).split(".")[1]
    return redeem_with(side, *side.code(), unsigned('{"alg":"none","typ":"dpop+jwt"}', payload))


def of_a_secret(side: Side) -> TestResponse:
    learn_nonce(side)
    key = OctKey.generate_key(256)
    claims = {"jti": f"{time.time()}", "htm": "POST", "htu": f"{side.party.issuer}{TOKEN}", "iat": int(time.time()),
              "nonce": side.party.prover.nonce}  # fmt: skip
    proof = sign({"alg": "HS256", "typ": "dpop+jwt", "jwk": key.as_dict(private=True)}, claims, key)
    return redeem_with(side, *side.code(), proof)


def proof_reused(side: Side) -> TestResponse:
    learn_nonce(side)
    proof = side.party.proof("POST", TOKEN)
    assert redeem_with(side, *side.code(), proof).status_code == 200
    return redeem_with(side, *side.code(), proof)


def bound_to_another(side: Side) -> TestResponse:
    return side.party.redeem(*side.code(dpop_jkt=Prover().thumbprint))


OTHER = ECKey.generate_key("P-256")
PROOF: dict[str, Case] = {
    "proof: absent": lambda s: redeem_with(s, *s.code(), None),
    "proof: garbage": lambda s: redeem_with(s, *s.code(), "a.b.c"),
    "proof: alg none": of_none,
    "proof: alg HS256": of_a_secret,
    "proof: typ absent": proved(header={"typ": None}),
    "proof: typ JWT": proved(header={"typ": "JWT"}),
    "proof: jwk absent": proved(header={"jwk": None}),
    "proof: jwk of another key": proved(header={"jwk": OTHER.as_dict(private=False)}),
    "proof: jwk private": proved(header={"jwk": OTHER.as_dict(private=True)}),
    "proof: crit": proved(header={"crit": ["exp"]}),
    "proof: htm absent": proved(htm=None),
    "proof: htm of another method": proved(htm="GET"),
    "proof: htm in another case": proved(htm="post"),
    "proof: htu absent": proved(htu=None),
    "proof: htu of another endpoint": proved(htu=f"{ISSUER}/oauth/par"),
    "proof: htu of another server": proved(htu="https://evil.example/oauth/token"),
    "proof: iat absent": proved(iat=None),
    "proof: iat an hour ago": proved(iat=After(-3600)),
    "proof: iat in an hour": proved(iat=After(3600)),
    "proof: iat no number": proved(iat="now"),
    "proof: jti absent": proved(jti=None),
    "proof: nonce absent": proved(nonce=None),
    "proof: nonce unknown": proved(nonce="unknown"),
    "proof: used before": proof_reused,
    "proof: not the key the code is bound to": bound_to_another,
}

NEGATIVES: dict[str, Case] = CLIENT | REQUEST | PAGE | GRANT | PROOF
