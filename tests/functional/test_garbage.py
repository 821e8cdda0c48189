"""Garbage to every address, by nobody and by those who are let in: a clear 4xx in the face of its surface.

The addresses come from the URL map and the forms from the pages, so what is added later is tried too.
"""

import json
import random
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from matching.records import Demographics, Document, DocumentType
from portal.guard import cookie_name
from portal.session import Identity, derive, life_of, open_session
from registry.access import Caller, Presented
from registry.app import Renhice
from registry.database import new_id, now
from registry.directory.administration import Desk
from registry.directory.loading import load, parse
from registry.directory.service import get_establishment
from registry.errors import Unauthenticated
from registry.identity.service import Content, Registration, engine_of, register_source_record
from registry.pide.port import Names
from registry.settings import Settings
from sandbox.demo.browser import Reader
from tests.functional.faces import check_face, surface_of
from tests.integration.directory.conftest import directory_file
from wsgi import create_app

BODIES: list[tuple[str, bytes]] = [
    ("application/json", b""),
    ("application/json", b"{"),
    ("application/json", b"\xff\xfe\x00"),
    ("application/json", b"[" * 100_000),
    ("application/json", json.dumps({"resourceType": "Patient", "name": [{"family": {"a": 1}}]}).encode()),
    ("application/json", b'{"a": 1e999999, "b": "\\ud800"}'),
    ("application/fhir+json", b'{"resourceType": "Patient", "identifier": "x", "birthDate": "1985-99-99"}'),
    ("application/fhir+json", b"null"),
    ("application/x-www-form-urlencoded", b"%ff=%00&grant_type=%00&grant_type=x&client_assertion=" + b"a" * 9000),
    ("application/x-www-form-urlencoded", b"&".join(b"k%d=v" % i for i in range(3000))),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nvalue'),
    ("multipart/form-data", b"no boundary"),
    ("text/plain; charset=klingon", b"\x00\x01"),
    ("", b"\x00" * 10),
]
QUERIES = [
    "",
    "identifier=%00",
    "identifier=a|b|c&identifier=|",
    "sourceIdentifier=%ff%fe",
    "patient=" + "9" * 5000,
    "x=" + "%F0" * 50,
    "_format=xml",
    "client_id=%00&redirect_uri=javascript:alert(1)&response_type=code",
    "next=//evil.example",
]
HEADERS: list[dict[str, str]] = [
    {},
    {"Authorization": "Bearer " + "a" * 5000},
    {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
    {"Authorization": "Basic ///"},
    {"Authorization": "Bearer"},
    {"Accept": "\x7f/*;q=x", "If-Match": '"', "X-Request-Id": "ñ" * 200, "Cookie": "renhice_session=%00; ;=;"},
]
PATH_VALUES = ["0", "a" * 300, "..%2f..", "%00", "00000000-0000-0000-0000-000000000000", "ñandú", "$match"]
HOSTILE = ["", "\x00", "\x1b[2J", "ñ" * 3000, "'; DROP TABLE persons; --", "<script>alert(1)</script>", "9" * 40,
           "\u202e", "2026-02-30", "-1", "../../etc/passwd", "{{7*7}}"]  # fmt: skip
WORDS = ("por", "dni", "nacimiento", "categoria", "motivo", "dias", "desde", "antes", "decision", "codigo")
SCOPES = frozenset({"system/Patient.cu", "system/Patient.rs", "access-request", "patient/Encounter.rs", "launch"})
ROSA = {"document": "40404041", "names": "Zoraida", "paternal": "Ccahuana", "maternal": "Ñahui"}


def authenticate(presented: Presented, audience: str) -> Caller:
    """`Bearer good` is a record system that may do everything."""
    if presented.authorization != "Bearer good":
        raise Unauthenticated("This call needs an access token.")
    return Caller(
        client_id="sihce-00990001", establishment_id=_place[0], scopes=SCOPES, token_id="t", audience=audience,
        grant_id=new_id(),
    )  # fmt: skip


_place: list[Any] = []


@pytest.fixture(scope="module")
def app(settings: Settings) -> Iterator[Flask]:
    """The whole product with a directory, and one human who is a patient, a professional and all kinds of staff."""
    application = create_app(settings, authenticate)
    parts: Renhice = application.extensions["renhice"]
    content = directory_file()
    content["staff"] += [
        {"document": {"type": "DNI", "number": ROSA["document"]}, "role": role, "until": "2099-01-01"}
        for role in ("analyst", "steward", "administrator")
    ]
    with parts.database.unit_of_work() as session:
        entries, faults = parse(json.dumps(content).encode())
        assert not faults + load(Desk(session, parts.sealer, "tests"), entries).faults
    with parts.database.unit_of_work() as session:
        place = get_establishment(session, "00990001")
        _place[:] = [place.id]
        facts = Demographics(
            documents=(Document(DocumentType.DNI, ROSA["document"]),),
            paternal_surname=ROSA["paternal"],
            maternal_surname=ROSA["maternal"],
            given_names=ROSA["names"],
        )
        registration = Registration(
            establishment_id=place.id, client_id="t", content=Content(place.identifier_system, "1", facts)
        )
        register_source_record(session, engine_of(parts), registration)
    yield application
    parts.database.engine.dispose()


@dataclass
class Hand:
    """Somebody who calls: what they carry, and every answer that was wrong."""

    app: Flask
    client: FlaskClient
    carried: dict[str, str] = field(default_factory=dict)
    csrf: str = ""
    wrong: list[str] = field(default_factory=list)

    def send(self, **call: Any) -> TestResponse:
        headers = call.pop("headers", {}) | self.carried
        answer = self.client.open(**call, headers=headers)
        surface = surface_of(self.app, _path(call["path"]), call["method"])
        try:
            if answer.status_code >= 400:
                check_face(answer, surface, answer.get_json(silent=True))
        except (AssertionError, ValueError, KeyError, TypeError) as error:
            held = traceback.extract_tb(error.__traceback__)[-1].line
            self.wrong.append(f"{answer.status_code} {call['method']} {call['path']:.80} {held} {error!r:.200}")
        return answer


def wrongs(*hands: Hand) -> str:
    """Every kind of wrong answer, once."""
    return "\n".join(sorted({line for hand in hands for line in hand.wrong}))


def _path(raw: str) -> str:
    return raw.replace("%2f", "/").replace("%00", "\x00")


@pytest.fixture
def nobody(app: Flask) -> Hand:
    return Hand(app, app.test_client())


@pytest.fixture
def record_system(app: Flask) -> Hand:
    return Hand(app, app.test_client(), {"Authorization": "Bearer good"})


@pytest.fixture
def human(app: Flask, renhice: Renhice) -> Hand:
    """A browser signed in by the electronic DNI, with every hat."""
    names = Names(paternal_surname=ROSA["paternal"], maternal_surname=ROSA["maternal"], given_names=ROSA["names"])
    identity = Identity(document=ROSA["document"], name=ROSA["names"], acr=3, auth_time=now(), state_names=names)
    with renhice.database.unit_of_work() as session:
        secret = open_session(session, renhice.sealer, identity, "Firefox/1", life_of(renhice.settings, staff=False))
    client = app.test_client()
    with app.app_context():
        client.set_cookie(cookie_name(), secret, domain="127.0.0.1")
        client.set_cookie(cookie_name(), secret)
    return Hand(app, client, csrf=derive(secret, "form"))


def rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.methods]


def address(rule: Rule, dice: random.Random) -> str:
    path = rule.rule
    for name in rule.arguments:
        value = dice.choice(PATH_VALUES)
        path = "/".join(
            quote(value, safe="%$") if part.startswith("<") and name in part else part for part in path.split("/")
        )
    return path


def calls(rule: Rule, dice: random.Random) -> Iterator[dict[str, Any]]:
    path = address(rule, dice)
    methods = sorted((rule.methods or set()) - {"OPTIONS", "HEAD"})
    for method in {"DELETE", "PATCH", "TRACE", "PROPFIND"} - set(methods):
        yield {"path": path, "method": method, "query_string": dice.choice(QUERIES)}
    for method in methods:
        for (content_type, body), query in tries(method, dice):
            yield {
                "path": path,
                "method": method,
                "data": body,
                "content_type": content_type,
                "query_string": query,
            }


def tries(method: str, dice: random.Random) -> Iterator[tuple[tuple[str, bytes], str]]:
    """Every body; to what is only read, whose body is read by nobody, every query."""
    if method == "GET":
        return ((dice.choice(BODIES), query) for query in QUERIES)
    return ((body, dice.choice(QUERIES)) for body in BODIES)


def test_nobody_gets_anything_but_a_clear_refusal(nobody: Hand) -> None:
    dice = random.Random(20261122)
    for rule in rules(nobody.app):
        for call in calls(rule, dice):
            nobody.send(**call, headers=dice.choice(HEADERS))
    assert not nobody.wrong, wrongs(nobody)


def test_garbage_of_a_record_system(record_system: Hand) -> None:
    dice = random.Random(20261123)
    for rule in rules(record_system.app):
        if rule.rule.startswith(("/fhir", "/api", "/exchange")):
            for call in calls(rule, dice):
                assert record_system.send(**call).status_code != 401
    assert not record_system.wrong, wrongs(record_system)


def test_whoever_is_let_in_is_let_in(human: Hand, record_system: Hand) -> None:
    """Else the sweeps below would only try the doors."""
    for path in ("/mi-historia", "/profesional", "/estadisticas"):
        assert human.send(path=path, method="GET").status_code == 200
    assert record_system.send(path="/fhir/Patient/$match", method="POST", json={}).status_code == 400


def test_garbage_of_somebody_signed_in(human: Hand) -> None:
    dice = random.Random(20261124)
    pages = [rule for rule in rules(human.app) if surface_of(human.app, rule.rule, "GET") == "page"]
    for rule in pages:
        for call in calls(rule, dice):
            human.send(**call)
        path = address(rule, dice)
        for _ in range(3):
            human.send(path=path, method="GET", query_string={name: dice.choice(HOSTILE) for name in WORDS})
            typed = {name: dice.choice(HOSTILE) for name in WORDS}
            human.send(path=path, method="POST", data=typed | {"csrf": human.csrf})
    assert not human.wrong, wrongs(human)


def test_every_field_of_every_form(human: Hand) -> None:
    """Each form a page shows, sent with one field hostile and the others as they stand."""
    dice, seen = random.Random(20261125), set()
    for rule in rules(human.app):
        if rule.arguments or "GET" not in (rule.methods or ()):
            continue
        page = human.send(path=rule.rule, method="GET")
        reader = Reader()
        reader.feed(page.text if page.mimetype == "text/html" else "")
        for form in reader.forms:
            for name in form.fields:
                if (form.action, name) in seen or name == "csrf" or form.action == "/salir":
                    continue
                seen.add((form.action, name))
                for value in dice.sample(HOSTILE, 4):
                    sent = form.fields | {name: value}
                    place = {"query_string": sent} if form.method == "get" else {"data": sent}
                    human.send(path=form.action, method=form.method.upper(), **place)
    assert {action for action, _ in seen} >= {"/mi-historia/accesos", "/profesional"}
    assert not human.wrong, wrongs(human)


@pytest.mark.parametrize("size", [70_000, 2_000_000])
def test_an_oversized_body_is_refused_everywhere_with_its_face(
    nobody: Hand, record_system: Hand, human: Hand, size: int
) -> None:
    for rule in rules(nobody.app):
        for method in (rule.methods or set()) & {"POST", "PUT", "PATCH"}:
            path = address(rule, random.Random(1))
            for hand in (nobody, record_system, human):
                for kind in ("application/json", "application/x-www-form-urlencoded"):
                    answer = hand.send(path=path, method=method, data=b"a=" + b" " * size, content_type=kind)
                    assert answer.status_code < 500
    assert not wrongs(nobody, record_system, human)
