"""What a directory file may hold: every item checked before it touches the database."""

import re
from datetime import date, datetime, time
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from matching.records import Document, DocumentType
from registry.calendar import LIMA
from registry.directory.client_keys import check_keys

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
RESOURCE_TYPES = ("AllergyIntolerance", "MedicationStatement", "Encounter", "Condition", "Immunization")
SCOPES = frozenset(
    {"system/Patient.cu", "system/Patient.rs", "system/Consent.cu", "system/Consent.rs"}
    | {"system/DocumentReference.cu", "system/DocumentReference.rs", "system/List.rs", "system/Provenance.rs"}
    | {"system/AuditEvent.rs", "system/Subscription.cruds"}
    | {"system/Patient.d"}
    | {"system/Organization.rs", "system/Location.rs", "system/Endpoint.rs"}
    | {"system/Practitioner.rs", "system/PractitionerRole.rs"}
    | {"access-request", "representation", "emergency", "bulk-import", "launch", "offline_access"}
    | {f"patient/{resource_type}.rs" for resource_type in RESOURCE_TYPES}
)
_NUMBERS = {DocumentType.DNI: r"\d{8}", DocumentType.CE: r"[A-Z0-9]{8,12}", DocumentType.PTP: r"[A-Z0-9]{8,12}"}


def _moment(value: object) -> object:
    """A bare date is midnight in Lima, where the law's periods are counted; a number is never a moment."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not re.match(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        msg = "must be a date such as 2027-12-31 or a moment with its time zone"
        raise ValueError(msg)
    return datetime.combine(date.fromisoformat(value), time.min, LIMA) if len(value) == 10 else value


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        msg = "needs a time zone, such as 2027-01-31T00:00:00-05:00, or be a bare date"
        raise ValueError(msg)
    if not 1900 <= value.year <= 2200:
        msg = "must lie between 1900 and 2200"
        raise ValueError(msg)
    return value


def _address(value: str) -> str:
    """An absolute https URL (http on loopback), with nothing that could smuggle credentials or a fragment."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not re.fullmatch(r"[!-~]+", value):
        msg = "must be an absolute https address"
        raise ValueError(msg)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        msg = "must use https (http serves only on loopback)"
        raise ValueError(msg)
    if parts.username or parts.password or parts.fragment or "#" in value:
        msg = "must hold no user name, password or fragment"
        raise ValueError(msg)
    return value


def _endpoint(value: str) -> str:
    if urlsplit(_address(value)).query:
        msg = "must hold no query"
        raise ValueError(msg)
    return value.rstrip("/")


def _identifier_system(value: str) -> str:
    if not re.fullmatch(r"(https?://|urn:)[!-~]+", value) or "|" in value:
        msg = "must be an absolute URI without spaces or '|'"
        raise ValueError(msg)
    return value


def _known_scope(value: str) -> str:
    if value not in SCOPES:
        msg = "is not a scope of this registry; known: " + " ".join(sorted(SCOPES))
        raise ValueError(msg)
    return value


OptionalText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\x00-\x1f]*$")]
Text = Annotated[OptionalText, Field(min_length=1)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,100}$")]
Renipress = Annotated[str, StringConstraints(pattern=r"^[0-9]{8}$")]
Moment = Annotated[datetime, BeforeValidator(_moment), AfterValidator(_aware)]
Address = Annotated[str, Field(max_length=500), AfterValidator(_address)]
Endpoint = Annotated[str, Field(max_length=500), AfterValidator(_endpoint)]
Scope = Annotated[str, Field(max_length=100), AfterValidator(_known_scope)]
Sha256 = Annotated[str, StringConstraints(to_lower=True, pattern=r"^[0-9A-Fa-f]{64}$")]
HL7Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._ -]{1,60}$")]
PideService = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,60}/[A-Za-z0-9_-]{1,60}$")]
PRIVATE = frozenset({"PRIVADO", "MIXTO"})
"""Sectors that PIDE does not serve."""
Profile = Literal["fapi2", "smart"]
OF_A_PLACE = "establishment-administrator"
"""The one role that is held for an establishment."""

Role = Literal["analyst", "steward", "privacy-officer", "administrator", "establishment-administrator"]


class Item(BaseModel):
    """One entry of the file: unknown fields are an error, so that a misspelt one is never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class EstablishmentItem(Item):
    """An establishment by its RENIPRESS code (8 digits)."""

    renipress: Renipress
    name: Text
    category: Literal["I-1", "I-2", "I-3", "I-4", "II-1", "II-2", "II-E", "III-1", "III-2", "III-E"]
    sector: Text
    region: Text
    ubigeo: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
    fhir_endpoint: Endpoint | None = None
    pide_service: PideService | None = None
    event_endpoint: Endpoint | None = None
    identifier_system: Annotated[str, Field(max_length=300), AfterValidator(_identifier_system)]
    hl7_namespace: HL7Name | None = None
    active: bool

    @model_validator(mode="after")
    def _public(self) -> Self:
        if self.pide_service is not None and (self.fhir_endpoint is None or self.sector.upper() in PRIVATE):
            msg = "pide_service is for public bodies with a fhir_endpoint"
            raise ValueError(msg)
        return self


class CertificateItem(Item):
    """A TLS client certificate on the HL7 v2 port: its SHA-256 fingerprint, and MSH-3 and MSH-4 of its messages."""

    sha256: Sha256
    application: HL7Name
    facility: HL7Name


class RecordSystemItem(Item):
    """A record system or app, its accreditation and its OAuth registration (RFC 7591 names)."""

    client_id: Code
    name: Text
    version: Text
    establishment: Renipress
    authority: Text
    accredited_from: Moment
    accredited_until: Moment
    profile: Profile = "fapi2"
    jwks: dict[str, Any] | None = None
    jwks_uri: Address | None = None
    redirect_uris: Annotated[list[Address], Field(max_length=10)] = []
    scopes: Annotated[list[Scope], Field(max_length=30)]
    certificates: Annotated[list[CertificateItem], Field(max_length=20)] | None = None
    """All that stand from now on; None leaves them as they are."""

    @model_validator(mode="after")
    def _period(self) -> Self:
        if self.accredited_from >= self.accredited_until:
            msg = "accredited_until must come after accredited_from"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _keys(self) -> Self:
        check_keys(self.jwks, self.jwks_uri, self.profile)
        return self


class DocumentItem(Item):
    """An identity document; `country` is the issuer, ISO 3166 alpha-3."""

    type: DocumentType
    number: Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z0-9-]{5,20}$")]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "PER"

    @model_validator(mode="after")
    def _form(self) -> Self:
        if not re.fullmatch(_NUMBERS.get(self.type, ".*"), self.number):
            msg = f"number does not have the form of a {self.type}"
            raise ValueError(msg)
        return self

    def document(self) -> Document:
        """The engine's value for it."""
        return Document(self.type, self.number, self.country)


class AffiliationItem(Item):
    """Where a professional works, as what, and for how long."""

    model_config = ConfigDict(populate_by_name=True)

    establishment: Renipress
    role: Text
    valid_from: Moment = Field(alias="from")
    valid_until: Moment | None = Field(default=None, alias="until")


class ProfessionalItem(Item):
    """A professional by college and registration number; `affiliations` is the whole list, absent ones end."""

    document: DocumentItem
    names: Text
    paternal_surname: Text
    maternal_surname: OptionalText = ""
    college: Code
    number: Code
    able_to_practise: bool
    affiliations: Annotated[list[AffiliationItem], Field(max_length=100)] = []

    @model_validator(mode="after")
    def _no_affiliation_twice(self) -> Self:
        places = [(affiliation.establishment, affiliation.role) for affiliation in self.affiliations]
        if len(set(places)) != len(places):
            msg = "the same establishment and role appear twice in affiliations"
            raise ValueError(msg)
        return self


class StaffItem(Item):
    """A role of staff until a date; an establishment's administrator names the establishment."""

    document: DocumentItem
    role: Role
    until: Moment
    establishment: Renipress | None = None

    @model_validator(mode="after")
    def _names_its_place(self) -> "StaffItem":
        if (self.role == OF_A_PLACE) != (self.establishment is not None):
            msg = f"establishment goes with the role {OF_A_PLACE}, and with no other"
            raise ValueError(msg)
        return self
