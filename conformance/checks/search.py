"""The searches the gateway makes, as it makes them, and what it must be able to read."""

from collections.abc import Callable, Mapping
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from conformance.bench import Bench
from conformance.gateway import Answer, about
from conformance.lines import Finding, Line, Part, Untested, broken, doubtful, held
from conformance.sections import Section
from conformance.tokens import TYPES

SEARCH = Section("Búsqueda FHIR", Part.SERVER)


def invalid(resource: Mapping[str, Any]) -> str | None:
    """Why a resource is not FHIR R4; None when it is. Names the elements and shows no value."""
    try:
        get_fhir_model_class(str(resource.get("resourceType"))).model_validate(dict(resource))
    except ValidationError as error:
        places = {".".join(map(str, one["loc"])) for one in error.errors()}
        return ", ".join(sorted(places)[:5])
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return type(error).__name__
    return None


def unreadable(answer: Answer, kind: str) -> str | None:
    """Why the gateway can't take an answer; None when it can."""
    body = answer.json
    if answer.status != 200:
        return str(answer)
    if answer.media_type != "application/fhir+json":
        return f"Content-Type {answer.media_type or 'ausente'}"
    if answer.headers.get("content-encoding", "identity") != "identity":
        return "respuesta comprimida aunque se pidió identity"
    if not isinstance(body, dict) or body.get("resourceType") != "Bundle" or body.get("type") != "searchset":
        return "no es un Bundle searchset"
    others = {one.get("resourceType") for one in answer.resources} - {kind}
    return f"trae también {', '.join(map(str, others))}" if others else None


def _search(kind: str) -> Callable[[Bench], Finding]:
    def check(bench: Bench) -> Finding:
        answers = [bench.answers(patient)[kind] for patient in bench.patients[:2]]
        faults = [fault for answer in answers if (fault := unreadable(answer, kind))]
        if not answers or faults:
            return broken(faults[0] if faults else "no hay pacientes de prueba")
        wrong = next((fault for answer in answers if (fault := invalid(answer.json))), None)
        if wrong:
            return broken(f"no es FHIR R4 válido: {wrong}")
        return held(f"HTTP 200, {sum(len(answer.resources) for answer in answers)} recursos de dos pacientes")

    return check


for _kind in TYPES:
    SEARCH.line(
        Line(
            id=f"search.{_kind}",
            asked=f"GET /{_kind}?patient.identifier={{registro|id}}&_count=500.",
            norm="FHIR R4 §3.1.1, §3.1.1.3",
            expected="200, application/fhir+json, un Bundle searchset R4 válido, aunque sea vacío",
            mend="El registro pide los cinco tipos a cada uno: conteste un Bundle vacío donde no guarda nada.",
        )
    )(_search(_kind))


@SEARCH.line(
    Line(
        id="search.by-form",
        asked="La misma búsqueda por POST /{Tipo}/_search.",
        norm="FHIR R4 §3.1.1.2",
        mandatory=False,
        expected="lo mismo que por GET",
        mend="Acepte _search con application/x-www-form-urlencoded.",
    )
)
def by_form(bench: Bench) -> Finding:
    """Keeps the patient's handle out of logs."""
    patient = bench.patient()
    kind = bench.kind(patient)
    answer = bench.gateway.send("POST", f"/{kind}/_search", token=bench.token(patient), data=dict(about(patient)))
    same = answer.status == 200 and len(answer.resources) == len(bench.answers(patient)[kind].resources)
    return held(str(answer)) if same else broken(str(answer))


@SEARCH.line(
    Line(
        id="search.read",
        asked="GET /{Tipo}/{id} de un recurso encontrado.",
        norm="FHIR R4 §3.1.0.1",
        mandatory=False,
        expected="200 y el mismo recurso",
        mend="Permita leer por id lo que la búsqueda devuelve.",
    )
)
def read(bench: Bench) -> Finding:
    """What is found can be read."""
    patient = bench.patient()
    resource = bench.records(patient)[0]
    answer = bench.gateway.get(f"/{resource['resourceType']}/{resource.get('id')}", token=bench.token(patient))
    body = answer.json
    same = answer.status == 200 and isinstance(body, dict) and body.get("id") == resource.get("id")
    return held(str(answer)) if same else broken(str(answer))


@SEARCH.line(
    Line(
        id="search.dated",
        asked="La fecha de cada recurso.",
        norm="RENHICE, docs/resource-server.md",
        mandatory=False,
        expected="recordedDate, period, occurrence…, según el tipo",
        mend="Lo que no tiene fecha se retiene siempre que el paciente limita por fechas.",
    )
)
def dated(bench: Bench) -> Finding:
    """An item of unknown date is of every date."""
    records = bench.records(bench.patient())
    without = [one for one in records if not any(_dates(one))]
    return broken(f"{len(without)} de {len(records)} sin fecha") if without else held(f"los {len(records)} la tienen")


def _dates(resource: dict[str, Any]) -> list[bool]:
    starts = ("recorded", "onset", "occurrence", "effective", "period", "dateAsserted", "lastOccurrence")
    return [name.startswith(starts) and bool(value) for name, value in resource.items()]


@SEARCH.line(
    Line(
        id="search.not-stored",
        asked="Que nadie en el camino guarde la respuesta.",
        norm="RFC 9111 §5.2.2.5; RFC 6750 §5.2",
        mandatory=False,
        expected="Cache-Control: no-store",
        mend="Añada Cache-Control: no-store a lo que entrega.",
    )
)
def not_stored(bench: Bench) -> Finding:
    """Of a patient's records."""
    patient = bench.patient()
    said = bench.search(bench.kind(patient), patient).headers.get("cache-control", "")
    return held(said) if "no-store" in said else broken(said or "sin Cache-Control")


CAPABILITY = Section("Lo que el servidor dice de sí", Part.SERVER)


@CAPABILITY.line(
    Line(
        id="capability.statement",
        asked="GET /metadata, sin token.",
        norm="FHIR R4 §3.1.0.16",
        expected="200, application/fhir+json, un CapabilityStatement R4 válido de fhirVersion 4.0.1",
        mend="Publique su CapabilityStatement sin exigir token.",
    )
)
def statement(bench: Bench) -> Finding:
    """Anyone may read it."""
    answer = bench.gateway.get("/metadata")
    body = answer.json
    if answer.status != 200 or not isinstance(body, dict) or body.get("resourceType") != "CapabilityStatement":
        return broken(str(answer))
    bench.software = _name(body)
    wrong = invalid(body)
    if wrong:
        return broken(f"no es FHIR R4 válido: {wrong}")
    if not str(body.get("fhirVersion", "")).startswith("4.0"):
        return broken(f"fhirVersion {body.get('fhirVersion')}")
    plain = answer.media_type == "application/fhir+json"
    return held(f"HTTP 200, {bench.software}") if plain else doubtful(f"Content-Type {answer.media_type}")


def _name(statement: Mapping[str, Any]) -> str:
    software, implementation = statement.get("software"), statement.get("implementation")
    named = [part.get(key) for part, key in ((software, "name"), (software, "version"), (implementation, "description"))
             if isinstance(part, dict) and part.get(key)]  # fmt: skip
    return " ".join(map(str, named)) or "sin nombre"


@CAPABILITY.line(
    Line(
        id="capability.types",
        asked="Que la declaración nombre lo que la pasarela pide.",
        norm="FHIR R4 §5.2",
        expected=f"search-type de {', '.join(TYPES)}",
        mend="Declare cada tipo con search-type y el parámetro patient.",
    )
)
def types(bench: Bench) -> Finding:
    """What it does is what it says."""
    lacking = [kind for kind in TYPES if not declares(bench, kind)]
    return broken(f"no declara {', '.join(lacking)}") if lacking else held("los cinco")


@CAPABILITY.line(
    Line(
        id="capability.security",
        asked="Que la declaración diga cómo se entra.",
        norm="FHIR R4 §6.1.3",
        mandatory=False,
        expected="rest.security.service OAuth o SMART-on-FHIR",
        mend="Declare rest.security.service.",
    )
)
def security(bench: Bench) -> Finding:
    """How one is let in."""
    codes = [coding.get("code") for rest in _rests(bench) for service in (rest.get("security") or {}).get("service", [])
             for coding in service.get("coding", [])]  # fmt: skip
    return held(", ".join(map(str, codes))) if codes else broken("no lo dice")


def declares(bench: Bench, kind: str) -> bool:
    """Whether the candidate's CapabilityStatement says that it searches a type."""
    return any(
        interaction.get("code") == "search-type"
        for rest in _rests(bench)
        for resource in rest.get("resource", [])
        if resource.get("type") == kind
        for interaction in resource.get("interaction", [])
    )


def _rests(bench: Bench) -> list[dict[str, Any]]:
    body = bench.gateway.get("/metadata").json
    if not isinstance(body, dict) or invalid(body) is not None:
        raise Untested("No hay un CapabilityStatement válido que mirar.")
    found: list[dict[str, Any]] = body.get("rest", [])
    return found
