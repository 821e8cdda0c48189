"""What travels at the desk's addresses."""

from marshmallow import RAISE, Schema, fields, validate

from consent_broker.consents.schemas import Until


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
