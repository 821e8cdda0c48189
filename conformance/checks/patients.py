"""A token is for one patient: nobody else's records come with it, however the search is put."""

from typing import Any

from conformance.bench import Bench
from conformance.checks.refusals import REFUSED, refused, yields_nothing
from conformance.gateway import REGISTRO, Parameters, about
from conformance.lines import Finding, Line, Part, Untested, broken, held
from conformance.sections import Section

PATIENTS = Section("Un token, un paciente", Part.SERVER)
MEND = "Busque al paciente sólo por el id del token, y niegue la búsqueda que nombre a otro o a ninguno."
REACHING = (("_include", "*"), ("_revinclude", "Provenance:target"), ("_has:Group:member:_id", "x"))


@PATIENTS.line(
    Line(
        id="patient.two",
        asked="Dos pacientes de prueba de los que el candidato guarda algo.",
        norm="RENHICE, guía del kit",
        expected="recursos de los dos",
        mend="Registre dos pacientes de prueba con alergias, medicación o atenciones.",
    )
)
def two(bench: Bench) -> Finding:
    """Without data nothing can leak, and nothing is proved."""
    try:
        first, second = bench.two_patients()
    except Untested as reason:
        return broken(str(reason))
    return held(f"{len(bench.records(first))} y {len(bench.records(second))} recursos")


@PATIENTS.line(
    Line(
        id="patient.other-search",
        asked="Buscar a otro paciente con un token bueno.",
        norm="IHE ITI-72; IHE PCF; RFC 6750 §3.1",
        expected="403",
        mend=MEND,
    )
)
def other_search(bench: Bench) -> Finding:
    """Every way to name the other one."""
    mine, other = bench.two_patients()
    kind = bench.kind(other)
    named = (about(other), [("patient", other)], [("patient", f"Patient/{other}")], [("subject", other)])
    return _none(bench, kind, mine, *named)


@PATIENTS.line(
    Line(
        id="patient.both",
        asked="Nombrar a la vez al paciente del token y a otro.",
        norm="IHE ITI-72; RFC 6750 §3.1",
        expected="403",
        mend=MEND,
    )
)
def both(bench: Bench) -> Finding:
    """Neither the first nor the last one counts: all must be the token's."""
    mine, other = bench.two_patients()
    twice = [("patient.identifier", f"{REGISTRO}|{mine}"), ("patient.identifier", f"{REGISTRO}|{other}")]
    listed = [("patient.identifier", f"{REGISTRO}|{mine},{REGISTRO}|{other}")]
    return _none(bench, bench.kind(other), mine, twice, twice[::-1], listed)


@PATIENTS.line(
    Line(
        id="patient.other-read",
        asked="Leer por su id un recurso de otro paciente.",
        norm="IHE ITI-72; FHIR R4 §3.1.0.1",
        expected="404, como si no existiera",
        mend="Antes de entregar un recurso por su id mire de quién es.",
    )
)
def other_read(bench: Bench) -> Finding:
    """What nobody may read looks like nothing."""
    mine, other = bench.two_patients()
    resource = bench.records(other)[0]
    path = f"/{resource['resourceType']}/{resource.get('id')}"
    own = bench.gateway.get(path, token=bench.token(other))
    finding = refused(bench.gateway.get(path, token=bench.token(mine)), {403, 404})
    return finding if own.status == 200 else held(f"{finding.seen}; al dueño tampoco se le lee por id ({own})")


@PATIENTS.line(
    Line(
        id="patient.unnamed",
        asked="Buscar sin decir de quién.",
        norm="IHE ITI-72; FHIR R4 §3.1.1",
        expected="403 o 400",
        mend=MEND,
    )
)
def unnamed(bench: Bench) -> Finding:
    """Nor may it mean everybody: what comes, if anything, is the token's patient alone."""
    mine, other = bench.two_patients()
    answer = bench.gateway.get(f"/{bench.kind(other)}", token=bench.token(mine))
    if answer.status == 200 and not _strangers(bench, answer.resources, mine):
        return held(f"{answer}; todo del paciente del token")
    return refused(answer, {400, 403})


@PATIENTS.line(
    Line(
        id="patient.reaching",
        asked="Alcanzar más con _include, _revinclude o _has.",
        norm="FHIR R4 §3.1.1.5; SMART App Launch 2.2 §3",
        expected="400 o 403, o sin nada más",
        mend="Niegue los parámetros que alcanzan a otros recursos.",
    )
)
def reaching(bench: Bench) -> Finding:
    """The scope covers one type."""
    patient = bench.patient()
    kind = bench.kind(patient)
    token = bench.token(patient, f"patient/{kind}.rs")
    for parameter in REACHING:
        answer = bench.gateway.get(f"/{kind}", [*about(patient), parameter], token)
        more = [one for one in answer.resources if one.get("resourceType") != kind]
        if more or (answer.status != 200 and answer.status not in REFUSED):
            return broken(f"{parameter[0]}: {answer}, {len(more)} de otro tipo")
    return held("ninguno alcanzó a otro tipo")


@PATIENTS.line(
    Line(
        id="patient.only-own",
        asked="De quién es cada recurso que la búsqueda devuelve.",
        norm="FHIR R4 (subject, patient); RENHICE",
        expected="una referencia al paciente del token, por su id del registro",
        mend="Ponga en subject o patient la referencia por identifier (sistema registro, id del token) o Patient/{id}.",
    )
)
def only_own(bench: Bench) -> Finding:
    """The reference both sides share."""
    for patient in bench.two_patients():
        strangers = _strangers(bench, bench.records(patient), patient)
        if strangers:
            kinds = ", ".join(sorted({str(one.get("resourceType")) for one in strangers}))
            return broken(f"{len(strangers)} recursos no dicen que son de ese paciente ({kinds})")
    return held("todos")


def _none(bench: Bench, kind: str, mine: str, *searches: Parameters) -> Finding:
    """Whatever the way of asking, nothing comes; the first answer that is not so is shown."""
    findings = [
        yields_nothing(bench.gateway.get(f"/{kind}", one, bench.token(mine)), {400, 403, 404}) for one in searches
    ]
    return next((one for one in findings if one.status != "passed"), findings[0])


def _strangers(bench: Bench, resources: list[dict[str, Any]], patient: str) -> list[dict[str, Any]]:
    accepted = {patient, f"Patient/{patient}", f"{bench.plan.base}/Patient/{patient}"}
    return [one for one in resources if _named(one) not in accepted]


def _named(resource: dict[str, Any]) -> str:
    reference = resource.get("subject") or resource.get("patient") or {}
    if not isinstance(reference, dict):
        return ""
    identifier = reference.get("identifier")
    if isinstance(identifier, dict) and identifier.get("system") == REGISTRO:
        return str(identifier.get("value"))
    return str(reference.get("reference", ""))
