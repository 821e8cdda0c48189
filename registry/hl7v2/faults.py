"""What is wrong with a message, as HL7 says it: an acknowledgment code, a place (ERR-2) and a code of table 0357."""

from registry.errors import DomainError

SEGMENT_SEQUENCE, REQUIRED_FIELD, DATA_TYPE, TABLE_VALUE = "100", "101", "102", "103"
MESSAGE_TYPE, EVENT_CODE, PROCESSING_ID, VERSION = "200", "201", "202", "203"
UNKNOWN_KEY, INTERNAL = "204", "207"
MEANINGS = {
    SEGMENT_SEQUENCE: "Segment sequence error",
    REQUIRED_FIELD: "Required field missing",
    DATA_TYPE: "Data type error",
    TABLE_VALUE: "Table value not found",
    MESSAGE_TYPE: "Unsupported message type",
    EVENT_CODE: "Unsupported event code",
    PROCESSING_ID: "Unsupported processing id",
    VERSION: "Unsupported version id",
    UNKNOWN_KEY: "Unknown key identifier",
    INTERNAL: "Application internal error",
}


class Fault(DomainError):
    """A message that can't be taken. `place` is ERR-2: segment, its number, field, repetition, component."""

    code = "message-refused"

    def __init__(self, message: str, *, number: str, place: str = "", ack: str = "AE", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.number, self.place, self.ack = number, place, ack


class Rejected(Fault):
    """A message that is none of ours, or that can't be read at all: AR (HL7 v2.5 §2.9.2.2)."""

    def __init__(self, message: str, *, number: str, place: str = "", hint: str | None = None) -> None:
        super().__init__(message, number=number, place=place, ack="AR", hint=hint)


PLACES = {
    "Patient.identifier": "PID^1^3",
    "Patient.name": "PID^1^5",
    "Patient.birthDate": "PID^1^7",
    "Patient.gender": "PID^1^8",
    "Patient.address": "PID^1^11",
    "Patient.telecom": "PID^1^13",
    "Patient.extension": "PID^1^21",
    "Patient.multipleBirth": "PID^1^25",
    "Patient.deceased": "PID^1^29",
}
"""Where a Patient's elements stand in a PID segment."""


def to_fault(error: DomainError) -> Fault:
    """What any other refusal of the registry is in HL7; a busy or broken registry rejects, so that it is sent again."""
    if isinstance(error, Fault):
        return error
    if error.status in {429, 503}:
        return Fault(error.message, number=INTERNAL, ack="AR", hint=error.hint)
    if error.status in {401, 403}:
        return Fault(error.message, number=INTERNAL, ack="AR", hint=error.hint)
    number = UNKNOWN_KEY if error.status == 404 else DATA_TYPE if error.status == 400 else INTERNAL
    expression = error.details[0].get("expression", "") if error.details else ""
    place = next((place for element, place in PLACES.items() if expression.startswith(element)), "")
    return Fault(error.message, number=number, place=place, hint=error.hint)
