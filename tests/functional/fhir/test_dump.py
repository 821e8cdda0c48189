"""A stolen database: no table shows what was registered, in any spelling bytes may take."""

import base64
from collections.abc import Callable

import psycopg
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from registry.settings import Settings
from tests.functional.fhir.conftest import Call, rosa
from tests.stolen import tables

Put = Callable[..., TestResponse]
SECRETS = ["Huamán", "HUAMAN", "Ccahuana", "Rosa Elvira", "Elvira", "40718293", "984112233", "1984-07-19", "19840719",
           "HC-556677", "Amargura", "JUANA INES", "09988776"]  # fmt: skip
MOTHER = "https://www.gob.pe/minsa/RENHICE/fhir/StructureDefinition/documento-madre"


def spellings(word: str) -> set[str]:
    return {word, word.lower(), base64.b64encode(word.encode()).decode().rstrip("=")[:-1], word[::-1]}


def test_no_table_shows_what_was_registered(put: Put, call: Call, settings: Settings, client: FlaskClient) -> None:
    address = [{"use": "home", "line": ["Jr. Amargura 214"], "city": "Cusco"}]
    mother = [{"url": MOTHER, "valueIdentifier": {"type": {"coding": [{"code": "1"}]}, "value": "09988776"}}]
    patient = rosa(address=address, extension=mother, contact=[{"name": {"text": "JUANA INES"}}])
    first = put("HC-556677", patient)
    assert first.status_code == 201
    put("HC-556677", patient | {"gender": "unknown"})
    put("B-1", patient, token="b")
    call("POST", "/fhir/Patient/$match", patient)
    call("GET", f"/fhir/Patient/{first.json['id']}")
    call("PUT", "/fhir/Patient", patient, query_string={"identifier": "x|40718293"})
    with psycopg.connect(settings.database_url.replace("+psycopg", "")) as connection:
        shown = dict(tables(connection))
    assert len(shown["source_record_versions"].raw) > 1000
    forms = {word: spellings(word) for word in SECRETS}
    found = {(table, word) for table, rows in shown.items() for word in SECRETS if any(map(rows.shows, forms[word]))}
    assert not found
    assert b"Huam" not in client.get("/metrics").data
