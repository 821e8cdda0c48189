"""The patient identity feed as a message (IHE PMIR ITI-93): a history of Patients, taken whole or not at all.

Whose record an entry is says the local number in the Patient, as everywhere: the ids in a message are its sender's own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn
from uuid import UUID, uuid4

from flask import g

from registry.access import Caller, require_scope
from registry.app import parts
from registry.database import session
from registry.directory.service import get_establishment
from registry.errors import Unprocessable
from registry.fhir.patient_answers import get_own, unknown
from registry.fhir.patient_feed import REVISED, feed_number, remove_by_id, remove_by_identifier
from registry.fhir.patient_reading import local_numbers
from registry.fhir.preconditions import ANY_VERSION
from registry.fhir.validation import validate
from registry.fhir.wire import Json, fail
from registry.identity.service import Engine, Outcome, engine_of

EVENT = "urn:ihe:iti:pmir:2019:patient-feed"
RESPONSE = f"{EVENT}-response"
PROFILE = "https://profiles.ihe.net/ITI/PMIR/StructureDefinition/IHE.PMIR.MessageHeader.Response"
WRITE, REMOVE = "system/Patient.cu", "system/Patient.d"
MOST_ENTRIES = 200
_TYPE = re.compile(r"(?:^|/)([A-Z][A-Za-z]{1,60})(?:/[^/]*)?$")


@dataclass(frozen=True, slots=True)
class Message:
    """A feed message: its id, and the entries of its history."""

    id: str
    entries: tuple[Json, ...]


def process_message(caller: Caller, body: Json) -> Json:
    """Do what the message says and answer with a message that names what became of each Patient.

    Raises InvalidResource, InvalidInput, Unprocessable, NotFound, Forbidden: then nothing of the message was done, and
    the refusal is answered with a message too.
    """
    message = read_message(body)
    engine = engine_of(parts())
    system = get_establishment(session(), caller.establishment_id).identifier_system
    done = [_done(entry, _take(engine, caller, system, entry, path)) for path, entry in _patients(message)]
    ignored = sorted({_type(entry) for entry in message.entries} - {"Patient"})
    return _answer(message, done, ignored)


def read_message(body: Json) -> Message:
    """A message Bundle of the event, and the history it is about; raises InvalidResource, Unprocessable.

    From here on it is known whose message is answered: a refusal names it.
    """
    validate(body, "Bundle")
    resources = [entry["resource"] for entry in body.get("entry", []) if "resource" in entry]
    if body["type"] != "message" or not resources or resources[0].get("resourceType") != "MessageHeader":
        fail("Bundle.entry", "must be a message that begins with its MessageHeader")
    header = resources[0]
    key = str(header.get("id") or "")
    g.fhir_envelope = partial(_refusal, key)
    if header.get("eventUri") != EVENT:
        raise Unprocessable("Only the patient feed is taken here.", code="unknown-event", hint=f"Send {EVENT}.")
    history = next((one for one in resources if one.get("resourceType") == "Bundle" and one["type"] == "history"), None)
    if history is None or not history.get("entry"):
        fail("Bundle.entry", "must hold a Bundle of type history with entries")
    if len(history["entry"]) > MOST_ENTRIES:
        fail("Bundle.entry.resource.entry", f"has more than {MOST_ENTRIES} entries")
    return Message(key, tuple(history["entry"]))


def _patients(message: Message) -> Iterator[tuple[str, Json]]:
    for index, entry in enumerate(message.entries):
        path = f"Bundle.entry.resource.entry[{index}]"
        if entry.get("request") is None:
            fail(f"{path}.request", "is required in a history")
        if _type(entry) == "Patient":
            yield path, entry


def _type(entry: Json) -> str:
    """What an entry is about: its resource, or the type its URL names."""
    resource: dict[str, Any] = entry.get("resource") or {}
    named = _TYPE.search(str(entry["request"]["url"]).partition("?")[0])
    return str(resource.get("resourceType") or (named[1] if named else ""))


def _take(engine: Engine, caller: Caller, system: str, entry: Json, path: str) -> Outcome:
    method, url = entry["request"]["method"], entry["request"]["url"]
    if method == "DELETE":
        require_scope(caller, REMOVE)
        return _remove(engine, caller, url)
    if method not in {"POST", "PUT"}:
        fail(f"{path}.request.method", "must be POST, PUT or DELETE")
    require_scope(caller, WRITE)
    patient: Json | None = entry.get("resource")
    if patient is None:
        fail(f"{path}.resource", "is required")
    numbers = local_numbers(patient, system)
    record_id = _own_id(url)
    if not numbers and record_id is not None:
        numbers = [_number_of(caller, record_id)]
        patient = patient | {"identifier": [*patient.get("identifier", []), {"system": system, "value": numbers[0]}]}
    if len(numbers) != 1:
        _no_number(path, system)
    return feed_number(engine, caller, numbers[0], patient)


def _number_of(caller: Caller, record_id: UUID) -> str:
    """The local number of one's own record that an entry names by its id alone, as a merge does."""
    own = get_own(caller, record_id)
    if own is None:
        raise unknown(caller, REVISED, record_id)
    return own.member.content.local_number


def _no_number(path: str, system: str) -> NoReturn:
    fail(f"{path}.resource.identifier", f"must hold one local number of the system {system}")


def _remove(engine: Engine, caller: Caller, url: str) -> Outcome:
    record_id = _own_id(url)
    if record_id is not None:
        return remove_by_id(engine, caller, record_id, ANY_VERSION)
    _, _, query = url.partition("identifier=")
    return remove_by_identifier(engine, caller, query or None, ANY_VERSION)


def _own_id(url: str) -> UUID | None:
    try:
        return UUID(url.rpartition("Patient/")[2])
    except ValueError:
        return None


def _done(entry: Json, outcome: Outcome) -> Json:
    name = f"Patient/{outcome.source_record_id}"
    made = f"{parts().settings.base_url}/fhir/{name}"
    response = {
        "status": "201" if outcome.created else "200",
        "location": f"{made}/_history/{outcome.version}",
        "etag": f'W/"{outcome.version}"',
        "lastModified": outcome.received_at.isoformat(timespec="milliseconds"),
    }
    request = {"method": entry["request"]["method"], "url": name}
    return {"fullUrl": made, "request": request, "response": response}


def _answer(message: Message, done: list[Json], ignored: list[str]) -> Json:
    history = {"resourceType": "Bundle", "id": str(uuid4()), "type": "history", "entry": done}
    outcome = {"resourceType": "OperationOutcome", "issue": [_ignored(one) for one in ignored]}
    return _message(message.id, "ok", outcome if ignored else None, history if done else None)


def _refusal(message_id: str, outcome: Json, status: int) -> Json:
    """The answer to a message that was not taken: whether it can be sent again as it is, and why not."""
    return _message(message_id, "transient-error" if status >= 500 or status == 429 else "fatal-error", outcome)


def _message(message_id: str, code: str, outcome: Json | None, history: Json | None = None) -> Json:
    response: Json = {"identifier": message_id or str(uuid4()), "code": code}
    header: Json = {
        "resourceType": "MessageHeader",
        "id": str(uuid4()),
        "meta": {"profile": [PROFILE]},
        "eventUri": RESPONSE,
        "source": {"endpoint": f"{parts().settings.base_url}/fhir/$process-message"},
        "response": response,
    }
    said = None if outcome is None else outcome | {"id": str(uuid4())}
    if said is not None:
        response["details"] = {"reference": f"urn:uuid:{said['id']}"}
    if history is not None:
        header["focus"] = [{"reference": f"urn:uuid:{history['id']}"}]
    resources = [one for one in (header, history, said) if one is not None]
    entries = [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in resources]
    return {"resourceType": "Bundle", "id": str(uuid4()), "type": "message", "entry": entries}


def _ignored(resource_type: str) -> Json:
    text = f"{resource_type or 'An entry without type'} was not kept: the registry keeps Patients."
    return {"severity": "information", "code": "not-supported", "details": {"text": text}}
