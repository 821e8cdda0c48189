"""How the registry joins an application: its rooms with their policies, and its tasks."""

from registry.access import Authenticator, bearer, public
from registry.api import documentation
from registry.app import Renhice, Room
from registry.audit.chaining import CHAIN_EVERY, CHAIN_LATE_EVERY, chain_events, chain_late_events
from registry.bulk.export.routes import blueprint as exports
from registry.bulk.export.tasks import schedule_exports
from registry.bulk.routes import blueprint as imports
from registry.bulk.tasks import schedule_imports
from registry.database import session
from registry.fhir.audit_routes import blueprint as audit_events
from registry.fhir.capability import blueprint as capability
from registry.fhir.directory_routes import blueprints as directory
from registry.fhir.document_routes import documents, submission_sets
from registry.fhir.naming_routes import blueprint as naming_systems
from registry.fhir.provenance_routes import blueprint as provenances
from registry.fhir.routes import blueprint as fhir
from registry.fhir.system_routes import blueprint as fhir_system
from registry.health import blueprint as health
from registry.hl7v2.service import PURGE_EVERY as FORGET_EVERY
from registry.hl7v2.service import purge_messages
from registry.identity.reresolution.driving import EVERY, advance
from registry.identity.reresolution.report import ConsentCount
from registry.identity.routes import blueprint as stewardship
from registry.identity.verification import CHECK_EVERY, verify_due
from registry.messages.gateway import make_sms_gateway
from registry.messages.service import DELIVER_EVERY, PURGE_EVERY, deliver_texts, purge_texts
from registry.pide.reniec import make_identity_registry
from registry.statistics.tasks import follow_identity
from registry.worker import schedule

AUDIENCE = "/fhir"


def rooms(authenticate: Authenticator) -> list[Room]:
    """Health and documentation for everyone, FHIR for record systems, stewardship for who names a steward."""
    return [
        Room(blueprint=health, policy=public, surface="problem"),
        Room(blueprint=documentation, policy=public, surface="problem"),
        Room(blueprint=capability, policy=public, surface="fhir"),
        Room(blueprint=naming_systems, policy=public, surface="fhir"),
        *(Room(blueprint=one, policy=bearer(authenticate, AUDIENCE), surface="fhir") for one in directory),
        Room(blueprint=fhir, policy=bearer(authenticate, AUDIENCE), surface="fhir"),
        Room(blueprint=documents, policy=bearer(authenticate, AUDIENCE), surface="fhir"),
        Room(blueprint=submission_sets, policy=bearer(authenticate, AUDIENCE), surface="fhir"),
        Room(blueprint=provenances, policy=bearer(authenticate, AUDIENCE), surface="fhir"),
        Room(blueprint=audit_events, policy=bearer(authenticate, AUDIENCE), surface="fhir"),
        Room(blueprint=fhir_system, policy=bearer(authenticate, AUDIENCE), surface="fhir"),
        Room(blueprint=exports, policy=bearer(authenticate, AUDIENCE), surface="fhir"),
        Room(blueprint=imports, policy=bearer(authenticate, "/api/v1"), surface="problem"),
        Room(blueprint=stewardship, policy=bearer(authenticate, "/api/v1"), surface="problem"),
    ]


def schedule_registry_tasks(parts: Renhice, count_with_consent: ConsentCount) -> None:
    """Register the registry's periodic tasks and what follows its messages.

    Nothing is verified without PIDE, nothing sent without a gateway.
    """
    follow_identity(parts)
    _schedule_texts(parts)
    schedule_imports(parts)
    schedule_exports(parts)
    _schedule_chain(parts)
    schedule(parts.celery, "purge-messages", purge_messages, FORGET_EVERY)

    def reresolve() -> None:
        advance(parts, count_with_consent)

    schedule(parts.celery, "advance-reresolution", reresolve, EVERY)
    if parts.settings.pide_url is None:
        return
    identity_registry = make_identity_registry(parts.settings)

    def verify_records() -> None:
        verify_due(session(), parts.sealer, identity_registry)

    schedule(parts.celery, "verify-records", verify_records, CHECK_EVERY)


def _schedule_chain(parts: Renhice) -> None:
    def chain_audit() -> None:
        chain_events(session(), parts.sealer)

    def chain_late_audit() -> None:
        chain_late_events(session(), parts.sealer)

    schedule(parts.celery, "chain-audit", chain_audit, CHAIN_EVERY, in_bulk=True)
    schedule(parts.celery, "chain-late-audit", chain_late_audit, CHAIN_LATE_EVERY, in_bulk=True)


def _schedule_texts(parts: Renhice) -> None:
    schedule(parts.celery, "purge-texts", purge_texts, PURGE_EVERY)
    gateway = make_sms_gateway(parts.settings)
    if gateway is None:
        return

    def deliver() -> None:
        deliver_texts(parts.sealer, gateway)

    schedule(parts.celery, "deliver-texts", deliver, DELIVER_EVERY)
