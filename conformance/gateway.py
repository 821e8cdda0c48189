"""Asking the candidate as the registry's gateway does: one address, no redirects, a proof for each call."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from joserfc.jwk import ECKey

from conformance.registry.keys import make_key, prove

MAX_BYTES = 4 * 1024 * 1024
SECONDS = 10.0
REGISTRO = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/registro"
Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; status 0 when nothing did, and `fault` says why."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    seconds: float = 0.0
    fault: str = ""

    @property
    def json(self) -> Any:
        """The body as JSON, None when it is none."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None

    @property
    def media_type(self) -> str:
        """The content type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def resources(self) -> list[dict[str, Any]]:
        """The resources of a Bundle that are matches or included, not outcomes."""
        return [one for one in _entries(self.json) if one.get("resourceType") != "OperationOutcome"]

    def __str__(self) -> str:
        if not self.status:
            return f"sin respuesta ({self.fault})"
        body = self.json
        if isinstance(body, dict) and body.get("resourceType") == "Bundle":
            return f"HTTP {self.status}, Bundle con {len(self.resources)} recursos"
        return f"HTTP {self.status}" + (f", {body['resourceType']}" if _is_resource(body) else "")


def _is_resource(body: Any) -> bool:
    return isinstance(body, dict) and isinstance(body.get("resourceType"), str)


def _entries(body: Any) -> Iterator[dict[str, Any]]:
    entries = body.get("entry") if isinstance(body, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield resource


class Gateway:
    """Sends requests to one FHIR base; keeps the nonce it was last offered (RFC 9449 §8.2)."""

    def __init__(self, base: str, verify: Any = True) -> None:
        self.base, self.verify = base, verify
        self.key: ECKey = make_key()
        self.nonce: str | None = None
        self._http = httpx.Client(timeout=SECONDS, follow_redirects=False, verify=verify, trust_env=False)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def get(self, path: str, parameters: Parameters = (), token: str | None = None) -> Answer:
        """A read or a search with a right proof, once more when the candidate names a nonce."""
        return self.send("GET", path, parameters, token=token)

    def send(
        self, method: str, path: str, parameters: Parameters = (), *, token: str | None = None, **more: Any
    ) -> Answer:
        """The same with any method; `more` goes to the request (content, headers, data)."""
        headers = more.pop("headers", {})
        for _ in range(2):
            proofs = {"DPoP": self.proof(method, path, token)} if token else {}
            shown = {"Authorization": f"DPoP {token}"} if token else {}
            answer = self.plain(method, path, parameters, headers={**shown, **proofs, **headers}, **more)
            challenge = answer.headers.get("www-authenticate", "")
            if not token or answer.status != 401 or "use_dpop_nonce" not in challenge:
                break
        return answer

    def proof(self, method: str, path: str, token: str | None, key: ECKey | None = None, **claims: Any) -> str:
        """A proof for a call of this FHIR base; `claims` override, None leaves one out."""
        url = f"{self.base}{path}"
        return prove(key or self.key, method, url, token, **({"nonce": self.nonce} | claims))

    def plain(self, method: str, path: str, parameters: Parameters = (), **request: Any) -> Answer:
        """A request as it is given; never raises."""
        request["headers"] = {"Accept": "application/fhir+json", "Accept-Encoding": "identity", **request["headers"]}
        if parameters:
            request["params"] = list(parameters)
        started = time.monotonic()
        try:
            with self._http.stream(method, f"{self.base}{path}", **request) as response:
                content = _read(response)
                headers = {name.lower(): value for name, value in response.headers.items()}
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            return Answer(0, seconds=time.monotonic() - started, fault=type(error).__name__)
        self.nonce = headers.get("dpop-nonce", self.nonce)
        return Answer(response.status_code, headers, content, time.monotonic() - started)


def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            break
    return bytes(body)


def about(patient: str) -> list[tuple[str, str]]:
    """The parameters by which the gateway searches one patient's records."""
    return [("patient.identifier", f"{REGISTRO}|{patient}"), ("_count", "500")]
