"""What tests of exports do: records of one's own, an export begun, its lines."""

import json
from typing import Any
from uuid import UUID

from tests.functional.oauth.world import Party, World

PATH = "/fhir/Patient/$export"
SYSTEM = "urn:hc:00000001"
ASYNC = {"Prefer": "respond-async", "Accept": "application/fhir+json"}
Json = dict[str, Any]


def put(party: Party, number: str, system: str = SYSTEM, **more: Any) -> Json:
    body = {"resourceType": "Patient", "identifier": [{"system": system, "value": number}], **more}
    query = {"identifier": f"{system}|{number}"}
    kept = party.call("PUT", "/fhir/Patient", party.client_token("system/Patient.cu"), json=body, query_string=query)
    assert kept.status_code in {200, 201}, kept.text
    found: Json = kept.json
    return found


def call(party: Party, method: str, path: str, **kwargs: Any) -> Any:
    return party.call(method, path, party.client_token("system/Patient.rs"), **kwargs)


def kick_off(party: Party, query: str = "", **headers: str) -> Any:
    return call(party, "GET", f"{PATH}{query}", headers=ASYNC | headers)


def begin(world: World, query: str = "") -> str:
    """Ask for an export; the path of its status."""
    asked = kick_off(world.asking, query)
    assert (asked.status_code, asked.data) == (202, b""), asked.text
    return str(asked.headers["Content-Location"]).removeprefix("http://127.0.0.1:8000")


def key_of(path: str) -> UUID:
    return UUID(path.rpartition("/")[2])


def lines_of(world: World, path: str) -> list[Json]:
    """Everything an export holds, file by file."""
    done = call(world.asking, "GET", path)
    assert done.status_code == 200, done.text
    files = [one["url"].removeprefix("http://127.0.0.1:8000") for one in done.json["output"]]
    fetched = [call(world.asking, "GET", one, headers={"Accept": "application/fhir+ndjson"}) for one in files]
    assert [len(one.text.splitlines()) for one in fetched] == [one["count"] for one in done.json["output"]]
    return [json.loads(line) for one in fetched for line in one.text.splitlines()]


def sorted_by_id(resources: list[Json]) -> list[Json]:
    return sorted(resources, key=lambda one: str(one["id"]))
