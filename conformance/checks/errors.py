"""How the candidate fails: in FHIR's words, without telling of its inside, and never by breaking."""

import re
from collections.abc import Iterator

from conformance.bench import Bench
from conformance.gateway import Answer, about
from conformance.lines import Finding, Line, Part, broken, doubtful, held
from conformance.sections import Section

ERRORS = Section("Errores y basura", Part.SERVER)
TOLD = re.compile(
    rb"Traceback \(most recent|\bat [\w.$]+\([\w]+\.java:\d+\)|Exception in|SQLSTATE|/site-packages/|\.cs:line \d+"
)
SLOW = 8.0


@ERRORS.line(
    Line(
        id="error.outcome",
        asked="La forma de las negativas: sin token, otro tipo, un id que no existe.",
        norm="FHIR R4 §3.1.0.1.5",
        expected="OperationOutcome en application/fhir+json",
        mend="Conteste cada error con un OperationOutcome.",
    )
)
def outcome(bench: Bench) -> Finding:
    """What a program can read."""
    patient = bench.patient()
    kind = bench.kind(patient)
    answers = {
        "sin token": bench.gateway.get(f"/{kind}", about(patient)),
        "tipo que no hay": bench.gateway.get("/Nada", about(patient), bench.token(patient)),
        "id que no hay": bench.gateway.get(f"/{kind}/conformance-nobody", token=bench.token(patient)),
    }
    wrong = [f"{name}: {answer}" for name, answer in answers.items() if not _is_outcome(answer)]
    return (
        broken("; ".join(wrong)) if wrong else held("; ".join(f"{name} {one.status}" for name, one in answers.items()))
    )


def _is_outcome(answer: Answer) -> bool:
    body = answer.json
    named = isinstance(body, dict) and body.get("resourceType") == "OperationOutcome"
    return answer.status >= 400 and named and answer.media_type == "application/fhir+json"


@ERRORS.line(
    Line(
        id="error.garbage",
        asked="Peticiones rotas: bytes que no son UTF-8, números enormes, rutas torcidas, cuerpos profundos.",
        norm="OWASP ASVS 5.0 V2; FHIR R4 §3.1.0.1.5",
        expected="4xx, o un Bundle que no trae de más; nunca 5xx ni silencio",
        mend="Valide lo que entra, ponga límites de tamaño y conteste 400 a lo que no entiende.",
    )
)
def garbage(bench: Bench) -> Finding:
    """Each answer is below 500, and the server still serves afterwards."""
    patient = bench.patient()
    kind = bench.kind(patient)
    broken_by = [f"{name}: {answer}" for name, answer in _garbage(bench, kind, patient) if answer.status >= 500]
    slow = [name for name, answer in _garbage_slow(bench, kind, patient) if answer.seconds > SLOW or not answer.status]
    if broken_by or slow:
        return broken("; ".join([*broken_by[:4], *(f"{name}: sin respuesta" for name in slow[:2])]))
    after = bench.search(kind, patient)
    return held("todas negadas o inocuas") if after.status == 200 else broken(f"después ya no atiende: {after}")


def _garbage(bench: Bench, kind: str, patient: str) -> Iterator[tuple[str, Answer]]:
    gateway, own = bench.gateway, about(patient)
    for name, path in (
        ("byte nulo", f"/{kind}/%00"), ("subir de carpeta", f"/{kind}/..%2f..%2f..%2fetc%2fpasswd"),
        ("no UTF-8", f"/{kind}?patient.identifier=%ff%fe%00"), ("ruta larga", f"/{kind}/{'a' * 4000}"),
        ("comilla", f"/{kind}/x'%20OR%20'1'%3D'1"), ("signo suelto", f"/{kind}?%&&==%zz"),
    ):  # fmt: skip
        yield name, gateway.get(path, token=bench.token(patient))
    for count in ("-1", "999999999999999999999", "abc", "", "٣"):
        yield f"_count={count[:12]}", gateway.get(f"/{kind}", [*own[:1], ("_count", count)], bench.token(patient))
    yield "mil parámetros", gateway.get(f"/{kind}", [*own, *[("x", "1")] * 300], bench.token(patient))
    yield "método", gateway.send("PROPFIND", f"/{kind}", own, token=bench.token(patient))
    yield "Accept", gateway.send("GET", f"/{kind}", own, token=bench.token(patient), headers={"Accept": "x/y;q=z"})


def _garbage_slow(bench: Bench, kind: str, patient: str) -> Iterator[tuple[str, Answer]]:
    """Bodies, where silence would tell; a header too large may be answered by closing the connection."""
    json_type = {"Content-Type": "application/json"}
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    for name, content, headers in (
        ("JSON profundo", b"[" * 20_000, json_type), ("formulario roto", b"%zz=%ff&&&", form_type),
        ("formulario sin fin", b"a=" + b"b" * 60_000, form_type),
    ):  # fmt: skip
        answer = bench.gateway.send(
            "POST", f"/{kind}/_search", token=bench.token(patient), content=content, headers=headers
        )
        yield name, Answer(0, fault=str(answer)) if answer.status >= 500 else answer


@ERRORS.line(
    Line(
        id="error.disclosure",
        asked="Que los errores no cuenten el interior del sistema.",
        norm="OWASP ASVS 5.0 V16.5.1",
        expected="ni trazas ni consultas",
        mend="Apague los mensajes de depuración.",
    )
)
def disclosure(bench: Bench) -> Finding:
    """No traces, no queries."""
    patient = bench.patient()
    kind = bench.kind(patient)
    telling = [name for name, answer in _garbage(bench, kind, patient) if TOLD.search(answer.content)]
    return broken(f"trazas ante: {', '.join(telling)}") if telling else held("ninguna traza")


@ERRORS.line(
    Line(
        id="error.alike",
        asked="Que un recurso ajeno y uno que no existe se vean igual.",
        norm="OWASP ASVS 5.0 V8.2",
        mandatory=False,
        expected="el mismo estado",
        mend="Conteste 404 en los dos casos.",
    )
)
def alike(bench: Bench) -> Finding:
    """Else it tells who has been where."""
    mine, other = bench.two_patients()
    resource = bench.records(other)[0]
    kind = resource["resourceType"]
    theirs = bench.gateway.get(f"/{kind}/{resource.get('id')}", token=bench.token(mine)).status
    nobody = bench.gateway.get(f"/{kind}/00000000-0000-4000-8000-000000000000", token=bench.token(mine)).status
    seen = f"ajeno {theirs}, inexistente {nobody}"
    return held(seen) if theirs == nobody else doubtful(seen)
