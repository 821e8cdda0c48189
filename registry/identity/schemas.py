"""What travels at `/api/v1/possible-matches`, `/api/v1/decisions` and `/api/v1/persons`."""

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from registry.identity.comparison import COMPARED, SENSITIVE
from registry.identity.decisions import MAX_NOTE, REASONS
from registry.identity.worklist import MOST

HANDLE = validate.Regexp(r"[0-9a-f]{32}\Z")
MOST_RECORDS = 500


class Strict(Schema):
    """Input: what isn't known is refused."""

    class Meta:
        unknown = RAISE


class WorklistQuery(Strict):
    """Which possible matches, in which order; `after` is the last of the page before."""

    status = fields.String(load_default="open", validate=validate.OneOf(["open", "settled", "superseded"]))
    reason = fields.String(load_default=None, validate=validate.Regexp(r"[a-z-]{1,40}\Z"))
    establishment = fields.UUID(load_default=None)
    assigned = fields.String(load_default="any", validate=validate.OneOf(["any", "mine", "nobody"]))
    contested = fields.Boolean(load_default=None)
    awaiting = fields.Boolean(load_default=None)
    order = fields.String(load_default="oldest", validate=validate.OneOf(["oldest", "newest", "score"]))
    after = fields.UUID(load_default=None)
    limit = fields.Integer(load_default=25, strict=False, validate=validate.Range(1, MOST))


class CaseLineSchema(Schema):
    """A possible match on the worklist; `weight` in bits, `assigned_to` a steward's handle."""

    id = fields.UUID()
    reason = fields.String()
    status = fields.String()
    weight = fields.Float(allow_none=True)
    created_at = fields.AwareDateTime()
    closed_at = fields.AwareDateTime(allow_none=True)
    revision = fields.Integer()
    source_record = fields.UUID(attribute="source_record_id")
    establishment = fields.UUID(attribute="establishment_id")
    person = fields.UUID(attribute="person_id")
    rivals = fields.List(fields.UUID())
    assigned_to = fields.String(allow_none=True)
    assigned_at = fields.AwareDateTime(allow_none=True)
    undecided = fields.Integer()
    contested = fields.Boolean()
    awaiting = fields.UUID(allow_none=True)


class WorklistSchema(Schema):
    """A page of the worklist, and how many there are in all."""

    total = fields.Integer()
    items = fields.List(fields.Nested(CaseLineSchema))


class SaidSchema(Schema):
    """A source record: who said it and when, and every value; the fields in `masked` show their end only."""

    source_record = fields.UUID(attribute="record_id")
    person = fields.UUID(attribute="person_id")
    establishment = fields.UUID(attribute="establishment_id")
    version = fields.Integer()
    received_at = fields.AwareDateTime()
    active = fields.Boolean()
    check = fields.String(allow_none=True)
    values = fields.Dict(keys=fields.String(validate=validate.OneOf(list(COMPARED))), values=fields.String())
    masked = fields.List(fields.String())


class FieldComparisonSchema(Schema):
    """How a field agrees, in one of four words, and what it adds to the weight in bits."""

    field = fields.String()
    level = fields.String()
    state = fields.String(metadata={"enum": ["same", "similar", "different", "missing"]})
    weight = fields.Float()


class RivalSchema(Schema):
    """A person the record may be about, compared by its record that is most like it."""

    person = fields.UUID(attribute="person_id")
    is_home = fields.Boolean()
    records = fields.List(fields.Nested(SaidSchema))
    closest = fields.UUID(allow_none=True)
    fields_compared = fields.List(fields.Nested(FieldComparisonSchema), attribute="fields", data_key="fields")
    weight = fields.Float(attribute="weight_bits", allow_none=True)
    probability = fields.Float(allow_none=True)
    model_hash = fields.String()
    two_humans = fields.Boolean()


class DecisionSchema(Schema):
    """A decision and how it stands."""

    id = fields.UUID()
    state = fields.String(metadata={"enum": ["pending", "applied", "refused", "undone"]})
    verdict = fields.String(metadata={"enum": ["same", "different", "unknown", "undo"]})
    possible_match = fields.UUID(attribute="possible_match_id", allow_none=True)
    undoes = fields.UUID(allow_none=True)
    undone_by = fields.UUID(allow_none=True)
    person = fields.UUID(attribute="person_id")
    others = fields.List(fields.UUID())
    records = fields.List(fields.UUID())
    whole = fields.Boolean()
    reason = fields.String()
    steward = fields.String()
    decided_at = fields.AwareDateTime()
    second_steward = fields.String(allow_none=True)
    answered_at = fields.AwareDateTime(allow_none=True)


class CaseSchema(Schema):
    """A case side by side; `evidence` is what the engine saw when it asked, under `evidence_model`."""

    case = fields.Nested(CaseLineSchema, attribute="line")
    record = fields.Nested(SaidSchema, allow_none=True)
    companions = fields.List(fields.Nested(SaidSchema))
    rivals = fields.List(fields.Nested(RivalSchema))
    evidence = fields.List(fields.Nested(FieldComparisonSchema))
    evidence_model = fields.String()
    decisions = fields.List(fields.Nested(DecisionSchema))


def _sensitive(**more: Any) -> fields.List[str]:
    names = fields.String(validate=validate.OneOf(sorted(SENSITIVE)))
    return fields.List(names, validate=validate.Length(max=len(SENSITIVE)), **more)


class RevealSchema(Strict):
    """The masked fields a steward needs to see; the asking is in the log of every person concerned."""

    fields_wanted = _sensitive(required=True, data_key="fields")


class AssignmentSchema(Strict):
    """Who shall work on the case: oneself unless another steward is named. `revision` as the case was read."""

    steward = fields.String(load_default=None, validate=HANDLE)
    revision = fields.Integer(load_default=None)


class GroundsSchema(Strict):
    """Why; the reason `other` needs a note. Notes are kept sealed."""

    reason = fields.String(required=True, validate=validate.OneOf(sorted(REASONS)))
    note = fields.String(load_default=None, validate=validate.Length(max=MAX_NOTE))


class VerdictSchema(Strict):
    """A verdict without its grounds, as a preview takes it."""

    verdict = fields.String(required=True, validate=validate.OneOf(["same", "different", "unknown"]))
    other = fields.UUID(load_default=None)
    whole = fields.Boolean(load_default=True)
    survivor = fields.UUID(load_default=None)


class JudgementSchema(GroundsSchema, VerdictSchema):
    """A verdict on a possible match; `revision` as the case was read."""

    revision = fields.Integer(load_default=None)


class MergeSchema(GroundsSchema):
    """The person to join with this one, and which id stays."""

    other = fields.UUID(required=True)
    survivor = fields.UUID(load_default=None)


class SplitSchema(GroundsSchema):
    """The source records that get a person of their own."""

    records = fields.List(fields.UUID(), required=True, validate=validate.Length(1, MOST_RECORDS))


class AnswerSchema(Strict):
    """A second steward's answer to a decision that waits for one."""

    answer = fields.String(required=True, validate=validate.OneOf(["confirm", "refuse"]))


class ConsentEffectSchema(Schema):
    """A directive that would rest, or would hold for more records."""

    consent = fields.UUID(attribute="consent_id")
    person = fields.UUID(attribute="person_id")
    establishment = fields.UUID(attribute="establishment_id", allow_none=True)
    professional = fields.UUID(attribute="professional_id", allow_none=True)
    effect = fields.String(metadata={"enum": ["suspended", "extended"]})


class EffectsSchema(Schema):
    """What a verdict would do: which id stays, what moves, who is told, which consents change."""

    verdict = fields.String()
    survivor = fields.UUID(allow_none=True)
    replaced = fields.UUID(allow_none=True)
    new_person = fields.Boolean()
    moving = fields.List(fields.UUID())
    establishments = fields.List(fields.UUID())
    needs_second = fields.Boolean()
    refused = fields.String(allow_none=True)
    consents = fields.List(fields.Nested(ConsentEffectSchema))


class MomentQuery(Strict):
    """The moment wanted, with its offset (now unless given), and masked fields to reveal."""

    at = fields.AwareDateTime(load_default=None)
    reveal = _sensitive(load_default=())


class PastPersonSchema(Schema):
    """A person as it stood at a moment."""

    person = fields.UUID(attribute="person_id")
    at = fields.AwareDateTime()
    status = fields.String(metadata={"enum": ["active", "replaced", "empty"]})
    replaced_by = fields.UUID(allow_none=True)
    records = fields.List(fields.Nested(SaidSchema))
    preferred = fields.Dict(keys=fields.String(), values=fields.String())


class MembershipEventSchema(Schema):
    """What happened to a membership: when, by whom or by which model, how heavy the evidence was, and why."""

    position = fields.Integer()
    kind = fields.String(metadata={"enum": ["linked", "unlinked", "merged", "split"]})
    person = fields.UUID(attribute="person_id")
    source_record = fields.UUID(attribute="source_record_id")
    other_person = fields.UUID(attribute="other_person_id", allow_none=True)
    at = fields.AwareDateTime()
    actor = fields.String()
    reason = fields.String()
    model_hash = fields.String(allow_none=True)
    weight = fields.Float(allow_none=True)
    contributions = fields.Raw(allow_none=True)
    decision = fields.UUID(attribute="decision_id", allow_none=True)
