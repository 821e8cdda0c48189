"""The WSGI application: registry, consent broker and portal in one process."""

from flask import Flask

from consent_broker.broker import install_broker
from consent_broker.consents.regrouping import list_effects
from consent_broker.consents.states import count_with_consent
from consent_broker.oauth.rfc6750_tokens import AccessTokens
from consent_broker.rooms import broker_rooms, schedule_broker_tasks
from portal.layout import error_page
from portal.rooms import rooms as portal_rooms
from portal.tasks import schedule_portal_tasks
from registry.access import Authenticator
from registry.app import add_rooms, make_app, make_parts
from registry.identity.consequences import install_consequences
from registry.rooms import rooms as registry_rooms
from registry.rooms import schedule_registry_tasks
from registry.settings import Settings, load_settings


def create_app(settings: Settings | None = None, authenticate: Authenticator | None = None) -> Flask:
    """Compose the product; settings come from the environment, tokens are checked by the broker, unless given."""
    parts = make_parts(settings or load_settings())
    app = make_app(parts, error_page)
    broker = install_broker(app, parts.settings, parts.sealer)
    install_consequences(app, list_effects)
    authenticate = authenticate or AccessTokens(broker)
    schedule_registry_tasks(parts, count_with_consent)
    schedule_broker_tasks(parts.celery, broker)
    schedule_portal_tasks(parts.celery)
    add_rooms(app, [*registry_rooms(authenticate), *broker_rooms(authenticate), *portal_rooms()])
    return app
