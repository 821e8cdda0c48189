"""Patient demographics query (IHE ITI-21, Q22 to K22): ITI-78 in other words, page by page."""

import re
from dataclasses import dataclass, field

from matching.records import Demographics
from registry.access import Caller
from registry.app import parts
from registry.database import session
from registry.directory.service import get_establishment
from registry.fhir.patient_answers import READ_RECORD, account
from registry.fhir.patient_parameters import BEGINS
from registry.fhir.patient_reading import mother_number_of
from registry.fhir.patient_search import UnknownDomain, search_patients
from registry.fhir.routes import PATIENT
from registry.fhir.searching import Criterion, Search
from registry.fhir.wire import Json
from registry.hl7v2.answers import Answer
from registry.hl7v2.authorities import Authority, find_system
from registry.hl7v2.faults import DATA_TYPE, REQUIRED_FIELD, TABLE_VALUE, UNKNOWN_KEY, Fault
from registry.hl7v2.parsing import Message, Repetition, Segment
from registry.hl7v2.patient_reading import GENDERS, to_fhir_date
from registry.hl7v2.patient_writing import write_patient
from registry.hl7v2.pix_query import read_domains
from registry.hl7v2.responses import respond
from registry.identity.mothers import find_mother

KIND = "RSP^K22^RSP_K22"
DEFAULT_PAGE, MOST_PAGE = 10, 50
PARAMETERS = {
    "PID.3": "id", "PID.3.1": "id", "PID.3.4": "authority", "PID.3.4.1": "authority", "PID.3.4.2": "universal",
    "PID.3.4.3": "universal_type", "PID.5": "family", "PID.5.1": "family", "PID.5.1.1": "family",
    "PID.5.2": "given", "PID.6.1": "mothersMaidenName", "PID.6.1.1": "mothersMaidenName", "PID.7": "birthdate",
    "PID.7.1": "birthdate", "PID.8": "gender", "PID.11.1": "address", "PID.11.1.1": "address", "PID.13": "phone",
    "PID.13.1": "phone", "PID.6.2": "mothersGivenName", "PID.21": "mother", "PID.21.1": "mother",
    "PID.21.4": "mother_authority", "PID.21.4.1": "mother_authority", "PID.21.4.2": "mother_universal",
    "PID.21.4.3": "mother_universal_type",
}  # fmt: skip
"""The fields that can be asked by; any other is refused, since leaving it out would find strangers."""

NAMES = frozenset({"family", "given", "mothersMaidenName", "mothersGivenName"})
FACTS = ("family", "given", "mothersMaidenName", "mothersGivenName", "birthdate", "gender", "address", "phone")


@dataclass(frozen=True, slots=True)
class Stated:
    """The parameters of QPD-3 by what they mean, where each stood, and which are beginnings of names."""

    values: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    beginnings: set[str] = field(default_factory=set)

    def authority(self, whose: str = "") -> Authority:
        """The assigning authority of the identifier, or of the mother's."""
        names = ("authority", "universal", "universal_type")
        return Authority(*(self.values.get(f"{whose}{name}", "") for name in names))


def query_demographics(caller: Caller, message: Message) -> Answer:
    """Patients who agree with all that QPD-3 states: by a number of one's own that record, else persons."""
    qpd = message.one("QPD")
    stated = _read(qpd)
    domains = [Criterion("identifier", None, (f"{system}|",)) for system in sorted(read_domains(qpd, 8))]
    offset, size = _page(caller, message, qpd)
    own = get_establishment(session(), caller.establishment_id).identifier_system
    active = Criterion("active", None, ("true",))
    criteria = (active, *_identifier(stated, own), *_mother(stated, own), *_facts(stated), *domains)
    try:
        found = search_patients(caller, Search(PATIENT, criteria, size, offset))
    except UnknownDomain:
        found = {}
    return _respond(caller, qpd, found, offset + size, own)


def _respond(caller: Caller, qpd: Segment, found: Json, end: int, own: str) -> Answer:
    shown = [one["resource"] for one in found.get("entry", []) if one["resource"]["resourceType"] == "Patient"]
    segments = [
        write_patient(session(), one, _ordered(one["identifier"], own), _mother_of(caller, one, own)) for one in shown
    ]
    total = int(found.get("total", 0))
    left = max(0, total - end)
    pointer = _pointer(caller, qpd, end) if left else ""
    return respond(KIND, qpd, segments, total=total, left=left, pointer=pointer)


def _mother_of(caller: Caller, patient: Json, own: str) -> Demographics:
    """What the establishment's own record says of the mother whose number a patient's gives; the read is audited."""
    number = mother_number_of(patient, own)
    found = find_mother(session(), parts().sealer, caller.establishment_id, number) if number else None
    if found is None:
        return Demographics()
    account(caller, READ_RECORD, found.person_id, source_record_id=found.member.record_id)
    return found.member.content.demographics


def _ordered(identifiers: list[Json], own: str) -> list[Json]:
    """One's own number first."""
    return sorted(identifiers, key=lambda one: one.get("system") != own)


def _read(qpd: Segment) -> Stated:
    stated = Stated()
    for number, one in enumerate(qpd.repetitions(3), 1):
        place = f"QPD^1^3^{number}"
        name, value = _parameter(one, place), one.text(2)
        if name in NAMES and re.fullmatch(r"[^*|]+\*", value):
            stated.beginnings.add(name)
            value = value.removesuffix("*")
        if "*" in value or "|" in value:
            hint = "A wildcard stands at the end of a name; besides, names are found as they sound."
            raise Fault("This wildcard is not taken.", number=DATA_TYPE, place=place, hint=hint)
        if value and name in stated.values:
            raise Fault("A field is stated twice.", number=DATA_TYPE, place=place)
        if value:
            stated.values[name], stated.places[name] = value, place
    if not stated.values:
        raise Fault("QPD-3 states nothing to search by.", number=REQUIRED_FIELD, place="QPD^1^3")
    return stated


def _parameter(one: Repetition, place: str) -> str:
    """What a field of QPD-3 means; raises Fault for one that can't be asked by, and for more than one value of it."""
    name = PARAMETERS.get(one.text(1).removeprefix("@").upper())
    if name is None:
        raise Fault("A patient can't be asked for by this field.", number=TABLE_VALUE, place=place)
    if one.rewritten().rstrip("^&").count("^") > 1 or len([part for part in one.texts(2) if part]) > 1:
        hint = "Ask for each part by itself, such as @PID.3.1 and @PID.3.4."
        raise Fault("A field is asked for with one value.", number=DATA_TYPE, place=place, hint=hint)
    return name


def _identifier(stated: Stated, own: str) -> list[Criterion]:
    """The identifier asked by; without an authority it is a number of one's own."""
    number = stated.values.get("id")
    return [] if number is None else [_token("identifier", stated.authority(), own, number)]


def _mother(stated: Stated, own: str) -> list[Criterion]:
    """The mother's number asked by."""
    number = stated.values.get("mother")
    return [] if number is None else [_token("mothersIdentifier", stated.authority("mother_"), own, number)]


def _token(name: str, authority: Authority, own: str, number: str) -> Criterion:
    system = find_system(session(), authority) if authority else own
    return Criterion(name, None, (f"{system or authority.namespace}|{number}",))


def _facts(stated: Stated) -> list[Criterion]:
    values = {name: stated.values[name] for name in FACTS if name in stated.values}
    if "gender" in values:
        values["gender"] = _gender(values["gender"], stated.places["gender"])
    if "birthdate" in values:
        values["birthdate"] = to_fhir_date(values["birthdate"], stated.places["birthdate"]) or ""
    return [Criterion(name, BEGINS if name in stated.beginnings else None, (value,)) for name, value in values.items()]


def _gender(code: str, place: str) -> str:
    found = GENDERS.get(code.upper())
    if found is None:
        raise Fault("The sex is not a code of table 0001.", number=TABLE_VALUE, place=place)
    return found


def _page(caller: Caller, message: Message, qpd: Segment) -> tuple[int, int]:
    """Where this page begins, and how many patients it holds."""
    quantity = next((one.text(2) for one in message.all("RCP")), "")
    if quantity and not re.fullmatch(r"[0-9]{1,9}", quantity, re.ASCII):
        raise Fault("RCP-2 is a whole number of records.", number=DATA_TYPE, place="RCP^1^2")
    size = min(int(quantity or 0) or DEFAULT_PAGE, MOST_PAGE)
    pointer = next((one.text(1) for one in message.all("DSC")), "")
    if not pointer:
        return 0, size
    begins = pointer.partition(".")[0]
    offset = int(begins) if re.fullmatch(r"[0-9]{1,6}", begins, re.ASCII) else 0
    if pointer != _pointer(caller, qpd, offset):
        raise Fault("DSC-1 continues no such query.", number=UNKNOWN_KEY, place="DSC^1^1")
    return offset, size


def _pointer(caller: Caller, qpd: Segment, offset: int) -> str:
    """DSC-1: where the next page begins, good for this caller and this query alone."""
    said = "|".join([caller.client_id, str(offset), qpd.rewritten(3), qpd.rewritten(8)])
    return f"{offset}.{parts().sealer.blind('hl7v2:continuation', said).hex()}"
