"""How the candidate feeds the registry with its patients (IHE PIXm ITI-104), while the registry stumbles."""

import re
from collections.abc import Callable, Sequence

from conformance.bench import Bench
from conformance.checks.search import invalid
from conformance.gateway import REGISTRO
from conformance.lines import Finding, Line, Part, Untested, broken, doubtful, held
from conformance.registry.state import Submission
from conformance.sections import Section

FEED = Section("Registro de pacientes", Part.FEED)
NORM = "IHE PIXm ITI-104; FHIR R4 §3.1.0.4.3"
DOCUMENTS = re.compile(
    r"/NamingSystem/(dni|carne-extranjeria|ptp|cnv)$|passport|2\.16\.840\.1\.113883\.4\.904", re.IGNORECASE
)
RETRY_AFTER = 0.9
"""The kit says Retry-After: 1; clocks round."""

CONFIRMED = frozenset({200, 201})
AGAIN = "Guarde lo no confirmado y envíelo otra vez, espaciando los intentos y respetando Retry-After."


def _stored(bench: Bench) -> list[Submission]:
    return [one for one in bench.state.submissions if one.status in CONFIRMED]


def _act(bench: Bench, name: str, done: Callable[[], bool]) -> list[Submission]:
    """Have something done, wait until it is or the time is over, and return the calls it led to."""
    before = len(bench.state.submissions)
    bench.act(name)
    bench.until(done, bench.plan.wait)
    return list(bench.state.submissions[before:])


@FEED.line(
    Line(
        id="feed.registers",
        asked="Registrar dos pacientes de prueba o más: PUT /fhir/Patient?identifier=sistema|número.",
        norm=NORM,
        expected="dos confirmados o más",
        mend="Apunte el registro de su sistema al kit y envíe sus pacientes de prueba.",
    )
)
def registers(bench: Bench) -> Finding:
    """Two, so that there is somebody else; the kit makes the first calls fail."""
    records, calls = bench.state.records, bench.state.submissions
    _act(bench, "register", lambda: len(records) >= 2 and bench.quiet_since(calls[-1].at) and not _owing(bench))
    count = len(bench.state.records)
    return held(f"{count} pacientes") if count >= 2 else broken(f"{count} pacientes; faltas: {_faults(bench)}")


def _owing(bench: Bench) -> bool:
    """Whether a patient's last call failed: on a busy machine it comes again after the quiet that is waited for."""
    last = {one.identifier: one.status for one in bench.state.submissions}
    return any(status not in CONFIRMED for status in last.values())


def _faults(bench: Bench) -> str:
    return "; ".join(bench.state.faults) or "ninguna"


@FEED.line(
    Line(
        id="feed.proof",
        asked="La prueba de la clave en cada llamada, con el nonce que se le pide.",
        norm="RFC 9449 §4.3, §8, §9",
        expected="una prueba nueva por llamada, repetida con el nonce",
        mend="Repita la llamada con el DPoP-Nonce recibido (docs/integration.md, 2).",
    )
)
def proof(bench: Bench) -> Finding:
    """At the token endpoint and at the feed."""
    wrong = [fault for fault in bench.state.faults if fault.startswith("prueba")]
    return broken("; ".join(wrong)) if wrong or not bench.state.proved else held(f"{bench.state.proved} pruebas")


@FEED.line(
    Line(
        id="feed.patient",
        asked="Lo que se envía.",
        norm="FHIR R4 Patient; " + NORM,
        expected="un Patient R4 válido en application/fhir+json, con el identificador de la dirección",
        mend="Envíe en identifier el mismo sistema y número que en la dirección.",
    )
)
def patient(bench: Bench) -> Finding:
    """Each of them."""
    for one in _some(bench):
        content = one.content or {}
        system, _, value = one.identifier.partition("|")
        known = {
            (own.get("system"), own.get("value")) for own in content.get("identifier", []) if isinstance(own, dict)
        }
        if (wrong := invalid(content)) is not None:
            return broken(f"no es FHIR R4 válido: {wrong}")
        if (system, value) not in known:
            return broken("el identificador de la dirección no está en el recurso")
        if one.content_type.partition(";")[0].strip() != "application/fhir+json":
            return doubtful(f"Content-Type {one.content_type or 'ausente'}")
    return held(f"{len(_stored(bench))} envíos")


def _some(bench: Bench) -> Sequence[Submission]:
    stored = _stored(bench)
    if not stored:
        raise Untested("No se registró ningún paciente.")
    return stored


@FEED.line(
    Line(
        id="feed.no-document",
        asked="Que ningún documento de identidad viaje en la dirección.",
        norm="Ley 29733; RENHICE, docs/integration.md 4",
        expected="el número de historia del establecimiento",
        mend="Registre bajo su propio número de historia, nunca bajo el DNI.",
    )
)
def no_document(bench: Bench) -> Finding:
    """Addresses end up in logs."""
    wrong = [one for one in _some(bench) if DOCUMENTS.search(one.identifier.partition("|")[0])]
    return broken(f"{len(wrong)} direcciones con un documento") if wrong else held("ninguno")


@FEED.line(
    Line(
        id="feed.retries",
        asked="Un 503 con Retry-After: 1 al primer envío.",
        norm="RFC 9110 §10.2.3, §15.6.4; RENHICE: almacenar y reenviar",
        expected="el mismo paciente otra vez, no antes de un segundo",
        mend=AGAIN,
    )
)
def retries(bench: Bench) -> Finding:
    """Nothing is lost, and nobody is hammered."""
    refused, later = _after(bench, 503)
    if not later:
        return broken("no se volvió a enviar")
    waited = later[0].at - refused.at
    return (
        held(f"tras {waited:.1f} s") if waited >= RETRY_AFTER else doubtful(f"tras {waited:.1f} s, antes de lo pedido")
    )


@FEED.line(
    Line(
        id="feed.renews-token",
        asked="Un 401 (invalid_token) a mitad de camino.",
        norm="RFC 6750 §3.1",
        expected="un token nuevo y el mismo envío",
        mend="Ante un 401 pida otro token y repita.",
    )
)
def renews(bench: Bench) -> Finding:
    """Tokens end, also earlier than they said."""
    _, later = _after(bench, 401)
    done = [one for one in later if one.status in CONFIRMED]
    return held("confirmado después") if done else broken("no se volvió a enviar con otro token")


@FEED.line(
    Line(
        id="feed.repeats",
        asked="Un 504 después de guardar: la respuesta se pierde en el camino.",
        norm="RFC 9110 §9.2.2; " + NORM,
        expected="lo mismo otra vez, bajo el mismo número",
        mend=AGAIN + " El registro es idempotente: repetir no duplica.",
    )
)
def repeats(bench: Bench) -> Finding:
    """Same number, same content, same version."""
    lost, later = _after(bench, 504)
    if not later:
        return broken("no se volvió a enviar")
    same = later[0].content == lost.content
    return held("igual, sin versión nueva") if same else doubtful("con otro contenido")


def _after(bench: Bench, status: int) -> tuple[Submission, list[Submission]]:
    """The first call answered so, and what came later under the same number; raises Untested."""
    calls = bench.state.submissions
    place = next((index for index, one in enumerate(calls) if one.status == status), None)
    if place is None:
        raise Untested("No hubo ocasión: hacen falta dos pacientes de prueba.")
    return calls[place], [one for one in calls[place + 1 :] if one.identifier == calls[place].identifier]


@FEED.line(
    Line(
        id="feed.corrects",
        asked="Corregir los datos de un paciente de prueba.",
        norm=NORM,
        expected="un PUT bajo el mismo número, con lo nuevo",
        mend="Envíe otra vez el paciente cuando sus datos cambian, bajo el mismo número.",
    )
)
def corrects(bench: Bench) -> Finding:
    """A version more, of the same record."""
    before = {one.identifier: len(one.versions) for one in bench.state.known()}

    def grown() -> list[int]:
        now = {name: len(bench.state.records[name].versions) for name in before}
        return [count for name, count in now.items() if count > before[name]]

    calls = _act(bench, "correct", lambda: bool(grown()))
    if grown():
        return held(f"versión {grown()[0]}")
    return broken("ningún envío" if not calls else "ningún registro cambió")


@FEED.line(
    Line(
        id="feed.if-match",
        asked="La versión que el candidato dice corregir (If-Match), si la dice.",
        norm="FHIR R4 §3.1.0.5",
        mandatory=False,
        expected="la última que se le contestó (ETag)",
        mend="Guarde el ETag de cada respuesta.",
    )
)
def if_match(bench: Bench) -> Finding:
    """A wrong one is answered 412."""
    used = [one for one in bench.state.submissions if one.if_match]
    wrong = [one for one in used if one.status == 412]
    return (
        broken(f"{len(wrong)} de {len(used)} con otra versión")
        if wrong
        else held(f"{len(used)} usos" if used else "no lo usa")
    )


@FEED.line(
    Line(
        id="feed.resolves-duplicate",
        asked="Resolver dos números de un mismo paciente de prueba.",
        norm="IHE PIXm ITI-104 §2:3.104.4.2",
        mandatory=False,
        expected="active: false y link replaced-by al registro que queda",
        mend="Envíe el número que se deja con active false y link.type replaced-by.",
    )
)
def resolves(bench: Bench) -> Finding:
    """The surviving one is named by the id the registry gave, or by its number."""
    start = len(bench.state.submissions)
    calls = _act(bench, "resolve-duplicate", lambda: _resolved(bench, bench.state.submissions[start:]))
    if _resolved(bench, calls):
        return held("active false, replaced-by")
    return broken("ningún envío" if not calls else "sin active false y replaced-by a un registro conocido")


def _resolved(bench: Bench, calls: Sequence[Submission]) -> bool:
    """Whether one of them leaves a number for a record that is known."""
    replaced = [one for one in calls if one.content and one.content.get("active") is False]
    links = [link for one in replaced for link in (one.content or {}).get("link", []) if isinstance(link, dict)]
    return any(link.get("type") == "replaced-by" and _known(bench, link) for link in links)


def _known(bench: Bench, link: dict[str, object]) -> bool:
    other, ids = link.get("other"), {one.id for one in bench.state.known()}
    if not isinstance(other, dict):
        return False
    identifier = other.get("identifier")
    if isinstance(identifier, dict):
        named = f"{identifier.get('system')}|{identifier.get('value')}"
        return named in bench.state.records or named in {f"{REGISTRO}|{shared}" for shared in ids}
    return str(other.get("reference", "")).rpartition("/")[2] in ids
