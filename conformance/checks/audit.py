"""The trace an access leaves at the candidate, as far as it can be asked for (FHIR AuditEvent, IHE BALP, ITI-81)."""

import json
from datetime import UTC, datetime
from typing import Any

from conformance.bench import Bench
from conformance.checks.refusals import refused
from conformance.checks.search import declares, invalid
from conformance.gateway import REGISTRO
from conformance.lines import Finding, Line, Part, Untested, broken, held
from conformance.sections import Section
from conformance.tokens import ACTOR

AUDIT = Section("Trazabilidad", Part.SERVER)
SCOPE = "patient/AuditEvent.rs"
NORM = "IHE BALP; IHE ITI-81; Ley 30024, trazabilidad del SIHCE (Directiva 373-MINSA/OGTI-2025)"
SECONDS = 5.0
NONE = "Ningún AuditEvent después del acceso."


def _events(bench: Bench, patient: str, since: str) -> list[dict[str, Any]]:
    parameters = [("patient.identifier", f"{REGISTRO}|{patient}"), ("date", f"ge{since}")]
    found = bench.gateway.get("/AuditEvent", parameters, bench.token(patient, SCOPE)).resources
    return [one for one in found if one.get("resourceType") == "AuditEvent"]


def _after_access(bench: Bench) -> list[dict[str, Any]]:
    """The events an access leaves within seconds; raises Untested where the candidate offers none."""
    if not declares(bench, "AuditEvent"):
        raise Untested("El candidato no ofrece AuditEvent por FHIR.")
    if bench.traces is not None:
        return bench.traces
    patient = bench.patient()
    since = datetime.now(UTC).replace(microsecond=0).isoformat()
    bench.search(bench.kind(patient), patient)
    found: list[dict[str, Any]] = []

    def arrived() -> bool:
        found[:] = _events(bench, patient, since)
        return bool(found)

    bench.until(arrived, min(SECONDS, bench.plan.wait))
    bench.traces = found
    return found


@AUDIT.line(
    Line(
        id="audit.offered",
        asked="Si el candidato muestra sus AuditEvent por FHIR.",
        norm=NORM,
        mandatory=False,
        expected="search-type de AuditEvent en el CapabilityStatement",
        mend="Ofrezca GET /AuditEvent?patient.identifier=…&date=ge… con el scope patient/AuditEvent.rs; si no, muestre "
        "su registro de accesos a quien acredita.",
    )
)
def offered(bench: Bench) -> Finding:
    """Only then can the kit see it."""
    return held("lo declara") if declares(bench, "AuditEvent") else broken("no lo declara")


@AUDIT.line(
    Line(
        id="audit.access",
        asked="El rastro de una búsqueda permitida.",
        norm=NORM,
        expected=f"un AuditEvent R4 válido en {SECONDS:.0f} s",
        mend="Escriba el AuditEvent antes de entregar la respuesta.",
    )
)
def access(bench: Bench) -> Finding:
    """No audit, no data."""
    events = _after_access(bench)
    if not events:
        return broken(NONE)
    wrong = invalid(events[0])
    return broken(f"no es FHIR R4 válido: {wrong}") if wrong else held(f"{len(events)} AuditEvent")


@AUDIT.line(
    Line(
        id="audit.who",
        asked="Quién leyó y para qué, en ese rastro.",
        norm=NORM,
        expected=f"el profesional del token ({ACTOR}) y su finalidad (TREAT)",
        mend="Copie act.sub y purpose_of_use del token al AuditEvent.",
    )
)
def who(bench: Bench) -> Finding:
    """The token says it."""
    events = _after_access(bench)
    if not events:
        raise Untested(NONE)
    text = json.dumps(events, ensure_ascii=False)
    lacking = [word for word in (ACTOR, "TREAT") if word not in text]
    return broken(f"falta {', '.join(lacking)}") if lacking else held(f"{ACTOR}, TREAT")


@AUDIT.line(
    Line(
        id="audit.only-own",
        asked="Los rastros de otro paciente.",
        norm=NORM,
        expected="ninguno",
        mend="El rastro también es de un paciente: búsquelo por el id del token.",
    )
)
def only_own(bench: Bench) -> Finding:
    """A trace tells as much as a record."""
    if not declares(bench, "AuditEvent"):
        raise Untested("El candidato no ofrece AuditEvent por FHIR.")
    mine, other = bench.two_patients()
    answer = bench.gateway.get("/AuditEvent", [("patient.identifier", f"{REGISTRO}|{other}")], bench.token(mine, SCOPE))
    return held(str(answer)) if not answer.resources and answer.status < 500 else broken(str(answer))


@AUDIT.line(
    Line(
        id="audit.kept",
        asked="Borrar un AuditEvent.",
        norm=NORM,
        expected="403 o 405",
        mend="El registro de accesos sólo crece.",
    )
)
def kept(bench: Bench) -> Finding:
    """It only grows."""
    events = _after_access(bench)
    if not events:
        raise Untested(NONE)
    path = f"/AuditEvent/{events[0].get('id')}"
    token = bench.token(bench.patient(), "patient/AuditEvent.rs patient/AuditEvent.cruds")
    return refused(bench.gateway.send("DELETE", path, token=token), {401, 403, 405})
