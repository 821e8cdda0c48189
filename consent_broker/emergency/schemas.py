"""What travels at `/api/v1/emergency-accesses`."""

from marshmallow import RAISE, Schema, fields

from consent_broker.consents.schemas import ProfessionalSchema


class NewEmergencySchema(Schema):
    """What a record system sends when a professional needs the basic information of somebody who can't authorise."""

    class Meta:
        unknown = RAISE

    person = fields.UUID(required=True)
    professional = fields.Nested(ProfessionalSchema, required=True)


class EmergencySchema(Schema):
    """A case as its establishment sees it; the professional declares at `declare_at`, until `declare_until`."""

    id = fields.UUID()
    person = fields.UUID(attribute="person_id")
    status = fields.String(metadata={"enum": ["asked", "open", "ended", "lapsed"]})
    declare_at = fields.URL()
    declare_until = fields.AwareDateTime()
    ends_at = fields.AwareDateTime(allow_none=True)
