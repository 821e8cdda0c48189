"""Who may do what about whom: every route, by every actor, about either patient, against a written table.

The routes come from the application; `expected.txt` says what each cell answers, and a route it does not name fails.
"""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO
from json import dumps
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from consent_broker.consents.decision import POLICY_VERSION
from consent_broker.consents.fhir_consent import CATEGORY
from registry.database import now
from tests.functional.access.conftest import BORN, CALLERS, DOCUMENTS, NAMES, UNKNOWN, People, Side
from tests.functional.fhir.test_messages import message
from tests.functional.signals.subscribing import asked

TABLE = Path(__file__).parent / "expected.txt"
HOST = "127.0.0.1"
ORIGIN = f"http://{HOST}:8000"
ADMINISTRATOR = "administrator A"
HUMANS = ("nobody", "P", "Q", "professional A", "professional B", "analyst", "steward", "privacy-officer")
SYSTEMS = ("nobody", "system A", "system B", "system C", "no scope", "grant A", "workbench")
ANYBODY = ("nobody",)
RELATED = {
    **dict.fromkeys(("P", "Q"), ("/mi-historia", "/autorizar", "/cuenta/sesiones/<", "/codigo")),
    **dict.fromkeys(("professional A", "professional B"), ("/profesional", "/cuenta/llaves/<")),
    **dict.fromkeys(("system A", "system B", "system C"), "/"), "grant A": "/exchange",
    ADMINISTRATOR: "/establecimiento",
}  # fmt: skip
"""Where what an actor may do depends on the side; elsewhere, and for the rest, one side says it."""

Json = dict[str, Any]


def actors_of(app: Flask, rule: Rule) -> tuple[str, ...]:
    """Whom a route can tell apart: humans by their session, systems by their token, nobody where it is public."""
    blueprint = rule.endpoint.rpartition(".")[0]
    if blueprint.startswith("portal"):
        mine = (ADMINISTRATOR,) if blueprint == "portal-establishment" else ()
        return (*HUMANS, *mine) if blueprint != "portal-static" else ANYBODY
    return SYSTEMS if "bearer" in app.config["POLICIES"][blueprint].__qualname__ else ANYBODY


def routes(app: Flask) -> Iterator[tuple[str, Rule]]:
    """Every method of every route, in a fixed order."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, rule


def path_of(rule: Rule, side: Side) -> str:
    """The route's address about one side; what the side has none of is unknown."""
    known: dict[str, object] = side.ids | {"person_id": side.person_id, "patient": side.person_id} | {
        "professional_id": side.professional_id, "version": 1 if rule.rule.startswith("/fhir") else POLICY_VERSION,
        "number": 0, "resource_type": "MedicationStatement", "name": "llave.js", "key": "sex", "system_id": "dni",
        "patient_id": side.ids["record_id"], "establishment_id": side.party.establishment_id,
        "resource_id": side.party.establishment_id, "kind": "AllergyIntolerance", "item_id": "1",
    }  # fmt: skip
    meant = {argument: other for (prefix, argument), other in ELSEWHERE.items() if rule.rule.startswith(prefix)}
    known |= {argument: side.ids.get(other, UNKNOWN) for argument, other in meant.items()}
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(known.get(found[1], UNKNOWN)), rule.rule)


ELSEWHERE = {
    ("/mi-historia/limites/", "consent_id"): "limit_id",
    ("/mi-historia/emergencias/", "emergency_id"): "declared_id",
    ("/privacidad/", "emergency_id"): "declared_id",
    ("/fhir/Practitioner/", "resource_id"): "practitioner_id",
    ("/fhir/PractitionerRole/", "resource_id"): "role_id",
    ("/mi-historia/documentos/<uuid:reference_id>/mostrar", "reference_id"): "hidden_id",
    ("/privacidad/suspendidos/", "professional_id"): "suspended_id",
    ("/mi-historia/limites/<uuid:consent_id>/reponer", "consent_id"): "lifted_id",
    ("/mi-historia/permisos/<uuid:consent_id>/reponer", "consent_id"): "withdrawn_id",
    ("/mi-historia/representados/<uuid:representation_id>/actuar", "representation_id"): "acting_id",
    ("/api/v1/access-requests/<uuid:request_id>/sms-code/answer", "request_id"): "sms_request_id",
    ("/profesional/pedidos/<uuid:request_id>/sms/respuesta", "request_id"): "sms_request_id",
    ("/api/v1/decisions/<uuid:decision_id>/answer", "decision_id"): "waiting_id",
    ("/gestion/decisiones/<uuid:decision_id>/confirmar", "decision_id"): "waiting_id",
    ("/gestion/decisiones/<uuid:decision_id>/rechazar", "decision_id"): "waiting_id",
}
"""Where an argument means another thing of the side."""


def call(app: Flask, people: People, cell: tuple[str, Rule, str, Side]) -> TestResponse:
    method, rule, actor, side = cell
    client, path = app.test_client(), path_of(rule, side)
    if actor in people.cookies:
        client.set_cookie("renhice_session", people.cookies[actor], domain=HOST)
    headers = {"Authorization": f"Bearer {actor}"} if actor in CALLERS else {}
    said = BODIES.get(f"{method} {rule.rule}", lambda _: {})(side)
    headers |= said.get("headers", {})
    if method == "POST" and actor in people.cookies:
        said = {"data": said.get("data", {}) | {"csrf": people.csrf(actor)}}
    return client.open(path, method=method, base_url=ORIGIN, **(said | {"headers": headers}))


def outcome(answer: TestResponse) -> str:
    """`in` where one must sign in or present a token, else the status, and how many were found."""
    if answer.status_code == 401 or (answer.location or "").startswith("/ingresar?"):
        return "in"
    found = answer.json if answer.mimetype == "application/fhir+json" and answer.status_code == 200 else {}
    return (
        f"{answer.status_code}[{len(found.get('entry', []))}]"
        if found.get("resourceType") == "Bundle"
        else str(answer.status_code)
    )


Said = Callable[[Side], Json]


def whom(side: Side) -> Json:
    return {"person": str(side.person_id), "professional": {"college": "CMP", "number": side.number}}


def as_json(fill: Said | None = None, **fields: Any) -> Said:
    return lambda side: {"json": (fill(side) if fill else {}) | fields}


def as_form(**fields: Any) -> Said:
    return lambda side: {"data": filled(side, fields)}


def by_query(**fields: Any) -> Said:
    return lambda side: {"query_string": filled(side, fields)}


def as_fhir(resource: Said, **query: Any) -> Said:
    return lambda side: {
        "data": dumps(resource(side)), "content_type": "application/fhir+json", "query_string": filled(side, query)
    }  # fmt: skip


def filled(side: Side, fields: Json) -> Json:
    return {name: value(side) if callable(value) else value for name, value in fields.items()}


def person(side: Side) -> str:
    return str(side.person_id)


def system(side: Side) -> str:
    return f"urn:hc:0000000{1 if side.name == 'P' else 2}"


def own_record(side: Side) -> str:
    return f"Patient/{side.ids['record_id']}"


def local(side: Side) -> str:
    return f"{system(side)}|HC-{side.name}"


def patient(side: Side) -> Json:
    name = {"family": NAMES[side.name][0], "given": [NAMES[side.name][2]]}
    identifier = {"system": system(side), "value": f"HC-{side.name}"}
    return {"resourceType": "Patient", "identifier": [identifier], "name": [name], "birthDate": BORN.isoformat()}


def another(side: Side) -> Json:
    return {"system": system(side), "value": f"HC-{side.name}-2"}


def bundle(kind: str, *entries: Json) -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def own_patient(side: Side) -> Json:
    return patient(side) | {"id": str(side.ids["record_id"])}


def matching(side: Side) -> Json:
    resource = {"name": "resource", "resource": patient(side) | {"identifier": []}}
    return {"resourceType": "Parameters", "parameter": [resource]}


def proposal(side: Side) -> Json:
    codes = "http://terminology.hl7.org/CodeSystem"
    role = {"coding": [{"system": f"{codes}/v3-ParticipationType", "code": "IRCP"}]}
    return {
        "resourceType": "Consent", "status": "proposed", "patient": {"reference": f"Patient/{side.person_id}"},
        "scope": {"coding": [{"system": f"{codes}/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "policy": [{"uri": "https://example.pe/politica"}],
        "provision": {
            "type": "permit", "purpose": [{"system": f"{codes}/v3-ActReason", "code": "TREAT"}],
            "actor": [{"role": role, "reference": {"reference": f"Practitioner/{side.professional_id}"}}],
            "modifierExtension": [{"url": CATEGORY, "valueCode": "Encounter"}],
        },
    }  # fmt: skip


def given_up(side: Side) -> Json:
    return proposal(side) | {"id": str(side.ids["consent_id"]), "status": "inactive"}


def cross_reference(side: Side) -> Json:
    return {"resourceType": "Parameters", "parameter": [{"name": "sourceIdentifier", "valueString": local(side)}]}


GROUNDS: Json = {"reason": "other", "note": "x"}
VERDICT = {"verdict": "different"}
PAPER = {"kind": "notarial-power", "reference": "K-2", "sha256": "ab" * 32}
AGENT = {"name": "Rosa", "type": "DNI", "number": "40718294"}
CASE = "/api/v1/possible-matches/<uuid:case_id>"
BODIES: dict[str, Said] = {
    "POST /api/v1/access-requests": as_json(whom, purpose="TREAT", categories=["problems"]),
    "POST /api/v1/emergency-accesses": as_json(whom),
    "POST /api/v1/attendances": as_json(whom, encounter="E-1", identified_by="DNI", categories=["allergies"]),
    "POST /api/v1/representations": as_json(
        whom, representative=AGENT, basis="power", powers=["see"], paper=PAPER,
        until=(now() + timedelta(days=30)).isoformat(),
    ),
    "POST /api/v1/access-requests/<uuid:request_id>/sms-code/answer": as_json(
        lambda side: {"code": side.ids["sms_code"]}
    ),
    "POST /profesional/pedidos/<uuid:request_id>/sms/respuesta": as_form(codigo=lambda side: side.ids["sms_code"]),
    "POST /profesional/pedidos/<uuid:request_id>/con-ayuda": as_form(
        categoria="allergies", hasta="0", evidencia="signed-form", documento="DNI",
        numero=lambda side: DOCUMENTS[side.name], formulario=lambda _side: (BytesIO(b"%PDF-1.7"), "f.pdf"),
    ),
    "POST /profesional/por-confirmar/<uuid:assisted_id>": as_form(decision="no-confirmar"),
    "POST /codigo": as_form(codigo=lambda side: side.ids["code"]),
    "POST /autorizar/<challenge>": as_form(decision="permitir"),
    "POST /cuenta/llaves/<uuid:passkey_id>/nombre": as_form(nombre="Otro"),
    "POST /mi-historia/limites/nuevo": as_form(quien="todos", categoria="problems"),
    "POST /mi-historia/limites/<uuid:consent_id>/cambiar": as_form(quien="todos", categoria="problems"),
    "POST /api/v1/imports": as_json(format="ndjson", size=2, sha256="cd" * 32),
    "PATCH /api/v1/imports/<uuid:import_id>": lambda _side: {
        "data": b"{}", "headers": {"Upload-Offset": "0"}, "content_type": "application/octet-stream"
    },
    "POST /gestion/casos/<uuid:case_id>/revisar": as_form(veredicto="different", motivo="other", nota="x"),
    "POST /gestion/casos/<uuid:case_id>/decidir": as_form(veredicto="different", motivo="other", nota="x"),
    "POST /gestion/decisiones/<uuid:decision_id>/deshacer": as_form(motivo="other", nota="x"),
    "POST /gestion/personas/<uuid:person_id>/separar": as_form(
        registro=lambda side: str(side.ids["other_record_id"]), motivo="other", nota="x"
    ),
    "POST /fhir": as_fhir(lambda side: bundle("batch", {"request": {"method": "GET", "url": own_record(side)}})),
    "POST /fhir/": as_fhir(lambda side: bundle("batch", {"request": {"method": "GET", "url": own_record(side)}})),
    "POST /fhir/$process-message": as_fhir(
        lambda side: message({"fullUrl": "Patient/x", "resource": patient(side) | {"identifier": [another(side)]},
                              "request": {"method": "POST", "url": "Patient"}})
    ),
    "POST /fhir/DocumentReference/$check-ips": as_fhir(lambda _side: bundle("document")),
    "POST /fhir/Subscription": as_fhir(lambda side: asked("link", f"{side.party.endpoint}/another-hook")),
    "PUT /fhir/Subscription/<uuid:subscription_id>": as_fhir(
        lambda side: asked("link", f"{side.party.endpoint}/hook", status="off", reason="-")
        | {"id": str(side.ids["subscription_id"])}
    ),
    "POST /api/v1/decisions/<uuid:decision_id>/answer": as_json(answer="confirm"),
    "POST /api/v1/decisions/<uuid:decision_id>/undo": as_json(**GROUNDS),
    "POST /api/v1/persons/<uuid:person_id>/merge": as_json(
        lambda side: {"other": str(side.ids.get("joinable_id", UNKNOWN))}, **GROUNDS
    ),
    "POST /api/v1/persons/<uuid:person_id>/split": as_json(
        lambda side: {"records": [str(side.ids["other_record_id"])]}, **GROUNDS
    ),
    f"POST {CASE}/decisions": as_json(**GROUNDS, **VERDICT),
    f"POST {CASE}/effects": as_json(**VERDICT),
    f"POST {CASE}/reveal": as_json(fields=["phone"]),
    "GET /exchange/fhir/<resource_type>": by_query(patient=person),
    "POST /exchange/fhir/<resource_type>/_search": as_form(patient=person),
    "GET /exchange/fhir/DocumentReference": by_query(patient=person),
    "POST /exchange/fhir/DocumentReference/_search": as_form(patient=person),
    "GET /fhir/AuditEvent": by_query(patient=person, date="ge2026-01-01"),
    "POST /fhir/AuditEvent/_search": as_form(patient=person, date="ge2026-01-01"),
    "GET /fhir/Provenance": by_query(target=own_record),
    "POST /fhir/Provenance/_search": as_form(target=own_record),
    "GET /fhir/Consent": by_query(patient=person, status="active"),
    "POST /fhir/Consent/_search": as_form(patient=person, status="active"),
    "POST /fhir/Consent": as_fhir(proposal),
    "PUT /fhir/Consent/<uuid:consent_id>": as_fhir(given_up),
    "GET /fhir/Patient": by_query(identifier=local),
    "POST /fhir/Patient/_search": as_form(identifier=local),
    "DELETE /fhir/Patient": by_query(identifier=local),
    "POST /fhir/Patient": as_fhir(lambda side: patient(side) | {"identifier": [another(side)]}),
    "PUT /fhir/Patient": as_fhir(patient, identifier=local),
    "PUT /fhir/Patient/<patient_id>": as_fhir(own_patient),
    "POST /fhir/Patient/$match": as_fhir(matching),
    "POST /fhir/Patient/$ihe-pix": as_fhir(cross_reference),
    "GET /fhir/Patient/$ihe-pix": by_query(sourceIdentifier=local),
    "GET /fhir/Patient/$export": lambda _side: {"headers": {"Prefer": "respond-async"}},
    "POST /fhir/Patient/$export": lambda side: (
        as_fhir(lambda _side: {"resourceType": "Parameters"})(side) | {"headers": {"Prefer": "respond-async"}}
    ),
    "GET /fhir/DocumentReference": by_query(patient=person),
    "POST /fhir/DocumentReference/_search": as_form(patient=person),
    "GET /fhir/List": by_query(patient=person),
    "POST /fhir/List/_search": as_form(patient=person),
    "POST /profesional/persona/<uuid:person_id>": as_form(
        categoria="problems", motivo="TREAT", dias="7", establecimiento=lambda side: str(side.party.establishment_id)
    ),
    "POST /profesional/emergencia": as_form(
        persona=person, establecimiento=lambda side: str(side.party.establishment_id)
    ),
    "POST /profesional/emergencia/<uuid:emergency_id>": as_form(
        motivo="unconscious", texto="Llegó inconsciente tras un choque.", declaro="si"
    ),
    "POST /mi-historia/pedidos/<uuid:request_id>": as_form(decision="permitir"),
    "POST /mi-historia/registros/<uuid:record_id>/aviso": as_form(motivo="never-attended"),
    "POST /mi-historia/atencion": as_form(decision="permitir", categoria="allergies"),
    "POST /privacidad/<uuid:emergency_id>": as_form(resultado="justified", nota="Era una emergencia."),
    "POST /privacidad/suspendidos/<uuid:professional_id>/levantar": as_form(porque="Se aclaró"),
    "POST /profesional": as_form(por="dni", dni=lambda side: DOCUMENTS[side.name]),
}  # fmt: skip
"""What a call says, where an empty one would be refused before who asks matters."""


def observed(app: Flask, people: People, method: str, rule: Rule) -> str:
    """A line of the table: each actor's answers about P and Q."""
    cells = []
    for actor in actors_of(app, rule):
        both = rule.rule.startswith(RELATED.get(actor, "-")) and (rule.arguments or f"{method} {rule.rule}" in BODIES)
        answers = []
        for side in people.sides.values() if both else [people.sides["P"]]:
            with people.undone():
                answers.append(outcome(call(app, people, (method, rule, actor, side))))
        cells.append(f"{actor}={'/'.join(answers)}")
    return ", ".join(cells)


def expected() -> dict[str, str]:
    lines = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split(" : ", 1) for line in lines)


def test_every_cell_is_as_written(app: Flask, people: People) -> None:
    written = expected()
    seen = {f"{method} {rule.rule}": observed(app, people, method, rule) for method, rule in routes(app)}
    unsaid = [f"{route} : {cells}" for route, cells in seen.items() if route not in written]
    assert not unsaid, "say who may use these routes: is this what was meant?"
    assert not sorted(written.keys() - seen.keys()), "these routes are no more"
    assert [route for route in seen if seen[route] != written[route]] == []
    assert seen == written


SPELLINGS: tuple[Callable[[str], str], ...] = (str.upper, "urn:uuid:{}".format, "{{{}}}".format)
UUID_IN_PATH = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_an_id_in_a_path_is_written_in_one_way(app: Flask, people: People) -> None:
    """Whoever compares addresses, a log or a proxy, takes another spelling for somebody else."""
    client, headers, seen = app.test_client(), {"Authorization": "Bearer system A"}, set[tuple[str, int]]()
    for method, rule in routes(app):
        path = path_of(rule, people.sides["P"])
        for spell in (*SPELLINGS, lambda one: one.replace("-", "")):
            other = UUID_IN_PATH.sub(lambda found, spell=spell: spell(found[0]), path)  # type: ignore[misc]
            if other != path:
                said = BODIES.get(f"{method} {rule.rule}", lambda _: {})(people.sides["P"])
                said["headers"] = said.get("headers", {}) | headers
                seen.add((f"{method} {other}", client.open(other, method=method, base_url=ORIGIN, **said).status_code))
    assert len(seen) > 200
    assert not [one for one in seen if one[1] != (405 if one[0].partition(" ")[2].startswith("/exchange/") else 404)]


CLIENTS = "clients prove themselves by what they sign: tests/functional/oauth"
ITEM = "/mi-historia/registros/<uuid:record_id>/<kind>/<item_id>"
WITHOUT_SUCCESS = {
    "GET /exchange/fhir/Binary/<uuid:reference_id>": "a holder has to answer: tests/functional/exchange",
    f"GET {ITEM}": "a holder has to answer: tests/functional/portal",
    f"POST {ITEM}/ocultar": "a holder has to answer: tests/functional/portal",
    "POST /cuenta/llaves": "an authenticator has to answer: tests/functional/passkeys",
    "POST /ingresar/llave": "an authenticator has to answer: tests/functional/passkeys",
    "GET /ingresar/retorno": "the identity provider has to answer: tests/functional/portal",
    "POST /ingresar/salida": "the identity provider has to say it: tests/functional/passkeys",
    "POST /ingresar/salida/personal": "the staff's provider has to say it: tests/functional/passkeys",
    "GET /ingresar/retorno/personal": "the staff's provider has to answer: tests/functional/portal",
    "POST /gestion/modelo/<uuid:run_id>/aprobar": "a new model has to be run: tests/functional/portal",
    "GET /gestion/modelo/cambios/<uuid:change_id>": "a new model has to be run: tests/functional/portal",
    **dict.fromkeys(("GET /oauth/authorize", "POST /oauth/authorize", "POST /oauth/device_authorization"), CLIENTS),
    **dict.fromkeys(("POST /oauth/introspect", "POST /oauth/par", "POST /oauth/revoke", "POST /oauth/token"), CLIENTS),
}
"""Routes nobody gets through here, and where they are seen to work."""


def test_every_route_lets_somebody_through() -> None:
    through = {route for route, cells in expected().items() if re.search(r"=(\S+/)?[23]\d\d", cells)}
    assert sorted(expected().keys() - through) == sorted(WITHOUT_SUCCESS)
