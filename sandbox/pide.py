"""PIDE: RENIEC's service with the JSON and the failures of the real one, and public bodies' records passed on."""

import hmac
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree as ET

import click
import httpx
from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, NotFound

from sandbox.citizens import Citizen, Citizens
from sandbox.files import read_json, write_json
from sandbox.layout import ENTITY_RUC, OFFICIAL_DNI
from sandbox.serving import out_option, read_summary, serve

Json = dict[str, Any]
MAX_BODY = 8192
MAX_SLOW = 60.0
MAINTENANCE = "<html><head><title>PIDE</title></head><body><h1>Servicio en mantenimiento</h1></body></html>"
# A number that always fails in one way; nobody has one of these.
SPECIAL = {
    "99999901": "unknown",
    "99999902": "maintenance",
    "99999903": "error",
    "99999904": "blank-surname",
    "99999905": "no-data",
    "99999906": "slow",
    "99999907": "not-json",
    "99999908": "deceased",
}
ASKED = ("Authorization", "DPoP", "Accept", "Accept-Encoding", "X-Request-Id")
ANSWERED = ("Content-Type", "DPoP-Nonce", "WWW-Authenticate", "Retry-After", "Cache-Control")
"""The headers of a read that travel, there and back."""
MODES = frozenset({"normal", *SPECIAL.values()})
PLACE = "LIMA/LIMA/LIMA"
STAND_IN = Citizen("", "PRUEBA", "ENTORNO", "SANDBOX", "JR. PRUEBA 1", PLACE, "SOLTERO", "NINGUNA", "", "", "")


class Malformed(Exception):
    """The body is not what the service documents."""


@dataclass(slots=True)
class Switch:
    """How the service behaves for everybody: a mode, and how long `slow` takes."""

    mode: str = "normal"
    seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class Entity:
    """Whom the service serves: an official (DNI) of an entity (RUC); the password, kept in a file, is rotated."""

    dni: str
    ruc: str
    password_file: Path
    lock: threading.Lock = field(default_factory=threading.Lock)

    def accepts(self, dni: str, ruc: str, password: str) -> bool:
        """Whether these are the credentials in force."""
        in_force = f"{self.dni}|{self.ruc}|{read_json(self.password_file)['password']}"
        return hmac.compare_digest(f"{dni}|{ruc}|{password}".encode(), in_force.encode())

    def rotate(self, dni: str, ruc: str, old: str, new: str) -> bool:
        """Replace the password when the old one is right."""
        with self.lock:
            if not self.accepts(dni, ruc, old):
                return False
            write_json(self.password_file, {"password": new})
            return True


class Pide:
    """The two operations of the service, and a switch for tests."""

    def __init__(self, citizens: Citizens, entity: Entity, control_token: str) -> None:
        self._citizens, self._entity, self._control_token = citizens, entity, control_token
        self._switch = Switch()

    def consult(self) -> ResponseReturnValue:
        """RENIEC/Consultar: names, address and restriction of a DNI."""
        asked = _body(("nuDniConsulta", "nuDniUsuario", "nuRucUsuario", "password"))
        mode = SPECIAL.get(asked["nuDniConsulta"], self._switch.mode)
        broken = FAILURES.get(mode)
        if mode == "slow":
            time.sleep(self._switch.seconds)
        if broken:
            return broken()
        if not self._entity.accepts(asked["nuDniUsuario"], asked["nuRucUsuario"], asked["password"]):
            return _answer("consultarResponse", {"coResultado": "1003", "deResultado": "Credenciales no válidas"})
        return _answer("consultarResponse", self._found(asked["nuDniConsulta"], mode))

    def rotate(self) -> ResponseReturnValue:
        """RENIEC/Actualizar: a new password for the official."""
        asked = _body(("credencialAnterior", "credencialNueva", "nuDni", "nuRuc"))
        if not 8 <= len(asked["credencialNueva"]) <= 100:
            answer = {"coResultado": "1004", "deResultado": "La credencial nueva debe tener de 8 a 100 caracteres"}
        elif self._entity.rotate(asked["nuDni"], asked["nuRuc"], asked["credencialAnterior"], asked["credencialNueva"]):
            answer = {"coResultado": "0000", "deResultado": "Credencial actualizada"}
        else:
            answer = {"coResultado": "1003", "deResultado": "Credenciales no válidas"}
        return _answer("actualizarcredencialResponse", answer)

    def control(self) -> ResponseReturnValue:
        """Make the service fail for everybody in one way, or mend it: {"mode", "seconds"}."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(token.encode(), self._control_token.encode()):
            return jsonify(error="unauthorized"), HTTPStatus.UNAUTHORIZED
        wanted = request.get_json(silent=True)
        mode, seconds = (wanted.get("mode"), wanted.get("seconds", 20)) if isinstance(wanted, dict) else (None, 0)
        if mode not in MODES or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_SLOW:
            raise Malformed(f"mode: one of {', '.join(sorted(MODES))}; seconds: 0 to {MAX_SLOW:.0f}")
        self._switch = Switch(mode, seconds)
        return jsonify(mode=mode, seconds=seconds)

    def _found(self, dni: str, mode: str) -> Json:
        citizen = self._citizens.find(dni) or (STAND_IN if dni in SPECIAL else None)
        if citizen is None or mode == "unknown":
            return {"coResultado": "0001", "deResultado": "El DNI no existe"}
        answer: Json = {"coResultado": "0000", "deResultado": "Consulta realizada correctamente"}
        if mode == "no-data":
            return answer
        return answer | {"datosPersona": _person(citizen, mode)}


class Records:
    """Passes reads on to the public bodies whose FHIR bases are services here (`ENTITY/Service` to address)."""

    def __init__(self, services: Mapping[str, str]) -> None:
        self._services = services
        self._http = httpx.Client(timeout=30, follow_redirects=False, trust_env=False)

    def read(self, entity: str, service: str, path: str) -> ResponseReturnValue:
        """Pass one read on with its token and proof, and the answer back with its nonce; nothing is kept."""
        base = self._services.get(f"{entity}/{service}")
        if base is None:
            raise NotFound
        headers = {name: value for name in ASKED if (value := request.headers.get(name))}
        try:
            answer = self._http.get(f"{base}/{path}", params=list(request.args.items(multi=True)), headers=headers)
        except httpx.HTTPError:
            return Response(MAINTENANCE, status=502, content_type="text/html; charset=utf-8")
        passed = {name: value for name in ANSWERED if (value := answer.headers.get(name))}
        return Response(answer.content, status=answer.status_code, headers=passed)


def create_app(pide: Pide, services: Mapping[str, str] = MappingProxyType({})) -> Flask:
    """Return the platform as an application."""
    app = Flask("sandbox")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.add_url_rule("/Rest/RENIEC/Consultar", view_func=pide.consult, methods=["POST"])
    app.add_url_rule("/Rest/RENIEC/Actualizar", view_func=pide.rotate, methods=["POST"])
    app.add_url_rule("/Rest/<entity>/<service>/<path:path>", view_func=Records(services).read)
    app.add_url_rule("/control", view_func=pide.control, methods=["POST"])
    app.register_error_handler(Malformed, _refuse)
    app.register_error_handler(HTTPException, _refuse_http)
    return app


def _body(names: tuple[str, ...]) -> dict[str, str]:
    sent = request.get_json(silent=True)
    inner = sent.get("PIDE") if isinstance(sent, dict) else None
    if not isinstance(inner, dict) or not all(isinstance(inner.get(name), str) for name in names):
        raise Malformed(f"Se espera un objeto PIDE con {', '.join(names)}")
    return {name: inner[name] for name in names}


def _person(citizen: Citizen, mode: str) -> Json:
    return {
        "apPrimer": citizen.paternal_surname,
        "apSegundo": " " if mode == "blank-surname" else citizen.maternal_surname,
        "prenombres": citizen.given_names,
        "direccion": citizen.address,
        "estadoCivil": citizen.civil_status,
        "restriccion": "FALLECIMIENTO" if mode == "deceased" else citizen.restriction,
        "ubigeo": citizen.place,
        "foto": "",
    }


def _answer(name: str, content: Json) -> Response:
    """Return JSON when `out=json` asks for it; the bus speaks XML otherwise."""
    if request.args.get("out") == "json":
        return jsonify({name: {"return": content}})
    root = ET.Element(name)
    _append(ET.SubElement(root, "return"), content)
    return Response(ET.tostring(root, encoding="utf-8", xml_declaration=True), content_type="text/xml; charset=utf-8")


def _append(parent: ET.Element, content: Json) -> None:
    for name, value in content.items():
        child = ET.SubElement(parent, name)
        if isinstance(value, dict):
            _append(child, value)
        else:
            child.text = value


def _refuse(error: Malformed) -> ResponseReturnValue:
    return jsonify(error=str(error)), HTTPStatus.BAD_REQUEST


def _refuse_http(error: HTTPException) -> ResponseReturnValue:
    return jsonify(error=error.name), error.code or 500


FAILURES: dict[str, Callable[[], Response]] = {
    "maintenance": lambda: Response(MAINTENANCE, content_type="text/html; charset=utf-8"),
    "error": lambda: Response(MAINTENANCE, status=500, content_type="text/html; charset=utf-8"),
    "not-json": lambda: Response('{"consultarResponse": {"return"', content_type="application/json"),
}


@click.command()
@out_option
def main(out: Path) -> None:
    """Run PIDE."""
    layout, summary = read_summary(out)
    entity = Entity(OFFICIAL_DNI, ENTITY_RUC, layout.pide_password)
    service = Pide(Citizens(layout.citizens), entity, summary["control_token"])
    bases = {one["pide_service"]: one["fhir_endpoint"] for one in summary["establishments"] if one["pide_service"]}
    serve(create_app(service, bases), summary["pide"]["port"])


if __name__ == "__main__":
    main()
