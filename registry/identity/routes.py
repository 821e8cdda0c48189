"""`/api/v1/possible-matches`, `/decisions`, `/persons`: a steward's work through a client that names the steward."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask.views import MethodView
from flask_smorest import Blueprint

from registry.access import caller, require_scope
from registry.api import StrictParser
from registry.app import parts
from registry.database import now, session
from registry.errors import Forbidden
from registry.identity import stewardship
from registry.identity.consequences import consent_effects
from registry.identity.models import MembershipEvent
from registry.identity.schemas import (
    AnswerSchema,
    AssignmentSchema,
    CaseLineSchema,
    CaseSchema,
    DecisionSchema,
    EffectsSchema,
    GroundsSchema,
    JudgementSchema,
    MembershipEventSchema,
    MergeSchema,
    MomentQuery,
    PastPersonSchema,
    RevealSchema,
    SplitSchema,
    VerdictSchema,
    WorklistQuery,
    WorklistSchema,
)
from registry.identity.service import Engine, engine_of
from registry.identity.stewardship import (
    Case,
    CaseLine,
    Decision,
    Filters,
    Grounds,
    Judgement,
    PastPerson,
    Steward,
)

SCOPE = "steward"

blueprint = Blueprint("stewardship", __name__, url_prefix="/api/v1", description="Stewards settle possible matches")
blueprint.ARGUMENTS_PARSER = StrictParser()


def _steward() -> Steward:
    """The human the caller's token names; raises Forbidden for a token that names nobody."""
    who = caller()
    require_scope(who, SCOPE)
    if who.staff is None:
        raise Forbidden("The access token names no steward.", code="steward-not-named")
    return Steward(handle=who.staff, client_id=who.client_id, token_id=who.token_id)


def _engine() -> Engine:
    return engine_of(parts())


def _grounds(sent: dict[str, Any]) -> Grounds:
    return Grounds(reason=sent["reason"], note=sent["note"])


@blueprint.route("/possible-matches")
class PossibleMatches(MethodView):
    """The worklist."""

    @blueprint.arguments(WorklistQuery, location="query")  # type: ignore[untyped-decorator]  # no types shipped
    @blueprint.response(200, WorklistSchema)  # type: ignore[untyped-decorator]
    def get(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """A page of possible matches, those nobody could settle last; ids only."""
        filters = Filters(
            status=wanted["status"],
            reason=wanted["reason"],
            establishment_id=wanted["establishment"],
            assigned=wanted["assigned"],
            contested=wanted["contested"],
            awaiting=wanted["awaiting"],
        )
        steward = _steward()
        page = {"order": wanted["order"], "after": wanted["after"], "limit": wanted["limit"]}
        return {
            "total": stewardship.count_cases(session(), steward, filters),
            "items": stewardship.list_cases(session(), steward, filters, **page),
        }


@blueprint.route("/possible-matches/<uuid:case_id>")
class PossibleMatchItem(MethodView):
    """One case."""

    @blueprint.response(200, CaseSchema)  # type: ignore[untyped-decorator]
    def get(self, case_id: UUID) -> Case:
        """The case side by side, sensitive values masked; audited for each person concerned."""
        return stewardship.read_case(session(), _engine(), _steward(), case_id)


@blueprint.route("/possible-matches/<uuid:case_id>/reveal")
class Reveal(MethodView):
    """Sensitive values."""

    @blueprint.arguments(RevealSchema)  # type: ignore[untyped-decorator]
    @blueprint.response(200, CaseSchema)  # type: ignore[untyped-decorator]
    def post(self, wanted: dict[str, Any], case_id: UUID) -> Case:
        """The case with the fields asked for in the clear; each asking is in the persons' logs."""
        return stewardship.read_case(session(), _engine(), _steward(), case_id, reveal=wanted["fields_wanted"])


@blueprint.route("/possible-matches/<uuid:case_id>/assignment")
class Assignment(MethodView):
    """Who works on a case."""

    @blueprint.arguments(AssignmentSchema)  # type: ignore[untyped-decorator]
    @blueprint.response(200, CaseLineSchema)  # type: ignore[untyped-decorator]
    def put(self, wanted: dict[str, Any], case_id: UUID) -> CaseLine:
        """Take a free case, or give one's own to another steward; 409 when it is somebody else's or has changed."""
        steward = _steward()
        to = wanted["steward"] or steward.handle
        return stewardship.assign(session(), steward, case_id, to, wanted["revision"])

    @blueprint.response(200, CaseLineSchema)  # type: ignore[untyped-decorator]
    def delete(self, case_id: UUID) -> CaseLine:
        """Give the case back to the worklist."""
        return stewardship.release(session(), _steward(), case_id)


@blueprint.route("/possible-matches/<uuid:case_id>/effects")
class EffectsOfVerdict(MethodView):
    """A preview."""

    @blueprint.arguments(VerdictSchema)  # type: ignore[untyped-decorator]
    @blueprint.response(200, EffectsSchema)  # type: ignore[untyped-decorator]
    def post(self, wanted: dict[str, Any], case_id: UUID) -> dict[str, Any]:
        """What a verdict would do now: which ids stay, who is told, which consents change; nothing is done."""
        judgement = Judgement(grounds=Grounds(reason="other"), **wanted)
        effects = stewardship.preview(session(), _engine(), _steward(), case_id, judgement)
        names = ("verdict", "survivor", "replaced", "new_person", "moving", "establishments", "needs_second", "refused")
        consents = consent_effects()(session(), effects.survivor, effects.replaced)
        return {name: getattr(effects, name) for name in names} | {"consents": consents}


@blueprint.route("/possible-matches/<uuid:case_id>/decisions")
class CaseDecisions(MethodView):
    """Verdicts on a case."""

    @blueprint.arguments(JudgementSchema)  # type: ignore[untyped-decorator]
    @blueprint.response(201, DecisionSchema)  # type: ignore[untyped-decorator]
    def post(self, wanted: dict[str, Any], case_id: UUID) -> Decision:
        """Same, different, or unknown; `pending` where a second steward must confirm."""
        judgement = Judgement(
            grounds=_grounds(wanted), **{name: wanted[name] for name in wanted if name not in {"reason", "note"}}
        )
        return stewardship.decide(session(), _engine(), _steward(), case_id, judgement)


@blueprint.route("/decisions/<uuid:decision_id>")
class DecisionItem(MethodView):
    """One decision."""

    @blueprint.response(200, DecisionSchema)  # type: ignore[untyped-decorator]
    def get(self, decision_id: UUID) -> Decision:
        """How a decision stands."""
        stewardship.require_steward(session(), _steward())
        return stewardship.get_decision(session(), decision_id)


@blueprint.route("/decisions/<uuid:decision_id>/answer")
class SecondSteward(MethodView):
    """Four eyes."""

    @blueprint.arguments(AnswerSchema)  # type: ignore[untyped-decorator]
    @blueprint.response(200, DecisionSchema)  # type: ignore[untyped-decorator]
    def post(self, wanted: dict[str, Any], decision_id: UUID) -> Decision:
        """Confirm as another steward, or refuse; the one who decided may only withdraw."""
        if wanted["answer"] == "confirm":
            return stewardship.confirm(session(), _engine(), _steward(), decision_id)
        return stewardship.refuse(session(), _steward(), decision_id)


@blueprint.route("/decisions/<uuid:decision_id>/undo")
class Undoing(MethodView):
    """Taking back."""

    @blueprint.arguments(GroundsSchema)  # type: ignore[untyped-decorator]
    @blueprint.response(201, DecisionSchema)  # type: ignore[untyped-decorator]
    def post(self, wanted: dict[str, Any], decision_id: UUID) -> Decision:
        """Take a decision back exactly; 409 names the later event or decision in the way."""
        return stewardship.undo(session(), _engine(), _steward(), decision_id, _grounds(wanted))


@blueprint.route("/persons/<uuid:person_id>")
class PersonItem(MethodView):
    """Time travel."""

    @blueprint.arguments(MomentQuery, location="query")  # type: ignore[untyped-decorator]
    @blueprint.response(200, PastPersonSchema)  # type: ignore[untyped-decorator]
    def get(self, wanted: dict[str, Any], person_id: UUID) -> PastPerson:
        """The person as it stood at a moment: its records as they were, and what was preferred then."""
        moment = wanted["at"] or now()
        return stewardship.person_at(session(), _engine(), _steward(), person_id, moment, wanted["reveal"])


@blueprint.route("/persons/<uuid:person_id>/history")
class PersonHistory(MethodView):
    """The events of a person."""

    @blueprint.response(200, MembershipEventSchema(many=True))  # type: ignore[untyped-decorator]
    def get(self, person_id: UUID) -> Sequence[MembershipEvent]:
        """Every link, unlink, merge and split of the person and of those it replaced, newest first."""
        return stewardship.list_history(session(), _steward(), person_id)


@blueprint.route("/persons/<uuid:person_id>/merge")
class Merging(MethodView):
    """Joining two persons without a case."""

    @blueprint.arguments(MergeSchema)  # type: ignore[untyped-decorator]
    @blueprint.response(201, DecisionSchema)  # type: ignore[untyped-decorator]
    def post(self, wanted: dict[str, Any], person_id: UUID) -> Decision:
        """Join this person with another; 422 where RENIEC confirmed two different DNIs."""
        persons = (person_id, wanted["other"])
        return stewardship.merge(session(), _engine(), _steward(), persons, _grounds(wanted), wanted["survivor"])


@blueprint.route("/persons/<uuid:person_id>/split")
class Splitting(MethodView):
    """Parting records."""

    @blueprint.arguments(SplitSchema)  # type: ignore[untyped-decorator]
    @blueprint.response(201, DecisionSchema)  # type: ignore[untyped-decorator]
    def post(self, wanted: dict[str, Any], person_id: UUID) -> Decision:
        """Give some of the person's records a person of their own."""
        return stewardship.split(session(), _engine(), _steward(), person_id, wanted["records"], _grounds(wanted))
