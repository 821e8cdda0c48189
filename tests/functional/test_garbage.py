"""Garbage to every address: a clear 4xx in the face of its surface, never a 500."""

import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

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


def rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.methods]


def requests(rule: Rule, dice: random.Random) -> Iterator[dict[str, Any]]:
    path = rule.rule
    for name in rule.arguments:
        value = dice.choice(PATH_VALUES)
        path = "/".join(
            quote(value, safe="%$") if part.startswith("<") and name in part else part for part in path.split("/")
        )
    for content_type, body in BODIES:
        for method in sorted({*(rule.methods or ()), "DELETE"} - {"OPTIONS"}):
            yield {
                "path": path,
                "method": method,
                "data": body,
                "content_type": content_type,
                "query_string": dice.choice(QUERIES),
                "headers": dice.choice(HEADERS),
            }


def test_garbage_everywhere(app: Flask, client: FlaskClient) -> None:
    dice = random.Random(20261122)
    failures = []
    for rule in rules(app):
        for call in requests(rule, dice):
            response = client.open(**call)
            if response.status_code >= 500:
                failures.append((response.status_code, call))
    assert not failures


@pytest.mark.parametrize(
    "path", ["/fhir/Patient", "/oauth/token", "/api/v1/access-requests", "/exchange/fhir/Encounter"]
)
def test_an_oversized_body_is_refused_without_being_read(client: FlaskClient, path: str) -> None:
    response = client.post(path, data=b" " * 2_000_000, content_type="application/json")
    assert 400 <= response.status_code < 500
