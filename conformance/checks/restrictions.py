"""What a patient restricts travels in the token (IHE PCF `residual`), and the holder withholds it."""

from typing import Any

from conformance.bench import Bench
from conformance.checks.refusals import refused, yields_nothing
from conformance.gateway import Answer, about
from conformance.lines import Finding, Line, Part, Untested, broken, held
from conformance.sections import Section
from conformance.tokens import READ_ALL

RESTRICTIONS = Section("Lo que el paciente limita", Part.SERVER)
NORM = "IHE PCF (residual consent); Ley 29733 art. 13"
MEND = "Retire de la respuesta lo que extensions.ihe_pcf.residual prohíbe (la guarda lo hace): "
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
SENSITIVE = ("R", "ETH", "ETHUD", "OPIOIDUD", "PSY", "SDV", "HIV", "STD", "SEX", "GDIS", "ADOL")
EVER = {"start": "1900-01-01", "end": "2199-12-31"}
Rule = dict[str, Any]


def _ask(bench: Bench, patient: str, kind: str, rule: Rule) -> Answer:
    token = bench.forge.good(patient, READ_ALL, [{"type": "forbid"} | rule])
    return bench.gateway.get(f"/{kind}", about(patient), token)


@RESTRICTIONS.line(
    Line(
        id="residual.item",
        asked="Un recurso prohibido por su referencia.",
        norm=NORM,
        expected="los demás, y ése no",
        mend=MEND + "data con meaning dependents y la referencia Tipo/id: el recurso y lo que se refiera a él.",
    )
)
def item(bench: Bench) -> Finding:
    """The one goes, the others stay."""
    patient = bench.patient()
    records = bench.records(patient)
    kind, name = str(records[0]["resourceType"]), str(records[0].get("id"))
    answer = _ask(bench, patient, kind, _naming(kind, name))
    others = [one for one in records if one["resourceType"] == kind and f"{kind}/{name}" not in str(one)]
    expected = {one.get("id") for one in others} - {name}
    if answer.status != 200:
        return broken(str(answer))
    seen = {one.get("id") for one in answer.resources}
    return held(str(answer)) if seen == expected else broken(f"{answer}; se esperaban {len(expected)}")


def _naming(kind: str, name: str) -> Rule:
    return {"data": [{"meaning": "dependents", "reference": {"reference": f"{kind}/{name}"}}]}


@RESTRICTIONS.line(
    Line(
        id="residual.read",
        asked="Leer por su id un recurso prohibido.",
        norm=NORM,
        expected="404",
        mend=MEND + "también al leer.",
    )
)
def read(bench: Bench) -> Finding:
    """No way around the search."""
    patient = bench.patient()
    first = bench.records(patient)[0]
    kind, name = str(first["resourceType"]), str(first.get("id"))
    token = bench.forge.good(patient, READ_ALL, [{"type": "forbid"} | _naming(kind, name)])
    return refused(bench.gateway.get(f"/{kind}/{name}", token=token), {403, 404})


@RESTRICTIONS.line(
    Line(
        id="residual.period",
        asked="Todo lo de cualquier fecha, prohibido.",
        norm=NORM,
        expected="nada",
        mend=MEND + "dataPeriod en días de Lima; lo que no tiene fecha es de todas.",
    )
)
def period(bench: Bench) -> Finding:
    """Every date there is."""
    patient = bench.patient()
    return yields_nothing(_ask(bench, patient, bench.kind(patient), {"dataPeriod": EVER}), {403})


@RESTRICTIONS.line(
    Line(
        id="residual.class",
        asked="Un tipo entero, prohibido.",
        norm=NORM,
        expected="nada de ese tipo",
        mend=MEND + "class.",
    )
)
def of_class(bench: Bench) -> Finding:
    """Although the scope covers it."""
    patient = bench.patient()
    kind = bench.kind(patient)
    return yields_nothing(_ask(bench, patient, kind, {"class": [kind]}), {403})


@RESTRICTIONS.line(
    Line(
        id="residual.unknown",
        asked="Una regla de una clase que nadie conoce todavía.",
        norm=NORM,
        expected="nada",
        mend=MEND + "ante una regla que no entiende, retenga.",
    )
)
def unknown(bench: Bench) -> Finding:
    """Doubt withholds."""
    patient = bench.patient()
    token = bench.forge.good(patient, READ_ALL, [{"type": "prohibición-futura"}])
    return yields_nothing(bench.gateway.get(f"/{bench.kind(patient)}", about(patient), token), {403})


@RESTRICTIONS.line(
    Line(
        id="residual.label",
        asked="Lo reservado (meta.security), prohibido.",
        norm=NORM,
        mandatory=False,
        expected="los demás, y eso no",
        mend=MEND + "securityLabel; marque lo reservado en su origen.",
    )
)
def label(bench: Bench) -> Finding:
    """Only where the test data have something labelled."""
    labels = [{"system": CONFIDENTIALITY, "code": code} for code in SENSITIVE]
    for patient in bench.patients:
        marked = [one for one in bench.records(patient) if _codes(one) & set(SENSITIVE)]
        if marked:
            kind = str(marked[0]["resourceType"])
            answer = _ask(bench, patient, kind, {"securityLabel": labels})
            left = [one for one in answer.resources if _codes(one) & set(SENSITIVE)]
            return held(str(answer)) if answer.status == 200 and not left else broken(str(answer))
    raise Untested("Ningún recurso de prueba lleva meta.security.")


def _codes(resource: dict[str, Any]) -> set[str]:
    meta = resource.get("meta")
    security = meta.get("security") if isinstance(meta, dict) else None
    return {str(one.get("code")) for one in security or [] if isinstance(one, dict)}
