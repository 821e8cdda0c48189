"""Which tokens open the candidate's server, and which must not."""

import time
from collections.abc import Callable, Collection

from conformance.bench import Bench
from conformance.checks.refusals import refused, yields_nothing
from conformance.gateway import Answer, about
from conformance.lines import Finding, Line, Part, broken, held
from conformance.sections import Section
from conformance.tokens import Forge

TOKENS = Section("Tokens", Part.SERVER)
PATIENCE = 10.0
"""Seconds a revocation may take to be seen: a status list is kept for five."""

GUARD = "Ponga la guarda (docs/resource-server.md) o haga las mismas comprobaciones: "
Make = Callable[[Forge, str], str]
FORGED: tuple[tuple[str, str, str, str, Make], ...] = (
    ("token.expired", "Un token vencido hace más de un minuto.", "RFC 9068 §4; RFC 6750 §3.1",
     "compare exp con el reloj, y sincronice el reloj.",
     lambda forge, who: forge.changed(who, iat=int(time.time()) - 400, exp=int(time.time()) - 100)),
    ("token.not-yet-valid", "Un token que valdrá dentro de diez minutos (nbf).", "RFC 7519 §4.1.5",
     "compare nbf con el reloj.",
     lambda forge, who: forge.changed(who, nbf=int(time.time()) + 600)),
    ("token.audience", "Un token hecho para otro establecimiento.", "RFC 9068 §4; IHE ITI-72",
     "compare aud, como una sola cadena, con su propia dirección FHIR.",
     lambda forge, who: forge.changed(who, aud="https://otro.establecimiento.example/fhir")),
    ("token.issuer", "Un token de otro emisor, firmado con la misma clave.", "RFC 9068 §4",
     "compare iss con la dirección del registro, exactamente.",
     lambda forge, who: forge.changed(who, iss="https://otro.emisor.example")),
    ("token.signature", "Un token firmado con una clave ajena bajo el kid del registro.", "RFC 9068 §4; RFC 7515 §5.2",
     "verifique la firma con la clave publicada de ese kid.",
     lambda forge, who: forge.by_a_stranger(who, kid=forge.state.key.kid)),
    ("token.key", "Un token firmado con una clave que el registro no publica.", "RFC 9068 §4",
     "acepte sólo claves de {emisor}/oauth/jwks.",
     lambda forge, who: forge.by_a_stranger(who)),
    ("token.travelling-key", "Un token que trae su propia clave en la cabecera (jwk).", "RFC 8725 §3.10",
     "no use jamás una clave que venga en el mensaje: jwk, jku, x5c, x5u.",
     lambda forge, who: forge.by_a_stranger(who, travelling=True)),
    ("token.alg-none", "Un token sin firma (alg: none).", "RFC 8725 §3.1",
     "fije los algoritmos que acepta: ES256.",
     lambda forge, who: forge.unsigned(who)),
    ("token.alg-hs256", "Un token HS256 firmado con la clave pública como secreto.", "RFC 8725 §3.1",
     "fije los algoritmos que acepta: ES256; no los tome de la cabecera.",
     lambda forge, who: forge.by_public_key(who)),
    ("token.type", "Un JWT del registro que no es un token de acceso (typ: JWT).", "RFC 9068 §4; RFC 8725 §3.11",
     "exija typ at+jwt.",
     lambda forge, who: forge.signed(forge.claims(who), "JWT")),
    ("token.unbound", "Un token que no está atado a ninguna clave (sin cnf).", "RFC 9449 §7.1; FAPI 2.0 §5.3.4",
     "exija cnf.jkt en cada token.",
     lambda forge, who: forge.changed(who, cnf=None)),
    ("token.garbage", "Lo que no es un token.", "RFC 6750 §3.1",
     "trate lo que no se puede leer como inválido.",
     lambda _forge, _who: "no.es.un-token"),
)  # fmt: skip


@TOKENS.line(
    Line(
        id="token.good",
        asked="Un token bueno, con su prueba, para un paciente de prueba.",
        norm="RFC 9068; RFC 9449 §7",
        expected="200",
        mend="Confíe en el emisor del kit mientras dura la prueba; la audiencia es su dirección FHIR, y el paciente el "
        "id que el registro le dio.",
    )
)
def good(bench: Bench) -> Finding:
    """Without this nothing else means much."""
    for patient in bench.patients:
        if bench.records(patient):
            return held(f"HTTP 200, {len(bench.records(patient))} recursos en cinco búsquedas")
    answers = {str(answer) for patient in bench.patients for answer in bench.answers(patient).values()}
    return broken("; ".join(sorted(answers)) or "no hay pacientes de prueba registrados")


@TOKENS.line(
    Line(
        id="token.missing",
        asked="Una búsqueda sin token.",
        norm="RFC 6750 §3; RFC 9449 §7.1",
        expected="401 con WWW-Authenticate: DPoP",
        mend=GUARD + "sin token, 401 y el desafío.",
    )
)
def missing(bench: Bench) -> Finding:
    """The challenge names the scheme."""
    patient = bench.patient()
    answer = bench.gateway.get(f"/{bench.kind(patient)}", about(patient))
    if answer.status == 401 and "dpop" not in answer.headers.get("www-authenticate", "").lower():
        return broken("HTTP 401 sin WWW-Authenticate: DPoP")
    return refused(answer)


def _forged(make: Make) -> Callable[[Bench], Finding]:
    def check(bench: Bench) -> Finding:
        patient = bench.patient()
        return refused(bench.search(bench.kind(patient), patient, make(bench.forge, patient)))

    return check


for _id, _asked, _norm, _mend, _make in FORGED:
    TOKENS.line(Line(id=_id, asked=_asked, norm=_norm, expected="401", mend=GUARD + _mend))(_forged(_make))


@TOKENS.line(
    Line(
        id="token.bearer",
        asked="Un token bueno mostrado como Bearer, sin probar su clave.",
        norm="RFC 9449 §7.2",
        expected="401",
        mend=GUARD + "un token con cnf.jkt se acepta sólo por el esquema DPoP.",
    )
)
def bearer(bench: Bench) -> Finding:
    """The downgrade of RFC 9449 §7.2."""
    return refused(_shown(bench, lambda token: {"Authorization": f"Bearer {token}"}))


@TOKENS.line(
    Line(
        id="token.in-query",
        asked="Un token bueno en la dirección (?access_token=…).",
        norm="RFC 9700 §4.3.2; OAuth 2.1",
        expected="401 o 400",
        mend=GUARD + "lea el token sólo de la cabecera Authorization: las direcciones quedan en los "
        "registros de los servidores.",
    )
)
def in_query(bench: Bench) -> Finding:
    """Also with the proof that would make it good."""
    patient = bench.patient()
    kind, token = bench.kind(patient), bench.token(patient)
    headers = {"DPoP": bench.gateway.proof("GET", f"/{kind}", token)}
    parameters = [*about(patient), ("access_token", token)]
    return refused(bench.gateway.plain("GET", f"/{kind}", parameters, headers=headers), {400, 401})


@TOKENS.line(
    Line(
        id="token.long-lived",
        asked="Un token que vale una hora.",
        norm="RENHICE, docs/resource-server.md",
        expected="401",
        mend=GUARD + "los del registro valen 300 s a lo más.",
        mandatory=False,
    )
)
def long_lived(bench: Bench) -> Finding:
    """None of the registry lives that long."""
    patient = bench.patient()
    token = bench.forge.changed(patient, exp=int(time.time()) + 3600)
    return refused(bench.search(bench.kind(patient), patient, token))


@TOKENS.line(
    Line(
        id="token.scope",
        asked="Un token para otro tipo de recurso.",
        norm="RFC 6750 §3.1; SMART App Launch 2.2 §3",
        expected="403",
        mend=GUARD + "el tipo que se pide debe estar en scope.",
    )
)
def scope(bench: Bench) -> Finding:
    """A right token that does not reach."""
    patient = bench.patient()
    kind = bench.kind(patient)
    other = "Encounter" if kind != "Encounter" else "Condition"
    return refused(bench.search(kind, patient, bench.token(patient, f"patient/{other}.rs")), {403})


@TOKENS.line(
    Line(
        id="token.write",
        asked="Borrar y crear con un token de lectura.",
        norm="RFC 6750 §3.1; SMART App Launch 2.2 §3",
        expected="403 o 405",
        mend=GUARD + "el registro sólo lee; niegue todo lo que no sea leer o buscar.",
    )
)
def write(bench: Bench) -> Finding:
    """Nothing of the registry's may change a record."""
    patient = bench.patient()
    resource = bench.records(patient)[0]
    kind, token = resource["resourceType"], bench.token(patient)
    # A made-up id: where it does go through, nobody's record is lost.
    deleted = bench.gateway.send("DELETE", f"/{kind}/conformance-{int(time.time())}", token=token)
    created = bench.gateway.send(
        "POST", f"/{kind}", token=token, json={"resourceType": kind}, headers={"Content-Type": "application/fhir+json"}
    )
    return next((one for one in (refused(deleted, {400, 403, 404, 405}), refused(created, {400, 403, 404, 405}))
                 if one.status != "passed"), held(f"DELETE: {deleted}; POST: {created}"))  # fmt: skip


@TOKENS.line(
    Line(
        id="token.revoked",
        asked="Un token que ya fue aceptado, después de revocado (introspección, lista de estado).",
        norm="RFC 7662 §2.2; IETF OAuth Token Status List",
        expected=f"401 en {PATIENCE:.0f} s a lo más",
        mend=GUARD
        + "pregunte por el token en cada llamada, o mire la lista de estado antes de usar una respuesta guardada.",
    )
)
def revoked(bench: Bench) -> Finding:
    """The kit says so in both ways at once; whichever the candidate looks at, it must notice."""
    patient = bench.patient()
    kind, claims = bench.kind(patient), bench.forge.claims(patient)
    token = bench.forge.signed(claims)
    before = bench.search(kind, patient, token)
    if before.status != 200:
        return broken(f"antes de revocarlo: {before}")
    bench.state.revoke(claims["jti"])
    return _refused_in_time(bench, lambda: bench.search(kind, patient, token))


@TOKENS.line(
    Line(
        id="token.issuer-away",
        asked="Un token nuevo mientras el registro no contesta (introspección y lista caídas).",
        norm="RFC 7662 §4",
        expected="503 o 401",
        mend=GUARD + "cuando no se puede saber si un token vale, no entregue nada.",
    )
)
def issuer_away(bench: Bench) -> Finding:
    """Fails closed, as soon as what it may keep is too old."""
    patient = bench.patient()
    kind = bench.kind(patient)
    bench.state.down = True
    try:
        return _refused_in_time(bench, lambda: bench.search(kind, patient, bench.token(patient)), {401, 503})
    finally:
        bench.state.down = False


@TOKENS.line(
    Line(
        id="token.unknown-patient",
        asked="Un token bueno para un paciente que el candidato no conoce.",
        norm="RFC 6750 §3.1",
        expected="un Bundle vacío, 403 o 404",
        mend="Busque al paciente por el id del token y por nada más.",
    )
)
def unknown_patient(bench: Bench) -> Finding:
    """It knows nobody by that id."""
    stranger = "00000000-0000-4000-8000-000000000000"
    return yields_nothing(bench.search(bench.kind(bench.patient()), stranger))


def _shown(bench: Bench, headers: Callable[[str], dict[str, str]]) -> Answer:
    patient = bench.patient()
    token = bench.token(patient)
    return bench.gateway.plain("GET", f"/{bench.kind(patient)}", about(patient), headers=headers(token))


def _refused_in_time(bench: Bench, ask: Callable[[], Answer], expected: Collection[int] = frozenset({401})) -> Finding:
    started = time.monotonic()
    answer = ask()
    while answer.status == 200 and time.monotonic() - started < min(PATIENCE, bench.plan.wait):
        time.sleep(1)
        answer = ask()
    if answer.status in expected:
        return held(f"{answer} tras {time.monotonic() - started:.1f} s")
    return refused(answer, expected)
