"""How long a search takes, in percentiles."""

from statistics import quantiles

from conformance.bench import Bench
from conformance.lines import Finding, Line, Part, broken, held
from conformance.sections import Section

LATENCY = Section("Tiempos", Part.SERVER)


@LATENCY.line(
    Line(
        id="latency.search",
        asked="La búsqueda de un tipo, muchas veces seguidas.",
        norm="RENHICE: la pasarela espera 5 s a cada establecimiento",
        expected="percentil 95 bajo el límite dado, y todas con 200",
        mend="Mida dónde se va el tiempo: una respuesta tardía llega al médico como «no contestó».",
    )
)
def search(bench: Bench) -> Finding:
    """A token and a proof of their own each, as the gateway's."""
    patient = bench.patient()
    kind = bench.kind(patient)
    answers = [bench.search(kind, patient) for _ in range(max(2, bench.plan.samples))]
    failed = [answer for answer in answers if answer.status != 200]
    cuts = quantiles([answer.seconds * 1000 for answer in answers], n=100, method="inclusive")
    bench.latencies.update(
        {"p50": round(cuts[49]), "p95": round(cuts[94]), "p99": round(cuts[98]), "samples": len(answers)}
    )
    seen = f"{len(answers)} búsquedas: p50 {cuts[49]:.0f} ms, p95 {cuts[94]:.0f} ms, p99 {cuts[98]:.0f} ms"
    if failed:
        return broken(f"{seen}; {len(failed)} fallaron ({failed[0]})")
    within = cuts[94] <= bench.plan.p95_ms
    return (
        held(f"{seen}; límite {bench.plan.p95_ms} ms") if within else broken(f"{seen}; límite {bench.plan.p95_ms} ms")
    )
