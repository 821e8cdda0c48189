"""Where the candidate takes security events: the registry's it accepts, nobody else's (RFC 8417, RFC 8935)."""

import time
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from conformance.bench import Bench
from conformance.lines import Finding, Line, Part, broken, held
from conformance.registry.keys import make_key, sign
from conformance.sections import Section

EVENTS = Section("Avisos de revocación", Part.EVENTS)
KIND = "https://www.gob.pe/minsa/RENHICE/fhir/events/tokens-revoked"
TYPE = "application/secevent+jwt"


def _event(bench: Bench, **changes: Any) -> Mapping[str, Any]:
    now = int(time.time())
    claims = {"iss": bench.state.url, "aud": bench.state.audience, "iat": now, "jti": str(uuid.uuid4()), "toe": now}
    content = {"sub_id": {"format": "opaque", "id": "conformance"}, "events": {KIND: {"tokens": [str(uuid.uuid4())]}}}
    return {**claims, **content, **changes}


def _push(bench: Bench, content: str) -> int | str:
    address = str(bench.plan.events)
    try:
        return httpx.post(
            address, content=content, headers={"Content-Type": TYPE}, timeout=10, verify=bench.gateway.verify
        ).status_code
    except httpx.HTTPError as error:
        return f"sin respuesta ({type(error).__name__})"


@EVENTS.line(
    Line(
        id="event.accepted",
        asked="Un aviso del registro.",
        norm="RFC 8935 §2.2",
        expected="202",
        mend="Conteste 202, sin cuerpo, a un aviso bien firmado para usted.",
    )
)
def accepted(bench: Bench) -> Finding:
    """Also one that names tokens it has never seen."""
    status = _push(bench, sign(bench.state.key, _event(bench), "secevent+jwt"))
    return held("202") if status == 202 else broken(str(status))


@EVENTS.line(
    Line(
        id="event.forged",
        asked="Un aviso firmado por otro, uno para otro y uno que no es un aviso.",
        norm="RFC 8935 §2.3; RFC 8417 §4.1",
        expected="400",
        mend="Verifique firma, typ, iss y aud como en un token.",
    )
)
def forged(bench: Bench) -> Finding:
    """What anybody could send would be a way to blind the guard."""
    statuses = {
        "de otro": _push(bench, sign(make_key(), _event(bench), "secevent+jwt", kid=bench.state.key.kid)),
        "para otro": _push(
            bench, sign(bench.state.key, _event(bench, aud="https://otro.example/fhir"), "secevent+jwt")
        ),
        "de otro tipo": _push(bench, sign(bench.state.key, _event(bench), "JWT")),
        "basura": _push(bench, "no.es.un-aviso"),
    }
    seen = ", ".join(f"{name} {status}" for name, status in statuses.items())
    right = all(isinstance(status, int) and 400 <= status < 500 for status in statuses.values())
    return held(seen) if right else broken(seen)
