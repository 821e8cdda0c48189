"""What most feeds say of a patient, checked by a small closed model: whatever it takes, FHIR's whole model takes.

An element, a type of value or a form it does not name goes to the whole model, which is many times slower and says what
is wrong. A test holds the two together.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, ValidationError, model_validator

from registry.fhir.wire import Json

_DAY = "(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{3})?(Z|-05:00)"
_SEEN = r"[!-~\u00c0-\u024f]"
Text = Annotated[
    str, StringConstraints(strict=True, max_length=200, pattern=rf"^{_SEEN}([ -~\u00c0-\u024f]*{_SEEN})?$")
]
Code = Annotated[str, StringConstraints(strict=True, max_length=100, pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$")]
Uri = Annotated[str, StringConstraints(strict=True, max_length=200, pattern=r"^(https?://|urn:)[A-Za-z0-9./:_-]+$")]
Day = Annotated[str, StringConstraints(strict=True, pattern=f"^{_DAY}$")]
Instant = Annotated[str, StringConstraints(strict=True, pattern=f"^{_DAY}T{_TIME}$")]
SOME: Any = Field(default_factory=list, min_length=1, max_length=20)
# The defaults stand for elements that are not there; what is sent is held to the type.


class _Element(BaseModel):
    """An element that says something, and nothing unknown."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def says_something(self) -> "_Element":
        """FHIR has no empty elements (ele-1)."""
        if not self.model_fields_set:
            msg = "empty"
            raise ValueError(msg)
        return self


class _Coding(_Element):
    system: Uri = ""
    code: Code = ""
    display: Text = ""


class _Concept(_Element):
    coding: list[_Coding] = SOME
    text: Text = ""


class _TextExtension(_Element):
    url: Uri
    valueString: Text  # noqa: N815  # FHIR's name


class _ConceptExtension(_Element):
    url: Uri
    valueCodeableConcept: _Concept  # noqa: N815


Extensions = list[_TextExtension | _ConceptExtension]


class _Extended(_Element):
    extension: Extensions = Field(min_length=1, max_length=10)


class _Kind(_Concept):
    extension: Extensions = SOME


class _Identifier(_Element):
    use: Literal["usual", "official", "temp", "secondary", "old"] = "usual"
    type: _Kind = Field(default_factory=_Kind.model_construct)
    system: Uri = ""
    value: Text = ""


class _Name(_Element):
    use: Literal["usual", "official", "temp", "nickname", "anonymous", "old", "maiden"] = "usual"
    text: Text = ""
    family: Text = ""
    extended_family: _Extended = Field(default_factory=_Extended.model_construct, alias="_family")
    given: list[Text] = SOME


class _Contact(_Element):
    system: Literal["phone", "fax", "email", "pager", "url", "sms", "other"] = "phone"
    value: Text = ""
    use: Literal["home", "work", "temp", "old", "mobile"] = "home"


class _Address(_Element):
    extension: Extensions = SOME
    use: Literal["home", "work", "temp", "old", "billing"] = "home"
    text: Text = ""
    line: list[Text] = SOME
    city: Text = ""
    district: Text = ""
    state: Text = ""


class _Meta(_Element):
    lastUpdated: Instant = ""  # noqa: N815
    profile: list[Uri] = SOME


class PlainPatient(_Element):
    """A Patient without surprises."""

    resourceType: Literal["Patient"]  # noqa: N815
    meta: _Meta = Field(default_factory=_Meta.model_construct)
    active: StrictBool = True
    extension: Extensions = SOME
    identifier: list[_Identifier] = SOME
    name: list[_Name] = SOME
    telecom: list[_Contact] = SOME
    gender: Literal["male", "female", "other", "unknown"] = "unknown"
    birthDate: Day = ""  # noqa: N815
    address: list[_Address] = SOME


def is_plain(body: Json) -> bool:
    """Whether a Patient says only what is known here, in the forms known here: then it is valid."""
    try:
        PlainPatient.model_validate(body)
    except ValidationError:
        return False
    return True
