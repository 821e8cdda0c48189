"""The WSGI application: registry, consent broker and portal in one process."""

from flask import Flask

from registry.access import public
from registry.api import documentation
from registry.app import Room, add_rooms, make_app, make_parts
from registry.health import blueprint as health
from registry.settings import Settings, load_settings


def create_app(settings: Settings | None = None) -> Flask:
    """Compose the product; settings come from the environment unless given."""
    parts = make_parts(settings or load_settings())
    app = make_app(parts)
    add_rooms(
        app,
        [
            Room(blueprint=health, policy=public, surface="problem"),
            Room(blueprint=documentation, policy=public, surface="problem"),
        ],
    )
    return app
