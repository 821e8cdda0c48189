"""What travels about an import."""

from marshmallow import Schema, fields, validate

from registry.bulk.service import FORMATS


class AnnouncedSchema(Schema):
    """A file that will be sent."""

    format = fields.String(required=True, validate=validate.OneOf(FORMATS))
    size = fields.Integer(required=True, strict=True, validate=validate.Range(1, 1 << 40))
    sha256 = fields.String(required=True, validate=validate.Regexp(r"\A[0-9a-f]{64}\Z"))


class ImportSchema(Schema):
    """How an import stands."""

    id = fields.UUID()
    format = fields.String()
    size = fields.Integer()
    sha256 = fields.String()
    received = fields.Integer()
    status = fields.String()
    error = fields.String(allow_none=True)
    line = fields.Integer()
    counts = fields.Dict(keys=fields.String(), values=fields.Integer())
    created_at = fields.DateTime()
    changed_at = fields.DateTime()
