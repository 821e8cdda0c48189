"""What most feeds say of a patient, checked by a small closed schema: whatever it takes, FHIR's whole model takes.

An element, a type of value or a form it does not name goes to the whole model, which is many times slower and says what
is wrong. A test holds the two together.
"""

from typing import cast

from pydantic_core import CoreSchema, SchemaValidator, ValidationError, to_json
from pydantic_core import core_schema as core

from registry.fhir.wire import MAX_TEXT, Json

_MONTH_AND_DAY = "(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31"
_DAY = f"(19|20)[0-9]{{2}}-({_MONTH_AND_DAY})"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{3})?(Z|-05:00)"
_SEEN = r"[!-~\u00c0-\u024f]"


def _text(pattern: str, longest: int = 200) -> CoreSchema:
    return core.str_schema(strict=True, max_length=longest, pattern=f"^{pattern}$")


def _some(item: CoreSchema, most: int = 20) -> CoreSchema:
    return core.list_schema(item, min_length=1, max_length=most, strict=True)


def _element(fields: dict[str, CoreSchema], required: tuple[str, ...] = ()) -> CoreSchema:
    """An object of these elements and no others."""
    named = {name: core.typed_dict_field(schema, required=name in required) for name, schema in fields.items()}
    closed = core.typed_dict_schema(named, extra_behavior="forbid", strict=True)
    return closed if required else core.no_info_after_validator_function(_says_something, closed)


def _says_something(element: Json) -> Json:
    """FHIR has no empty elements (ele-1)."""
    if not element:
        msg = "empty"
        raise ValueError(msg)
    return element


def _one_of(words: str) -> CoreSchema:
    return core.literal_schema(words.split(" "))


TEXT = _text(rf"{_SEEN}([ -~\u00c0-\u024f]*{_SEEN})?")
CODE = _text("[A-Za-z0-9]+(-[A-Za-z0-9]+)*", 100)
URI = _text("(https?://|urn:)[A-Za-z0-9./:_-]+")
CODINGS = _some(_element({"system": URI, "code": CODE, "display": TEXT}))
CONCEPT = _element({"coding": CODINGS, "text": TEXT})
EXTENSIONS = _some(
    core.union_schema(
        [
            _element({"url": URI, "valueString": TEXT}, ("url", "valueString")),
            _element({"url": URI, "valueCodeableConcept": CONCEPT}, ("url", "valueCodeableConcept")),
        ],
        mode="left_to_right",
    ),
    most=10,
)
IDENTIFIER = _element({
    "use": _one_of("usual official temp secondary old"),
    "type": _element({"coding": CODINGS, "text": TEXT, "extension": EXTENSIONS}),
    "system": URI,
    "value": TEXT,
})  # fmt: skip
NAME = _element({
    "use": _one_of("usual official temp nickname anonymous old maiden"),
    "text": TEXT,
    "family": TEXT,
    "_family": _element({"extension": EXTENSIONS}),
    "given": _some(TEXT),
})  # fmt: skip
CONTACT = _element({
    "system": _one_of("phone fax email pager url sms other"),
    "value": TEXT,
    "use": _one_of("home work temp old mobile"),
})  # fmt: skip
ADDRESS = _element({
    "extension": EXTENSIONS,
    "use": _one_of("home work temp old billing"),
    "text": TEXT,
    "line": _some(TEXT),
    "city": TEXT,
    "district": TEXT,
    "state": TEXT,
})  # fmt: skip
ELEMENTS = {
    "resourceType": _one_of("Patient"),
    "meta": _element({"lastUpdated": _text(f"{_DAY}T{_TIME}"), "profile": _some(URI)}),
    "active": core.bool_schema(strict=True),
    "extension": EXTENSIONS,
    "identifier": _some(IDENTIFIER),
    "name": _some(NAME),
    "telecom": _some(CONTACT),
    "gender": _one_of("male female other unknown"),
    "birthDate": _text(_DAY),
    "address": _some(ADDRESS),
}
"""What a Patient without surprises may say."""
_plain = SchemaValidator(_element(ELEMENTS, ("resourceType",)))


def is_plain(body: Json) -> bool:
    """Whether a Patient says only what is known here, in the forms known here: then it is valid."""
    try:
        _plain.validate_python(body)
    except ValidationError:
        return False
    return True


def read_plain(raw: bytes) -> Json | None:
    """The Patient in one JSON text where it is plain; None where it must be read the long way, or may be none at all.

    What is plain holds no text too long, no character that no text may hold, and no more than a few levels.
    """
    if len(raw) > MAX_TEXT or b"\\" in raw:
        return None
    try:
        body = cast("Json", _plain.validate_json(raw))
    except ValidationError:
        return None
    # Nothing is escaped, so that quotes count texts and names: a name written twice in an object would be missing.
    return body if to_json(body).count(b'"') == raw.count(b'"') else None
