"""Whoever shows a token must hold the key it is bound to (RFC 9449)."""

import time
from collections.abc import Callable

from conformance.bench import Bench
from conformance.checks.refusals import refused
from conformance.gateway import Gateway, about
from conformance.lines import Finding, Line, Part, broken, doubtful, held
from conformance.registry.keys import make_key
from conformance.sections import Section

PROOFS = Section("Prueba de la clave (DPoP)", Part.SERVER)
MEND = "Verifique la prueba como RFC 9449 §4.3 pide: "
Make = Callable[[Gateway, str, str], str]
WRONG: tuple[tuple[str, str, str, str, Make], ...] = (
    ("proof.other-key", "Una prueba bien hecha con otra clave que la del token.", "RFC 9449 §4.3 (12), §6.1",
     "la huella de su clave debe ser cnf.jkt del token.",
     lambda gateway, path, token: gateway.proof("GET", path, token, make_key())),
    ("proof.other-method", "Una prueba para otro método.", "RFC 9449 §4.3 (8)", "htm debe ser el método de la llamada.",
     lambda gateway, path, token: gateway.proof("GET", path, token, htm="POST")),
    ("proof.other-address", "Una prueba para otra dirección.", "RFC 9449 §4.3 (9)",
     "htu debe ser la dirección de la llamada, sin parámetros.",
     lambda gateway, path, token: gateway.proof("GET", path, token, htu="https://otro.example/fhir/Condition")),
    ("proof.other-token", "Una prueba para otro token.", "RFC 9449 §4.3 (12)", "ath debe ser la huella del token.",
     lambda gateway, path, token: gateway.proof("GET", path, token, ath="A" * 43)),
    ("proof.old", "Una prueba de hace una hora.", "RFC 9449 §4.3 (11), §11.1", "acepte iat de hace un minuto a lo más.",
     lambda gateway, path, token: gateway.proof("GET", path, token, iat=int(time.time()) - 3600)),
    ("proof.garbage", "Lo que no es una prueba.", "RFC 9449 §4.3", "lo que no se puede leer no prueba nada.",
     lambda _gateway, _path, _token: "no.es.una-prueba"),
)  # fmt: skip


@PROOFS.line(
    Line(
        id="proof.missing",
        asked="Un token bueno por el esquema DPoP, sin la prueba.",
        norm="RFC 9449 §4.3 (1), §7.1",
        expected="401",
        mend=MEND + "sin la cabecera DPoP no hay acceso.",
    )
)
def missing(bench: Bench) -> Finding:
    """A stolen token opens nothing."""
    patient = bench.patient()
    headers = {"Authorization": f"DPoP {bench.token(patient)}"}
    return refused(bench.gateway.plain("GET", f"/{bench.kind(patient)}", about(patient), headers=headers))


def _wrong(make: Make) -> Callable[[Bench], Finding]:
    def check(bench: Bench) -> Finding:
        patient = bench.patient()
        path, token = f"/{bench.kind(patient)}", bench.token(patient)
        headers = {"Authorization": f"DPoP {token}", "DPoP": make(bench.gateway, path, token)}
        return refused(bench.gateway.plain("GET", path, about(patient), headers=headers))

    return check


for _id, _asked, _norm, _mend, _make in WRONG:
    PROOFS.line(Line(id=_id, asked=_asked, norm=_norm, expected="401", mend=MEND + _mend))(_wrong(_make))


@PROOFS.line(
    Line(
        id="proof.replayed",
        asked="La misma llamada dos veces, con la misma prueba.",
        norm="RFC 9449 §11.1",
        expected="200 y después 401",
        mend=MEND + "recuerde el jti de cada prueba por un minuto; con varios procesos, entre todos.",
    )
)
def replayed(bench: Bench) -> Finding:
    """What is overheard can't be said again."""
    patient = bench.patient()
    kind = bench.kind(patient)
    token = bench.token(patient)
    bench.search(kind, patient, token)  # so that the nonce in hand is a fresh one
    headers = {"Authorization": f"DPoP {token}", "DPoP": bench.gateway.proof("GET", f"/{kind}", token)}
    first = bench.gateway.plain("GET", f"/{kind}", about(patient), headers=headers)
    if first.status != 200:
        return broken(f"la primera vez: {first}")
    return refused(bench.gateway.plain("GET", f"/{kind}", about(patient), headers=headers))


@PROOFS.line(
    Line(
        id="proof.nonce",
        asked="Una prueba sin nonce del candidato.",
        norm="RFC 9449 §9; FAPI 2.0 §5.3.4",
        mandatory=False,
        expected="401 con error use_dpop_nonce y la cabecera DPoP-Nonce",
        mend="Ofrezca un nonce y exíjalo: así nadie prepara pruebas de antemano.",
    )
)
def nonce(bench: Bench) -> Finding:
    """Recommended: the gateway repeats the call with whatever nonce is named."""
    patient = bench.patient()
    path, token = f"/{bench.kind(patient)}", bench.token(patient)
    headers = {"Authorization": f"DPoP {token}", "DPoP": bench.gateway.proof("GET", path, token, nonce=None)}
    answer = bench.gateway.plain("GET", path, about(patient), headers=headers)
    if answer.status != 401:
        return broken(str(answer))
    offered = "use_dpop_nonce" in answer.headers.get("www-authenticate", "") and "dpop-nonce" in answer.headers
    return held("HTTP 401, use_dpop_nonce") if offered else doubtful("HTTP 401 sin use_dpop_nonce o sin DPoP-Nonce")
