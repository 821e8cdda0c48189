"""Puts one establishment together: its store, its queue, its FHIR server and the guard in front of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from consent_broker.resource_server import Guard, GuardMiddleware
from sandbox.establishment import fhir, sihce
from sandbox.establishment.queue import Queue
from sandbox.establishment.registry_client import Client, Registry
from sandbox.establishment.store import Store
from sandbox.places import BY_RENIPRESS

MAX_BODY = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What one establishment's process is told."""

    renipress: str
    registry: str
    fhir_endpoint: str
    client_id: str
    private_jwk: dict[str, Any]
    control_token: str
    database: Path


def create_app(configuration: Configuration) -> Flask:
    """Return the establishment's application; its queue is at `extensions["sandbox"]["queue"]`, not yet started."""
    place = BY_RENIPRESS[configuration.renipress]
    store = Store(configuration.database)
    client = Client(configuration.client_id, configuration.private_jwk)
    app = Flask("sandbox.establishment", template_folder=str(Path(__file__).parents[1] / "templates"))
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.extensions["sandbox"] = {
        "place": place,
        "store": store,
        "queue": Queue(
            store, Registry(configuration.registry, client), place.identifier_system, configuration.fhir_endpoint
        ),
        "control_token": configuration.control_token,
    }
    app.register_blueprint(fhir.blueprint)
    app.register_blueprint(sihce.blueprint)
    app.register_error_handler(HTTPException, _refuse)
    guard = Guard(
        configuration.registry, configuration.fhir_endpoint, configuration.client_id, configuration.private_jwk
    )
    app.wsgi_app = GuardMiddleware(app.wsgi_app, guard, prefix="/fhir", events_path="/events")  # type: ignore[method-assign]
    return app


def _refuse(error: HTTPException) -> Response:
    codes = {401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 413: "too-long"}
    status = error.code or 500
    return fhir.outcome(status, codes.get(status, "invalid"), error.description or error.name)
