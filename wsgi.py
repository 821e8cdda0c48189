"""The WSGI application: registry, consent broker and portal in one process."""

from flask import Flask

from consent_broker.broker import install_broker
from consent_broker.oauth.rfc6750_bearer import BearerAuthenticator
from consent_broker.rooms import broker_rooms, schedule_broker_tasks
from portal.layout import error_page
from portal.rooms import rooms as portal_rooms
from registry.access import public
from registry.api import documentation
from registry.app import Room, add_rooms, make_app, make_parts
from registry.health import blueprint as health
from registry.settings import Settings, load_settings


def create_app(settings: Settings | None = None) -> Flask:
    """Compose the product; settings come from the environment unless given."""
    parts = make_parts(settings or load_settings())
    app = make_app(parts, error_page)
    authenticate = BearerAuthenticator(install_broker(app, parts.settings))
    schedule_broker_tasks(parts.celery)
    add_rooms(
        app,
        [
            Room(blueprint=health, policy=public, surface="problem"),
            Room(blueprint=documentation, policy=public, surface="problem"),
            *broker_rooms(authenticate),
            *portal_rooms(),
        ],
    )
    return app
