"""Two establishments with record systems, a professional and a patient, and how they talk to the broker."""

import base64
import hashlib
import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import ECKey
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from consent_broker.broker import Broker
from consent_broker.consents.evidence import Evidence
from consent_broker.oauth import authorizations
from matching.key_scheme import key_scheme
from registry.app import Renhice
from registry.database import new_id
from registry.directory.models import Affiliation, Establishment, Professional, RecordSystem
from registry.identity.models import Membership, Person, SourceRecord
from tests.functional.oauth.proofs import Prover, sign
from tests.functional.r4 import valid

T = TypeVar("T")
ISSUER = "http://127.0.0.1:8000"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SYSTEM = ["system/Patient.cu", "system/Patient.rs", "access-request"]
CONSENTS = ["system/Consent.cu", "system/Consent.rs", "system/Subscription.cruds", "representation", "bulk-import"]
DOCUMENTS = ["system/DocumentReference.cu", "system/DocumentReference.rs"]
RECORDS = [f"patient/{name}.rs" for name in ("AllergyIntolerance", "MedicationStatement", "Encounter")]


@dataclass
class Party:
    """A record system or an app with its key, as an OAuth client."""

    client_id: str
    establishment_id: UUID
    endpoint: str
    http: FlaskClient
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": secrets.token_hex(4)}))
    redirect_uri: str = "https://sihce.example/callback"
    issuer: str = ISSUER
    profile: str = "fapi2"
    prover: Prover = field(default_factory=Prover)

    @property
    def algorithm(self) -> str:
        return {"P-256": "ES256", "P-384": "ES384"}[self.key.curve_name]

    @property
    def audience(self) -> str:
        return self.issuer if self.profile == "fapi2" else f"{self.issuer}/oauth/token"

    def assertion(self, *, header: dict[str, Any] | None = None, key: Any = None, **changes: Any) -> str:
        """A good client assertion, or one changed for the worse; None removes a claim."""
        now = int(time.time())
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": self.audience, "iat": now, "exp": now + 60,
                  "jti": uuid.uuid4().hex} | changes  # fmt: skip
        head = {"alg": self.algorithm, "kid": self.key.kid, "typ": "JWT"} | (header or {})
        head = {name: value for name, value in head.items() if value is not None}
        claims = {name: value for name, value in claims.items() if value is not None}
        return sign(head, claims, key or self.key)

    def credentials(self, **changes: Any) -> dict[str, str]:
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.assertion(**changes)}

    def post(self, path: str, form: dict[str, Any], *, proved: bool = True, **kwargs: Any) -> TestResponse:
        """A form to the broker, authenticated unless the form says how, proved as the profile asks."""
        authenticated = form if "client_assertion" in form else form | self.credentials()
        headers = kwargs.pop("headers", {})
        if not proved or path != "/oauth/token" or self.profile != "fapi2" or "DPoP" in headers:
            return self.http.post(path, data=authenticated, headers=headers, **kwargs)
        return self._proving("POST", path, headers, data=authenticated, **kwargs)

    def call(self, method: str, path: str, token: str, **kwargs: Any) -> TestResponse:
        """A call with an access token, presented as the profile asks."""
        if self.profile != "fapi2":
            return self.http.open(path, method=method, headers={"Authorization": f"Bearer {token}"}, **kwargs)
        headers = {"Authorization": f"DPoP {token}"} | kwargs.pop("headers", {})
        return self._proving(method, path, headers, token=token, **kwargs)

    def get(self, path: str, token: str, **kwargs: Any) -> TestResponse:
        return self.call("GET", path, token, **kwargs)

    def proof(self, method: str, path: str, token: str | None = None, **claims: Any) -> str:
        """A good proof for one request, or one changed for the worse; None removes a claim."""
        return self.prover.proof(method, f"{self.issuer}{path.partition('?')[0]}", token, **claims)

    def _proving(
        self, method: str, path: str, headers: dict[str, str], token: str | None = None, **kwargs: Any
    ) -> TestResponse:
        """Prove, and once more when the server asks for its nonce (RFC 9449 §8)."""
        answer = None
        for _ in range(2):
            proof = {"DPoP": self.proof(method, path, token)}
            answer = self.http.open(path, method=method, headers=headers | proof, **kwargs)
            if not self.prover.learn(answer):
                break
        assert answer is not None
        return valid(path, answer)

    def client_token(self, scope: str) -> str:
        answer = self.post("/oauth/token", {"grant_type": "client_credentials", "scope": scope})
        assert answer.status_code == 200, answer.text
        return str(answer.json["access_token"])

    def redeem(self, code: str, verifier: str, /, **changes: Any) -> TestResponse:
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier,
                "redirect_uri": self.redirect_uri} | changes  # fmt: skip
        return self.post("/oauth/token", {name: value for name, value in form.items() if value is not None})

    def refresh(self, token: str, **more: str) -> TestResponse:
        return self.post("/oauth/token", {"grant_type": "refresh_token", "refresh_token": token} | more)

    def introspect(self, token: str) -> dict[str, Any]:
        answer = self.post("/oauth/introspect", {"token": token})
        assert answer.status_code == 200, answer.text
        return dict(answer.json)


def bearer(token: str) -> dict[str, str]:
    """A token as an app presents it; a record system's goes by `Party.call`, with a proof."""
    return {"Authorization": f"Bearer {token}"}


def pkce() -> tuple[str, str]:
    """A verifier and its S256 challenge."""
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def answer_of(url: str) -> dict[str, str]:
    """The parameters a redirect carries."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


@dataclass
class World:
    """Everybody."""

    app: Flask
    renhice: Renhice
    broker: Broker
    asking: Party
    holding: Party
    app_client: Party
    professional_id: UUID
    person_id: UUID
    other_person_id: UUID
    record_at_holder: UUID

    def transact(self, act: Callable[[Session], T]) -> T:
        """What the portal does, in a unit of work of its own."""
        with self.app.app_context(), self.renhice.database.unit_of_work() as session:
            return act(session)

    def evidence(self, person_id: UUID | None = None, acr: int = 2) -> Evidence:
        return Evidence(
            actor_person_id=person_id or self.person_id,
            acr=acr,
            auth_time=datetime.now(UTC),
            channel="test",
            text="Autorizo",
        )

    def request_access(self, party: Party | None = None, **changes: Any) -> dict[str, Any]:
        """A professional of the asking establishment asks."""
        wanted = {"person": str(self.person_id), "professional": {"college": "CMP", "number": "012345"},
                  "purpose": "TREAT", "categories": ["allergies", "medications", "encounters"]} | changes  # fmt: skip
        party = party or self.asking
        token = party.client_token("access-request")
        answer = party.call("POST", "/api/v1/access-requests", token, json=wanted)
        assert answer.status_code in {200, 201}, answer.text
        return dict(answer.json)

    def push(self, party: Party | None = None, /, **changes: Any) -> TestResponse:
        """The record system pushes an authorization request (RFC 9126)."""
        party = party or self.asking
        return party.post("/oauth/par", self.asked(party, **changes))

    def asked(self, party: Party, **changes: Any) -> dict[str, Any]:
        """A good authorization request, or one changed for the worse; None removes a parameter."""
        parameters = {"response_type": "code", "client_id": party.client_id, "state": "xyz",
                      "redirect_uri": party.redirect_uri, "scope": " ".join(RECORDS),
                      "code_challenge": pkce()[1], "code_challenge_method": "S256"} | changes  # fmt: skip
        return {name: value for name, value in parameters.items() if value is not None}

    def authorize(self, party: Party | None = None, /, **changes: Any) -> TestResponse:
        """The browser arrives at the authorization endpoint: with a pushed request, or an app's link."""
        party = party or self.asking
        query = self.asked(party, **changes)
        if party.profile == "fapi2":
            pushed = self.push(party, **changes)
            assert pushed.status_code == 201, pushed.text
            query = {"client_id": party.client_id, "request_uri": pushed.json["request_uri"]}
        return party.http.get("/oauth/authorize", query_string=query)

    def challenge(self, party: Party | None = None, /, **changes: Any) -> str:
        answer = self.authorize(party, **changes)
        assert answer.status_code == 303, answer.text
        assert answer.location.startswith(f"{self.broker.issuer}/autorizar/"), answer.location
        return answer.location.rpartition("/")[2]

    def accept(self, challenge: str, person_id: UUID | None = None) -> str:
        evidence = self.evidence(person_id)
        return self.transact(lambda session: authorizations.accept(session, self.broker, challenge, evidence))

    def code(self, party: Party | None = None, /, **changes: Any) -> tuple[str, str]:
        """A code and its verifier, granted by the patient."""
        verifier, code_challenge = pkce()
        url = self.accept(self.challenge(party, code_challenge=code_challenge, **changes))
        return answer_of(url)["code"], verifier

    def grant(self, party: Party | None = None, /, **changes: Any) -> dict[str, Any]:
        """The token response of a whole authorization."""
        answer = (party or self.asking).redeem(*self.code(party, **changes))
        assert answer.status_code == 200, answer.text
        return dict(answer.json)


def build_world(app: Flask, renhice: Renhice, holder_endpoint: str = "https://b.example/fhir") -> World:
    """People an empty database."""
    issuer = renhice.settings.base_url
    asking = Party("sihce-a", new_id(), "https://a.example/fhir", app.test_client(), issuer=issuer)
    holding = Party("sihce-b", new_id(), holder_endpoint, app.test_client(), issuer=issuer)
    smart = _smart_app(app, asking)
    ids = {name: new_id() for name in ("professional", "person", "other", "record")}
    with renhice.database.unit_of_work() as session:
        for number, party in enumerate((asking, holding)):
            _add_establishment(session, party, f"0000000{number + 1}")
            session.flush()
            _add_client(session, party)
        _add_client(session, smart)
        session.flush()
        session.add(
            Professional(
                id=ids["professional"], document_token=secrets.token_bytes(16), sealed=b"-", college="CMP",
                number="012345", able_to_practise=True,
            )
        )  # fmt: skip
        session.add_all([Person(id=ids["person"]), Person(id=ids["other"])])
        session.flush()
        _add_affiliation(session, ids["professional"], asking.establishment_id)
        _add_record(session, ids["record"], holding.establishment_id, ids["person"])
    broker: Broker = app.extensions["consent-broker"]
    people = (ids["professional"], ids["person"], ids["other"], ids["record"])
    return World(app, renhice, broker, asking, holding, smart, *people)


def _smart_app(app: Flask, asking: Party) -> Party:
    """An app of the asking establishment."""
    key = ECKey.generate_key("P-384", {"kid": secrets.token_hex(4)})
    redirect_uri = "https://app.example/callback"
    return Party(
        "app-a", asking.establishment_id, asking.endpoint, app.test_client(), key, redirect_uri, asking.issuer, "smart"
    )


def _add_establishment(session: Session, party: Party, renipress: str) -> None:
    session.add(
        Establishment(
            id=party.establishment_id, renipress=renipress, name=f"Hospital {renipress}", category="III-1",
            sector="MINSA", region="Lima", ubigeo="150101", fhir_endpoint=party.endpoint,
            identifier_system=f"urn:hc:{renipress}", active=True,
        )
    )  # fmt: skip


def _add_client(session: Session, party: Party) -> None:
    long_ago, far = datetime.now(UTC) - timedelta(days=400), datetime.now(UTC) + timedelta(days=400)
    session.add(
        RecordSystem(
            id=new_id(), client_id=party.client_id, establishment_id=party.establishment_id, name="SIHCE", version="1",
            authority="OGTI", profile=party.profile, accredited_from=long_ago, accredited_until=far,
            jwks={"keys": [party.key.as_dict(private=False)]}, redirect_uris=[party.redirect_uri],
            scopes=[*SYSTEM, *CONSENTS, *DOCUMENTS, *RECORDS, "emergency", "launch", "offline_access"],
        )
    )  # fmt: skip


def _add_affiliation(session: Session, professional_id: UUID, establishment_id: UUID) -> None:
    session.add(
        Affiliation(
            id=new_id(), professional_id=professional_id, establishment_id=establishment_id, role="physician",
            valid_from=datetime.now(UTC) - timedelta(days=1), valid_until=None,
        )
    )  # fmt: skip


def _add_record(session: Session, record_id: UUID, establishment_id: UUID, person_id: UUID) -> None:
    session.add(
        SourceRecord(
            id=record_id, establishment_id=establishment_id, local_token=secrets.token_bytes(16), version=1,
            content_token=secrets.token_bytes(16), active=True, scheme=key_scheme(),
        )
    )  # fmt: skip
    session.flush()
    session.add(Membership(source_record_id=record_id, person_id=person_id))
