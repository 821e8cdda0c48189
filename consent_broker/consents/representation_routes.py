"""`/api/v1/representations`: a professional puts on record, with the paper, who acts for a patient."""

from typing import Any
from uuid import UUID

from flask.views import MethodView
from flask_smorest import Blueprint

from consent_broker.consents.counter_representation import (
    Attending,
    end_at_establishment,
    own_representation,
    record_at_establishment,
)
from consent_broker.consents.representatives import Proposal
from consent_broker.consents.schemas import NewRepresentationSchema, RepresentationSchema
from matching.records import Document, DocumentType
from registry.access import caller, require_scope
from registry.api import StrictParser
from registry.app import parts
from registry.database import session
from registry.directory.models import Representation
from registry.directory.representatives import Basis, Paper, Power

SCOPE = "representation"

blueprint = Blueprint("representations", __name__, description="Who acts in a patient's name")
blueprint.ARGUMENTS_PARSER = StrictParser()


@blueprint.route("/api/v1/representations")
class Representations(MethodView):
    """Representations the caller's establishment puts on record."""

    @blueprint.arguments(NewRepresentationSchema)  # type: ignore[untyped-decorator]  # no types shipped
    @blueprint.response(201, RepresentationSchema)  # type: ignore[untyped-decorator]
    def post(self, wanted: dict[str, Any]) -> Representation:
        """Put a representation of one's own patient on record, in force from now; both see it in the portal."""
        require_scope(caller(), SCOPE)
        who, paper = wanted["representative"], wanted["paper"]
        document = Document(DocumentType(who["type"]), who["number"], who["country"])
        proposal = Proposal(
            person_id=wanted["person"],
            document=document,
            name=who["name"],
            basis=Basis(wanted["basis"]),
            powers=frozenset(map(Power, wanted["powers"])),
            paper=Paper(kind=paper["kind"], reference=paper["reference"], sha256=paper["sha256"]),
            until=wanted["until"],
        )
        attending = Attending(**wanted["professional"])
        return record_at_establishment(session(), parts().sealer, caller(), proposal, attending)


@blueprint.route("/api/v1/representations/<uuid:representation_id>")
class RepresentationItem(MethodView):
    """One that the caller's establishment put on record."""

    @blueprint.response(200, RepresentationSchema)  # type: ignore[untyped-decorator]
    def get(self, representation_id: UUID) -> Representation:
        """How it stands; another establishment's looks like an unknown one."""
        require_scope(caller(), SCOPE)
        return own_representation(session(), caller(), representation_id)

    @blueprint.response(200, RepresentationSchema)  # type: ignore[untyped-decorator]
    def delete(self, representation_id: UUID) -> Representation:
        """End it now."""
        require_scope(caller(), SCOPE)
        return end_at_establishment(session(), caller(), representation_id)
