"""What a Patient says of its own duplicates: `link` of type replaced-by (IHE PIXm ITI-104, PMIR)."""

from uuid import UUID

from registry.access import Caller
from registry.app import parts
from registry.database import session
from registry.errors import Unprocessable
from registry.fhir.systems import SOURCE_RECORD
from registry.fhir.wire import Json, fail
from registry.identity.records import find_own_id

OTHER = "Patient.link.other"


def replacement_of(caller: Caller, patient: Json, system: str) -> UUID | None:
    """The record that a Patient says it was replaced by; None for one that says nothing of the kind.

    Raises InvalidResource for a link that can't be read, Unprocessable for one that is not offered: the surviving
    Patient's `replaces`, or a duplicate that is still active.
    """
    links = [link for link in patient.get("link") or [] if isinstance(link, dict)]
    kinds = [str(link.get("type")) for link in links]
    if "replaces" in kinds:
        raise Unprocessable(
            "Say it on the duplicate: active false, and a link of type replaced-by.", code="replaces-not-offered"
        )
    replaced = [link for link in links if link.get("type") == "replaced-by"]
    if not replaced:
        return None
    if len(replaced) > 1:
        fail("Patient.link", "names more than one record that replaced this one")
    if patient.get("active") is not False:
        raise Unprocessable("A replaced record is inactive: send active false.", code="replaced-still-active")
    return _other(caller, replaced[0].get("other") or {}, system)


def _other(caller: Caller, other: Json, system: str) -> UUID:
    """By reference (`Patient/{id}`) or by an identifier of one's own."""
    reference = other.get("reference")
    if isinstance(reference, str):
        return _uuid(reference.rpartition("Patient/")[2])
    identifier = other.get("identifier") or {}
    value = identifier.get("value")
    if not isinstance(value, str) or identifier.get("system") not in {system, SOURCE_RECORD}:
        fail(OTHER, "must be a reference to a Patient of your establishment, or an identifier of one")
    if identifier["system"] == SOURCE_RECORD:
        return _uuid(value)
    found = find_own_id(session(), parts().sealer, caller.establishment_id, value.strip())
    if found is None:
        raise Unprocessable("Your establishment has no such record to stand for this one.", code="survivor-unknown")
    return found


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        fail(OTHER, "must be a reference to a Patient of your establishment, or an identifier of one")
