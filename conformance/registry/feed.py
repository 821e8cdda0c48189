"""The Patient feed of the played registry (IHE PIXm ITI-104): versions and ETags as the real one's, and mishaps."""

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify, request

from conformance.registry.keys import Unsigned, read_client_proof
from conformance.registry.state import Record, State, Submission

NONCE = "conformance-2"


def outcome(status: int, code: str, text: str, **headers: str) -> Response:
    """An OperationOutcome."""
    issue = {"severity": "error", "code": code, "diagnostics": text}
    answer = jsonify(resourceType="OperationOutcome", issue=[issue])
    answer.status_code, answer.mimetype = status, "application/fhir+json"
    answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return answer


class Feed:
    """Takes what the candidate registers, and writes down how it came."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put_by_number(self) -> Response:
        """`PUT /fhir/Patient?identifier=system|number`."""
        return self._put(request.args.get("identifier", ""))

    def put_by_id(self, record_id: str) -> Response:
        """`PUT /fhir/Patient/{id}` of one's own record."""
        found = self._state.find(record_id)
        return self._put(found.identifier) if found else outcome(404, "not-found", "No existe ese registro.")

    def get(self, record_id: str) -> Response:
        """The last version of one's own record."""
        refusal = self._refusal()
        if refusal:
            return refusal
        found = self._state.find(record_id)
        return _shown(found, 200, self._state.url) if found else outcome(404, "not-found", "No existe ese registro.")

    def _put(self, identifier: str) -> Response:
        content = _content()
        with self._state.lock:
            mishap = self._state.mishap(new=identifier not in self._state.records)
            answer = self._fail(mishap) or self._refusal() or self._keep(identifier, content)
            if mishap == "lost":
                answer = outcome(504, "timeout", "La respuesta se perdió en el camino.", Retry_After="1")
            self._state.submissions.append(
                Submission(
                    identifier,
                    content,
                    request.headers.get("Content-Type", ""),
                    request.headers.get("If-Match", ""),
                    answer.status_code,
                    time.monotonic(),
                )
            )
        return answer

    def _fail(self, mishap: str | None) -> Response | None:
        if mishap == "unavailable":
            return outcome(503, "transient", "El registro no atiende ahora.", Retry_After="1")
        return None

    def _refusal(self) -> Response | None:
        """Why the caller may not, with the nonce to use; None when it may (RFC 9449 §7)."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        bound = self._state.client_token_key(token) if scheme == "DPoP" else None
        if bound is None:
            return _challenge("invalid_token")
        try:
            url = f"{self._state.url}{request.path}"
            thumbprint, claims = read_client_proof(request.headers.get("DPoP", ""), request.method, url, token)
        except Unsigned as fault:
            return self._unproved(str(fault))
        if thumbprint != bound:
            return self._unproved("es de otra clave que la del token")
        if claims.get("nonce") != NONCE:
            return _challenge("use_dpop_nonce")
        if not self._state.use_once(f"proof {claims['jti']}"):
            return self._unproved("la misma prueba se usó dos veces")
        self._state.proved += 1
        return None

    def _unproved(self, fault: str) -> Response:
        self._state.blame(f"prueba DPoP en {request.path}: {fault}")
        return _challenge("invalid_dpop_proof")

    def _keep(self, identifier: str, content: Mapping[str, Any] | None) -> Response:
        if not identifier.partition("|")[2] or content is None or content.get("resourceType") != "Patient":
            return outcome(400, "invalid", "Envíe un Patient en JSON con ?identifier=sistema|número.")
        record = self._state.records.get(identifier)
        if record is None:
            record = Record(str(uuid.uuid4()), identifier, [content])
            self._state.records[identifier] = record
            return _shown(record, 201, self._state.url)
        wanted = request.headers.get("If-Match", "")
        if wanted and wanted != _etag(record):
            return outcome(412, "conflict", "If-Match no es la versión vigente.")
        if record.versions[-1] != content:
            record.versions.append(content)
        return _shown(record, 200, self._state.url)


def _content() -> Mapping[str, Any] | None:
    try:
        content = json.loads(request.get_data())
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _etag(record: Record) -> str:
    return f'W/"{len(record.versions)}"'


def _shown(record: Record, status: int, base: str) -> Response:
    version = len(record.versions)
    meta = {"versionId": str(version)}
    answer = jsonify(dict(record.versions[-1]) | {"id": record.id, "meta": meta})
    answer.status_code, answer.mimetype = status, "application/fhir+json"
    answer.headers["ETag"] = _etag(record)
    answer.headers["Location"] = f"{base}/fhir/Patient/{record.id}/_history/{version}"
    answer.headers["DPoP-Nonce"] = NONCE
    return answer


def _challenge(error: str) -> Response:
    text = f'DPoP algs="ES256 PS256 EdDSA", error="{error}"'
    return outcome(401, "login", "Hace falta un token vigente y la prueba de su clave.",
                   WWW_Authenticate=text, DPoP_Nonce=NONCE)  # fmt: skip
