"""How the broker joins an application: its rooms with their policies, its tasks, its commands."""

from pathlib import Path

import click
from celery import Celery

from consent_broker.broker import Broker
from consent_broker.consents.commands import representatives
from consent_broker.consents.fhir_routes import blueprint as fhir_consents
from consent_broker.consents.fhir_routes import policies
from consent_broker.consents.representation_routes import blueprint as representations
from consent_broker.consents.routes import blueprint as access_requests
from consent_broker.consents.tasks import EXPIRE_EVERY, expire_ended_consents
from consent_broker.desk.routes import blueprint as desk
from consent_broker.desk.tasks import PURGE_EVERY as PURGE_DESK_EVERY
from consent_broker.desk.tasks import purge_desk_codes
from consent_broker.emergency.notices import OFFICER, writer_to_officer
from consent_broker.emergency.routes import blueprint as emergency_accesses
from consent_broker.exchange.document_routes import blueprint as exchange_documents
from consent_broker.exchange.routes import blueprint as exchange
from consent_broker.oauth.cors import blueprint as cross_origin
from consent_broker.oauth.rfc7517_keys import rotate_signing_key
from consent_broker.oauth.routes import authorization
from consent_broker.oauth.routes import blueprint as oauth
from consent_broker.oauth.tasks import PURGE_EVERY, purge_credentials
from consent_broker.signals import notifying, revocations  # noqa: F401  # their subscribers register themselves
from consent_broker.signals.commands import replay_signals, signals
from consent_broker.signals.subscription_routes import blueprint as fhir_subscriptions
from consent_broker.signals.tasks import DELIVER_EVERY, deliver_signals, purge_signals
from consent_broker.signals.tasks import PURGE_EVERY as PURGE_SIGNALS_EVERY
from registry.access import Authenticator, bearer, public, self_authenticated
from registry.app import Room
from registry.messages.service import composer
from registry.settings import load_settings
from registry.worker import schedule


def broker_rooms(authenticate: Authenticator) -> list[Room]:
    """The broker's blueprints behind their policies."""
    return [
        Room(blueprint=oauth, policy=self_authenticated, surface="oauth"),
        Room(blueprint=authorization, policy=self_authenticated, surface="page"),
        Room(blueprint=cross_origin, policy=public, surface="oauth"),
        Room(blueprint=access_requests, policy=bearer(authenticate, "/api/v1"), surface="problem"),
        Room(blueprint=representations, policy=bearer(authenticate, "/api/v1"), surface="problem"),
        Room(blueprint=desk, policy=bearer(authenticate, "/api/v1"), surface="problem"),
        Room(blueprint=emergency_accesses, policy=bearer(authenticate, "/api/v1"), surface="problem"),
        Room(blueprint=fhir_consents, policy=bearer(authenticate, "/fhir"), surface="fhir"),
        Room(blueprint=fhir_subscriptions, policy=bearer(authenticate, "/fhir"), surface="fhir"),
        Room(blueprint=policies, policy=public, surface="page"),
        Room(blueprint=exchange_documents, policy=bearer(authenticate, "/exchange"), surface="fhir"),
        Room(blueprint=exchange, policy=bearer(authenticate, "/exchange"), surface="fhir"),
    ]


def schedule_broker_tasks(celery: Celery, broker: Broker) -> None:
    """Register the broker's periodic tasks, and what follows its messages."""
    schedule(celery, "purge-credentials", purge_credentials, PURGE_EVERY)
    schedule(celery, "expire-consents", expire_ended_consents, EXPIRE_EVERY)
    schedule(celery, "purge-desk-codes", purge_desk_codes, PURGE_DESK_EVERY)
    schedule(celery, "purge-signals", purge_signals, PURGE_SIGNALS_EVERY)

    composer(OFFICER)(writer_to_officer(broker.settings.privacy_officer_phone))

    def push_signals() -> None:
        deliver_signals(broker)

    schedule(celery, "deliver-signals", push_signals, DELIVER_EVERY)


@click.group("broker")
def broker_commands() -> None:
    """The consent broker."""


@broker_commands.command("rotate-signing-key")
@click.option("--directory", type=click.Path(path_type=Path), help="Default: RENHICE_KEYS_DIR.")
def rotate(directory: Path | None) -> None:
    """Publish the next signing key now; it signs in fifteen minutes, with no restart."""
    click.echo(f"made {rotate_signing_key(directory or load_settings().keys_dir)}")


broker_commands.add_command(representatives)
broker_commands.add_command(signals)
broker_commands.add_command(replay_signals)
