"""What travels at the desk's addresses."""

from marshmallow import RAISE, Schema, fields, validate

from consent_broker.consents.schemas import ProfessionalSchema, Until
from consent_broker.consents.vocabulary import ALL_CATEGORIES
from consent_broker.desk.attendance import IDENTIFIED_BY, LASTS, LONGEST


class SentCodeSchema(Schema):
    """A code on its way to the patient's telephone."""

    expires_at = fields.AwareDateTime()
    ending = fields.String(metadata={"description": "The last two digits of the telephone."})
    outcome = fields.String(allow_none=True, metadata={"enum": ["sent", "unwritable", "refused"]})
    tries_left = fields.Integer()


class ReadCodeSchema(Schema):
    """The code as the patient read it out."""

    class Meta:
        unknown = RAISE

    code = fields.String(required=True, validate=validate.Regexp(r"[0-9]{6}\Z"), metadata={"example": "482913"})


class GrantedSchema(Schema):
    """What the patient permitted."""

    consent = fields.UUID(attribute="id")
    categories = fields.List(fields.String(), attribute="terms.categories")
    until = Until(attribute="terms.ends_at", metadata={"type": "string"})


class NewAttendanceSchema(Schema):
    """What a record system states of a patient who is being attended there now."""

    class Meta:
        unknown = RAISE

    person = fields.UUID(required=True)
    professional = fields.Nested(ProfessionalSchema, required=True)
    encounter = fields.String(
        required=True,
        validate=validate.Regexp(r"[\x21-\x7e]{1,128}\Z"),
        metadata={"description": "The establishment's own reference; kept as a blind token only."},
    )
    identified_by = fields.String(required=True, validate=validate.OneOf(IDENTIFIED_BY))
    categories = fields.List(
        fields.String(validate=validate.OneOf(sorted(ALL_CATEGORIES))),
        required=True,
        validate=validate.Length(1, len(ALL_CATEGORIES)),
    )
    hours = fields.Integer(load_default=LASTS, strict=True, validate=validate.Range(1, LONGEST))


class AttendanceSchema(Schema):
    """What came of it: the categories permitted, and until when."""

    id = fields.UUID()
    consent = fields.UUID()
    categories = fields.List(fields.String())
    until = Until(metadata={"type": "string"})
