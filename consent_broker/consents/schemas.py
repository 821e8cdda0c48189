"""What travels at `/api/v1/access-requests`."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from consent_broker.consents.vocabulary import ALL_CATEGORIES, PURPOSES, SENSITIVE, end_of_day


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
