"""An analyst and another, at browsers with authenticators."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.models import Passkey
from portal.session import Identity, life_of, open_session
from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.database import now
from tests.functional.passkeys.authenticator import Authenticator

HOST = "127.0.0.1"
ORIGIN = f"http://{HOST}:8000"
ANALYST = Identity(document="40718293", name="CARLA ZEVALLOS", acr=3, auth_time=now(), staff=True)
OTHER = Identity(document="40718294", name="HUGO PALOMINO", acr=3, auth_time=now(), staff=True)
PAGE = "/estadisticas"


class Person:
    """Somebody at a browser."""

    def __init__(self, app: Flask, renhice: Renhice) -> None:
        self.http: FlaskClient = app.test_client()
        self.renhice = renhice
        self.cookie = ""

    def signed_in(self, identity: Identity, age: timedelta = timedelta(0), **session: Any) -> "Person":
        identity = replace(identity, auth_time=now() - age)
        with self.renhice.database.unit_of_work() as work:
            life = life_of(self.renhice.settings, staff=identity.staff)
            secret = open_session(work, self.renhice.sealer, identity, "Firefox/1", life, **session)
        self.http.set_cookie("renhice_session", secret, domain=HOST)
        self.cookie = secret
        return self

    def open(self, path: str) -> TestResponse:
        return self.http.get(path, base_url=ORIGIN)

    def send(self, page: str, path: str, **fields: str) -> TestResponse:
        token = re.search(r'name="csrf" value="([^"]+)"', self.open(page).text)
        csrf = {"csrf": token.group(1)} if token else {}
        return self.http.post(path, data=csrf | fields, base_url=ORIGIN)

    def options(self, path: str) -> dict[str, Any]:
        found = re.search(r'data-opciones="([^"]+)"', self.open(path).text)
        assert found
        options: dict[str, Any] = json.loads(unescape(found.group(1)))
        return options

    def add(self, key: Authenticator, name: str = "Celular") -> TestResponse:
        return self.send("/cuenta/llaves", "/cuenta/llaves", nombre=name, respuesta=self.made(key))

    def made(self, key: Authenticator) -> str:
        return key.create(self.options("/cuenta/llaves/nueva"))

    def prove(self, key: Authenticator, path: str = "/ingresar/llave?como=analista", **said: Any) -> TestResponse:
        return self.answer(key.get(self.options(path), **said))

    def answer(self, answer: str) -> TestResponse:
        return self.send("/ingresar", "/ingresar/llave", respuesta=answer)

    @property
    def inside(self) -> bool:
        return self.open(PAGE).status_code == 200


def row_of(renhice: Renhice, key: Authenticator) -> Passkey | None:
    with renhice.database.unit_of_work() as work:
        return work.scalar(select(Passkey).where(Passkey.credential_id == key.credential))


def refusals(renhice: Renhice) -> list[str | None]:
    with renhice.database.unit_of_work() as work:
        query = select(AuditEvent.reason).where(AuditEvent.action == "portal:passkey:used")
        return list(work.scalars(query))
