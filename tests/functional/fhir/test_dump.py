"""A stolen database: no table shows what was registered, in any spelling bytes may take."""

import base64
from collections.abc import Callable, Iterator

import psycopg
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from registry.settings import Settings
from tests.functional.fhir.conftest import Call, rosa

Put = Callable[..., TestResponse]
SECRETS = ["Huamán", "HUAMAN", "Ccahuana", "Rosa Elvira", "Elvira", "40718293", "984112233", "1984-07-19", "19840719",
           "HC-556677", "Amargura", "JUANA", "09988776"]  # fmt: skip
MOTHER = "https://www.gob.pe/minsa/RENHICE/fhir/StructureDefinition/documento-madre"


def spellings(word: str) -> set[bytes]:
    raw = word.encode()
    return {raw, word.lower().encode(), raw.hex().encode(), base64.b64encode(raw).rstrip(b"=")[:-1], raw[::-1]}


def dump(url: str) -> Iterator[tuple[str, bytes]]:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            with connection.cursor().copy(f'COPY "{table}" TO STDOUT') as copy:
                yield table, b"".join(bytes(part) for part in copy)


def test_no_table_shows_what_was_registered(put: Put, call: Call, settings: Settings, client: FlaskClient) -> None:
    address = [{"use": "home", "line": ["Jr. Amargura 214"], "city": "Cusco"}]
    mother = [{"url": MOTHER, "valueIdentifier": {"type": {"coding": [{"code": "1"}]}, "value": "09988776"}}]
    patient = rosa(address=address, extension=mother, contact=[{"name": {"text": "JUANA"}}])
    first = put("HC-556677", patient)
    assert first.status_code == 201
    put("HC-556677", patient | {"gender": "unknown"})
    put("B-1", patient, token="b")
    call("POST", "/fhir/Patient/$match", patient)
    call("GET", f"/fhir/Patient/{first.json['id']}")
    call("PUT", "/fhir/Patient", patient, query_string={"identifier": "x|40718293"})
    tables = dict(dump(settings.database_url))
    assert len(tables["source_record_versions"]) > 1000
    found = {
        (table, word)
        for table, rows in tables.items()
        for word in SECRETS
        for form in spellings(word)
        if len(form) > 4 and form in rows
    }
    assert not found
    assert b"Huam" not in client.get("/metrics").data
