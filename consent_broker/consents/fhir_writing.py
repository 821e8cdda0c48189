"""What a record system may write: a proposal of its own, which permits nothing; and giving up what it was permitted.

Only the patient makes a consent active, over a road that proves their will: an update to `active` is refused.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.access_requests import Asking, request_access
from consent_broker.consents.fhir_consent import CATEGORY, Json
from consent_broker.consents.fhir_reading import own_consent
from consent_broker.consents.service import ConsentState, revoke_consent
from consent_broker.consents.vocabulary import CATEGORIES, Status
from registry.access import Caller
from registry.audit.event import Detail
from registry.errors import Conflict, Forbidden, Unprocessable
from registry.fhir.wire import fail
from registry.identity.service import VersionMismatch

_PRACTITIONER = re.compile(r"Practitioner/([0-9a-f-]{36})")
_TEXT = "The establishment gives up what it was permitted."


@dataclass(frozen=True, slots=True, kw_only=True)
class Renunciation:
    """The proof of a grantee that gives up its own permission: it narrows, so that nobody's will has to be shown."""

    decides_for: UUID
    caller: Caller

    @property
    def actor_person_id(self) -> None:
        """No human signed in."""

    @property
    def actor_role(self) -> str:
        """A record system acts."""
        return "record-system"

    @property
    def withheld(self) -> frozenset[str]:
        """No representative acts."""
        return frozenset()

    def as_record(self) -> dict[str, Any]:
        """The JSON kept with the version; carries no demographics."""
        return {**self.as_detail(), "text_sha256": sha256(_TEXT.encode()).hexdigest()}

    def as_detail(self) -> dict[str, Detail]:
        """What the audit event of the act says of it."""
        return {"channel": "fhir", "client": self.caller.client_id, "renounced_by": str(self.caller.establishment_id)}

    def require_strong(self, person_id: UUID, now: datetime) -> None:  # noqa: ARG002  # nothing is permitted by it
        """Raise Forbidden unless it is about that person."""
        if person_id != self.decides_for:
            raise Forbidden("Not this person's consent.", code="not-your-consent")


def propose(session: Session, caller: Caller, body: Json) -> UUID:
    """Ask a patient by a Consent with status `proposed`; returns the id of the consent that waits for their answer.

    Raises InvalidResource, Unprocessable for a status only a patient can give, and what `request_access` raises.
    """
    if body.get("status") != "proposed":
        raise Unprocessable(
            "Only the patient makes a consent active.",
            code="patient-decides",
            hint="Send status proposed; the patient answers in the portal, at the desk, or by authorization.",
        )
    provision: Json = body.get("provision") or {}
    if provision.get("type") != "permit":
        fail("Consent.provision.type", "must be permit")
    asking = Asking(
        establishment_id=caller.establishment_id,
        professional_id=_professional(provision),
        person_id=_person(body),
        purpose=_purpose(provision),
        categories=_categories(provision),
        ends_at=_end(provision),
        client_id=caller.client_id,
    )
    return request_access(session, asking).request.consent_id


def renounce(session: Session, caller: Caller, consent_id: UUID, expected_version: int | None = None) -> ConsentState:
    """Give up a permission to one's own establishment; raises NotFound, Conflict when it is not in force.

    Raises VersionMismatch where `expected_version` is given and is not the newest.
    """
    state = own_consent(session, caller, consent_id)
    if expected_version not in {None, state.version}:
        raise VersionMismatch("The Consent is not at the version this request was made for; read it again.")
    if state.status is Status.PROPOSED:
        raise Conflict(
            "What was only proposed can't be given up.",
            code="consent-state",
            hint="A proposal permits nothing, and ends with the patient's answer or by itself.",
        )
    proof = Renunciation(decides_for=state.terms.person_id, caller=caller)
    return revoke_consent(session, consent_id, proof, "renounced")


def _person(body: Json) -> UUID:
    reference = (body.get("patient") or {}).get("reference", "")
    try:
        return UUID(str(reference).removeprefix("Patient/"))
    except ValueError:
        fail("Consent.patient.reference", "must be Patient/ and the person's id")


def _professional(provision: Json) -> UUID:
    actors = provision.get("actor") or []
    references = [str((one.get("reference") or {}).get("reference", "")) for one in actors]
    found = [match for match in map(_PRACTITIONER.fullmatch, references) if match]
    if len(found) != 1:
        fail("Consent.provision.actor", "must name one Practitioner, the professional who asks")
    try:
        return UUID(found[0][1])
    except ValueError:
        fail("Consent.provision.actor", "must name one Practitioner, the professional who asks")


def _purpose(provision: Json) -> str:
    codes = [str(one.get("code")) for one in provision.get("purpose") or []]
    if len(codes) != 1:
        fail("Consent.provision.purpose", "must be one")
    return codes[0]


def _categories(provision: Json) -> frozenset[str]:
    extensions = provision.get("modifierExtension") or []
    types = [str(one.get("valueCode")) for one in extensions if one.get("url") == CATEGORY]
    if not types or len(types) != len(extensions) or not set(types) <= CATEGORIES.keys():
        fail("Consent.provision.modifierExtension", f"must name the record types asked for, each by {CATEGORY}")
    return frozenset(CATEGORIES[one] for one in types)


def _end(provision: Json) -> datetime | None:
    end = (provision.get("period") or {}).get("end")
    if end is None:
        return None
    try:
        moment = datetime.fromisoformat(str(end))
    except ValueError:
        fail("Consent.provision.period.end", "must be an instant with its offset")
    if moment.tzinfo is None:
        fail("Consent.provision.period.end", "must be an instant with its offset")
    return moment
