"""PIX query (IHE ITI-9, Q23 to K23): the other identifiers of a patient, by the rules of the FHIR `$ihe-pix`."""

from registry.access import Caller
from registry.database import session
from registry.directory.service import get_establishment
from registry.errors import NotFound
from registry.fhir.parameters import PixQuery
from registry.fhir.patient_operations import UnknownAuthority, UnknownTarget, cross_reference
from registry.fhir.wire import Json
from registry.hl7v2.answers import Answer
from registry.hl7v2.authorities import find_system, read_authority
from registry.hl7v2.faults import UNKNOWN_KEY, Fault
from registry.hl7v2.parsing import Message, Segment, require
from registry.hl7v2.patient_writing import write_identifiers
from registry.hl7v2.responses import respond

KIND = "RSP^K23^RSP_K23"
SOURCE, AUTHORITY = "QPD^1^3^1^1", "QPD^1^3^1^4"


def query_identifiers(caller: Caller, message: Message) -> Answer:
    """The identifiers of the person whom the number of QPD-3 names, in the domains of QPD-4 (none is all)."""
    qpd = message.one("QPD")
    query = _read(qpd)
    own = get_establishment(session(), caller.establishment_id).identifier_system
    try:
        found = cross_reference(caller, query)
    except UnknownAuthority:
        raise Fault("The domain of QPD-3 is not known here.", number=UNKNOWN_KEY, place=AUTHORITY) from None
    except UnknownTarget:
        raise _unknown_target(1) from None
    except NotFound as error:
        refusal = Fault("There is no such patient.", number=UNKNOWN_KEY, place=SOURCE)
        refusal.audit = error.audit
        raise refusal from None
    identifiers = _identifiers(found, query)
    identifiers.sort(key=lambda one: one["system"] != own)
    segments = [write_identifiers(session(), identifiers)] if identifiers else []
    return respond(KIND, qpd, segments, total=len(segments))


def _read(qpd: Segment) -> PixQuery:
    found = qpd.repetitions(3)
    value = require(found[0].text(1) if found else "", "QPD-3", SOURCE)
    system = find_system(session(), read_authority(found[0]))
    if system is None:
        raise Fault("The domain of QPD-3 is not known here.", number=UNKNOWN_KEY, place=AUTHORITY)
    return PixQuery(system, value, read_domains(qpd, 4))


def read_domains(qpd: Segment, field: int) -> frozenset[str]:
    """The identifier systems of the domains asked for; raises Fault for one that is not known."""
    systems = []
    for number, one in enumerate(qpd.repetitions(field), 1):
        system = find_system(session(), read_authority(one))
        if system is None:
            raise _unknown_target(number, field)
        systems.append(system)
    return frozenset(systems)


def _unknown_target(number: int, field: int = 4) -> Fault:
    return Fault("A domain asked for is not known here.", number=UNKNOWN_KEY, place=f"QPD^1^{field}^{number}^4")


def _identifiers(found: Json, query: PixQuery) -> list[Json]:
    """What was found, and the number that was asked with: HL7 v2 repeats it where its domain is wanted."""
    told = [one["valueIdentifier"] for one in found.get("parameter", []) if one["name"] == "targetIdentifier"]
    repeated = not query.targets or query.system in query.targets
    return [{"system": query.system, "value": query.value}, *told] if repeated else told
