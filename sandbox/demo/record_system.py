"""An establishment's record system as the story needs it: tokens, FHIR calls, access requests, the code flow."""

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from sandbox.demo.telling import Teller
from sandbox.establishment.registry_client import Client
from sandbox.openid import s256
from sandbox.possession import Possession
from sandbox.trust import trust

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Authorization:
    """An authorization under way: where the patient's browser goes, and what only this system knows of it."""

    url: str
    state: str
    verifier: str


class RecordSystem:
    """Calls the registry in the name of one establishment; the caller checks the answers."""

    def __init__(self, base_url: str, establishment: Json, teller: Teller) -> None:
        known = establishment["client"]
        self.establishment = establishment
        self._base_url = base_url
        self._redirect_uri = known["redirect_uris"][0]
        self._client = Client(known["client_id"], known["private_jwk"])
        self._teller = teller
        self._http = httpx.Client(
            verify=trust(), timeout=30, event_hooks={"response": [teller.heard]}, auth=Possession()
        )

    def token(self, scope: str) -> dict[str, str]:
        """Return the headers that carry a token of the system's own (client credentials, private_key_jwt)."""
        form = {"grant_type": "client_credentials", "scope": scope} | self._client.authentication(self._base_url)
        answer = self._teller.check_status(self._http.post(f"{self._base_url}/oauth/token", data=form), 200)
        return {"Authorization": f"DPoP {answer.json()['access_token']}"}

    def register(self, token: dict[str, str], local_number: str, patient: Json) -> httpx.Response:
        """Send a patient under a local number (ITI-104)."""
        identifier = f"{self.establishment['identifier_system']}|{local_number}"
        return self._http.put(
            f"{self._base_url}/fhir/Patient", params={"identifier": identifier}, json=patient, headers=token
        )

    def match(self, token: dict[str, str], patient: Json) -> httpx.Response:
        """Look for the person (ITI-119)."""
        parameter = [{"name": "resource", "resource": patient}, {"name": "count", "valueInteger": 5}]
        body = {"resourceType": "Parameters", "parameter": parameter}
        return self._http.post(f"{self._base_url}/fhir/Patient/$match", json=body, headers=token)

    def cross_reference(self, token: dict[str, str], local_number: str) -> httpx.Response:
        """Ask for the other numbers of a local number's person (ITI-83)."""
        source = f"{self.establishment['identifier_system']}|{local_number}"
        return self._http.get(
            f"{self._base_url}/fhir/Patient/$ihe-pix", params={"sourceIdentifier": source}, headers=token
        )

    def locate(self, token: dict[str, str], person: str) -> httpx.Response:
        """Ask which establishments hold records of the person."""
        return self._http.get(f"{self._base_url}/fhir/Patient/{person}/$patient-location", headers=token)

    def ask_access(self, token: dict[str, str], wanted: Json) -> httpx.Response:
        """Ask the patient for access, in a professional's name."""
        return self._http.post(f"{self._base_url}/api/v1/access-requests", json=wanted, headers=token)

    def authorization(self, launch: str, scope: str, **more: str) -> Authorization:
        """Push an authorization launched from an access request, and return where the browser goes (RFC 9126, 7636)."""
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        form = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": scope,
            "state": state,
            "code_challenge": s256(verifier),
            "code_challenge_method": "S256",
            "launch": launch,
            **more,
        }
        authentication = self._client.authentication(self._base_url)
        pushed = self._teller.check_status(
            self._http.post(f"{self._base_url}/oauth/par", data=form | authentication), 201
        )
        query = {"client_id": self._client.client_id, "request_uri": pushed.json()["request_uri"]}
        return Authorization(f"{self._base_url}/oauth/authorize?{urlencode(query)}", state, verifier)

    def redeem(self, code: str, verifier: str) -> httpx.Response:
        """Exchange the code for a grant token."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        authentication = self._client.authentication(self._base_url)
        return self._http.post(f"{self._base_url}/oauth/token", data=form | authentication)

    def wait(self, launch: str) -> httpx.Response:
        """Ask for a device code and the short code that leads the patient to a request (RFC 8628)."""
        form = {"launch": launch} | self._client.authentication(self._base_url)
        return self._http.post(f"{self._base_url}/oauth/device_authorization", data=form)

    def poll(self, device_code: str) -> httpx.Response:
        """Ask once whether the patient has answered."""
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": device_code}
        authentication = self._client.authentication(self._base_url)
        return self._http.post(f"{self._base_url}/oauth/token", data=form | authentication)

    def fetch(self, token: dict[str, str], kind: str, person: str) -> httpx.Response:
        """Read one type of the person's records through the registry's gateway."""
        return self._http.get(f"{self._base_url}/exchange/fhir/{kind}", params={"patient": person}, headers=token)

    def knock(self, endpoint: str, kind: str, headers: dict[str, str]) -> httpx.Response:
        """Try another establishment's FHIR server directly."""
        return self._http.get(f"{endpoint}/{kind}", params={"patient": "any"}, headers=headers)
