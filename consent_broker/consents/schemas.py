"""What travels at `/api/v1/access-requests`."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from consent_broker.consents.vocabulary import ALL_CATEGORIES, PURPOSES, SENSITIVE, end_of_day
from matching.records import DocumentType
from registry.directory.representatives import PAPERS, Basis, Power


class Until(fields.Field[datetime]):
    """A day (`2026-12-31`: through its end in Lima) or an instant with its offset."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> datetime:
        if not isinstance(value, str) or len(value) > 40:
            raise ValidationError("A date such as 2026-12-31.")
        try:
            if len(value) == 10:
                return end_of_day(date.fromisoformat(value))
            instant = datetime.fromisoformat(value)
            if instant.tzinfo is None:
                raise ValidationError("An instant needs its offset, such as -05:00.")
            return instant.astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError("A date such as 2026-12-31, or an instant with its offset.") from None

    def _serialize(self, value: Any, *_args: Any, **_kwargs: Any) -> str | None:
        return value.isoformat() if value is not None else None


class ProfessionalSchema(Schema):
    """A professional by college and registration number."""

    class Meta:
        unknown = RAISE

    college = fields.String(required=True, validate=validate.Regexp(r"[A-Z]{2,12}\Z"), metadata={"example": "CMP"})
    number = fields.String(
        required=True, validate=validate.Regexp(r"[0-9A-Za-z-]{1,16}\Z"), metadata={"example": "012345"}
    )


class NewAccessRequestSchema(Schema):
    """What a record system sends when a professional asks."""

    class Meta:
        unknown = RAISE

    person = fields.UUID(required=True)
    professional = fields.Nested(ProfessionalSchema, required=True)
    purpose = fields.String(load_default="TREAT", validate=validate.OneOf(sorted(PURPOSES)))
    categories = fields.List(
        fields.String(validate=validate.OneOf(sorted(ALL_CATEGORIES))),
        required=True,
        validate=validate.Length(1, len(ALL_CATEGORIES)),
    )
    labels = fields.List(
        fields.String(validate=validate.OneOf(sorted(SENSITIVE))),
        load_default=list,
        validate=validate.Length(0, len(SENSITIVE)),
        metadata={"description": "What is sensitive and needed, by HL7 label; the patient sees each."},
    )
    until = Until(load_default=None, metadata={"type": "string", "example": "2026-12-31"})

    @validates_schema
    def each_once(self, data: Mapping[str, Any], **_kwargs: Any) -> None:
        """Refuse repetitions: they are mistakes."""
        for name in ("categories", "labels"):
            named = data.get(name, [])
            if len(set(named)) != len(named):
                raise ValidationError("Each once.", name)


class AccessRequestSchema(Schema):
    """An access request as its establishment sees it; `id` is the `launch` of the authorization request."""

    id = fields.UUID()
    person = fields.UUID(attribute="person_id")
    purpose = fields.String()
    categories = fields.List(fields.String())
    labels = fields.List(fields.String())
    until = Until(attribute="ends_at", metadata={"type": "string"})
    status = fields.String(metadata={"enum": ["pending", "granted", "denied", "expired"]})
    created_at = fields.AwareDateTime()
    decided_at = fields.AwareDateTime(allow_none=True)


class RepresentativeSchema(Schema):
    """Who is to act for the patient: names and an identity document; `country` is its issuer, ISO 3166 alpha-3."""

    class Meta:
        unknown = RAISE

    name = fields.String(required=True, validate=validate.Regexp(r"[^\x00-\x1f]{2,200}\Z"))
    type = fields.String(load_default="DNI", validate=validate.OneOf([kind.value for kind in DocumentType]))
    number = fields.String(required=True, validate=validate.Regexp(r"[A-Z0-9-]{5,20}\Z"))
    country = fields.String(load_default="PER", validate=validate.Regexp(r"[A-Z]{3}\Z"))

    @validates_schema
    def form(self, data: Mapping[str, Any], **_kwargs: Any) -> None:
        """A DNI has eight digits."""
        if data.get("type") == "DNI" and not re.fullmatch(r"[0-9]{8}", data.get("number", "")):
            raise ValidationError("A DNI has eight digits.", "number")


class PaperSchema(Schema):
    """What a representation rests on; `sha256` is of the image the establishment keeps."""

    class Meta:
        unknown = RAISE

    kind = fields.String(required=True, validate=validate.OneOf(sorted(PAPERS)))
    reference = fields.String(required=True, validate=validate.Regexp(r"[^\x00-\x1f]{2,200}\Z"))
    sha256 = fields.String(required=True, validate=validate.Regexp(r"[0-9a-f]{64}\Z"))


class NewRepresentationSchema(Schema):
    """What a record system sends when somebody proves that they act for a patient."""

    class Meta:
        unknown = RAISE

    person = fields.UUID(required=True)
    representative = fields.Nested(RepresentativeSchema, required=True)
    basis = fields.String(required=True, validate=validate.OneOf([basis.value for basis in Basis]))
    powers = fields.List(
        fields.String(validate=validate.OneOf([power.value for power in Power])),
        load_default=lambda: ["see", "decide"],
        validate=validate.Length(1, len(Power)),
    )
    paper = fields.Nested(PaperSchema, required=True)
    professional = fields.Nested(ProfessionalSchema, required=True)
    until = Until(load_default=None, metadata={"type": "string", "example": "2027-12-31"})


class RepresentationSchema(Schema):
    """A representation as the establishment that recorded it sees it; never who."""

    id = fields.UUID()
    person = fields.UUID(attribute="person_id")
    basis = fields.String()
    powers = fields.List(fields.String())
    since = fields.AwareDateTime(attribute="valid_from")
    until = fields.AwareDateTime(attribute="valid_until", allow_none=True)
    ended_at = fields.AwareDateTime(allow_none=True)
