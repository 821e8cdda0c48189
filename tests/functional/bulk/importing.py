"""Files of patients as a client sends them, and as a worker registers them."""

import hashlib
import json
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from registry.bulk.processing import process
from registry.bulk.service import MOST_PART_BYTES
from registry.identity.models import SourceRecordVersion
from tests.functional.oauth.world import Party, World

PATH = "/api/v1/imports"
SYSTEM = "urn:hc:00000001"
NAMES = (("Huamán", "Rosa"), ("Zevallos", "Pedro"), ("Ccori", "Nélida"), ("Quispe", "Julio"), ("Mamani", "Elsa"))


def patient(number: str, at: int = 0, **more: Any) -> dict[str, Any]:
    family, given = NAMES[at % len(NAMES)]
    return {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": f"{number}-{at}"}],
        "name": [{"family": family, "given": [given]}],
        "birthDate": f"{1950 + at}-03-0{1 + at % 9}",
    } | more


def ndjson(*patients: Any) -> bytes:
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in patients)


def call(party: Party, method: str, path: str, **kwargs: Any) -> Any:
    return party.call(method, path, party.client_token("bulk-import"), **kwargs)


def announce(party: Party, content: bytes, form: str = "ndjson") -> Any:
    wanted = {"format": form, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return call(party, "POST", PATH, json=wanted)


def send(party: Party, path: str, offset: int, part: bytes) -> Any:
    headers = {"Upload-Offset": str(offset), "Content-Type": "application/octet-stream"}
    return call(party, "PATCH", path, data=part, headers=headers)


def upload(party: Party, content: bytes, form: str = "ndjson") -> str:
    """Send a file in two parts; where it is."""
    made = announce(party, content, form)
    assert made.status_code == 201, made.text
    path, half = f"{PATH}/{made.json['id']}", len(content) // 2
    assert send(party, path, 0, content[:half]).status_code == 204
    whole = send(party, path, half, content[half:])
    assert whole.status_code == 202, whole.text
    assert whole.headers["Content-Location"].endswith(path)
    return path


def upload_large(party: Party, content: bytes, form: str) -> str:
    """Send a file in parts of the largest size; where it is."""
    path = f"{PATH}/{announce(party, content, form).json['id']}"
    for offset in range(0, len(content), MOST_PART_BYTES):
        assert send(party, path, offset, content[offset : offset + MOST_PART_BYTES]).status_code in {202, 204}
    return path


def run(world: World, path: str, **more: Any) -> bool:
    return process(world.renhice, UUID(path.rpartition("/")[2]), **more)


def versions(world: World, path: str) -> int:
    """How many versions of records the whole registry has."""
    query = select(func.count()).select_from(SourceRecordVersion)
    return int(world.transact(lambda session: session.scalar(query)))
