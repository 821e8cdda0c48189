"""The application factory: rooms, their policies and faces, and the life of a request."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from celery import Celery
from flask import Blueprint, Flask, Response, current_app, g, request
from flask.sessions import NullSession, SecureCookieSessionInterface
from flask_smorest import Blueprint as ApiBlueprint
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import UUIDConverter

from registry.access import Policy
from registry.api import make_api
from registry.bodies import WholeRequest
from registry.database import Database, make_engine
from registry.errors import Face, Forbidden, InvalidInput
from registry.faces import install_faces
from registry.sealing import Sealer, create_keys
from registry.settings import Settings
from registry.telemetry import (
    LATENCY,
    METHODS,
    REQUESTS,
    accept_request_id,
    bind_request,
    configure_logging,
    current_request_id,
    logger,
)
from registry.worker import make_celery

_log = logger(__name__)
Surface = Literal["page", "problem", "fhir", "oauth"]
_CAREFUL = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)
"""What every answer says unless it says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A blueprint with the policy that guards it and the surface that formats its errors."""

    blueprint: Blueprint
    policy: Policy
    surface: Surface
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Renhice:
    """What one process shares; found at `app.extensions["renhice"]` through `parts()`."""

    settings: Settings
    database: Database
    sealer: Sealer
    celery: Celery


class _Application(Flask):
    """Flask without asynchronous views: none is looked for at each of a request's hooks."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Every view and hook as it is."""
        return func


class _Id(UUIDConverter):
    """An id in a path is written in one way: what compares paths, a log or a proxy, tells two of them apart."""

    regex = UUIDConverter.regex.replace("A-Fa-f", "a-f")


class _NoCookieSession(SecureCookieSessionInterface):
    """Flask's own session is not used: sign-ins live in the database."""

    def open_session(self, app: Flask, request: Any) -> NullSession:  # noqa: ARG002  # Flask's signature
        return self.make_null_session(app)


def make_parts(settings: Settings) -> Renhice:
    """Connect the shared parts; in the sandbox missing keys are made, elsewhere they are an error (SealError)."""
    configure_logging(settings.log_level)
    if settings.environment != "production":
        create_keys(settings.keys_dir)
    database = Database(make_engine(settings))
    return Renhice(settings, database, Sealer.from_directory(settings.keys_dir), make_celery(settings, database))


def make_app(parts: Renhice, page: Face | None = None) -> Flask:
    """An application without rooms; `page` renders errors for people (the portal's)."""
    app = _Application("renhice", static_folder=None)
    app.request_class = WholeRequest
    app.url_map.merge_slashes = False  # else `//` is answered by a 308 to whatever host the request names
    app.url_map.converters["uuid"] = _Id
    app.config["MAX_CONTENT_LENGTH"] = parts.settings.max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = parts.settings.max_body_bytes
    app.config["MAX_FORM_PARTS"] = 200
    app.config["SURFACES"], app.config["POLICIES"] = {}, {}
    app.session_interface = _NoCookieSession()
    app.extensions["renhice"] = parts
    if parts.settings.trusted_proxies:
        hops = parts.settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    app.before_request(_open)
    app.before_request(_refuse_control_characters)
    app.before_request(_authenticate)
    app.after_request(_commit)
    app.after_request(_describe)
    app.teardown_request(_close)
    install_faces(app, page)
    app.extensions["renhice-api"] = make_api(app)
    return app


def add_rooms(app: Flask, rooms: Sequence[Room]) -> None:
    """Register each room behind its policy; a blueprint registered otherwise is denied (see `_authenticate`)."""
    for room in rooms:
        app.config["SURFACES"][room.blueprint.name] = room.surface
        app.config["POLICIES"][room.blueprint.name] = room.policy
        if isinstance(room.blueprint, ApiBlueprint):
            app.extensions["renhice-api"].register_blueprint(room.blueprint)
        else:
            app.register_blueprint(room.blueprint, url_prefix=room.prefix)


def parts() -> Renhice:
    """The shared parts of the application being served."""
    found: Renhice = current_app.extensions["renhice"]
    return found


def _open() -> None:
    g.started = time.perf_counter()
    bind_request(accept_request_id(request.headers.get("X-Request-Id")))
    g.unit_of_work = parts().database.begin()


def _refuse_control_characters() -> None:
    """NUL is no text in any surface or column of ours; forms are read later, each by its own strict reader."""
    asked = request.args.items(multi=True) if request.query_string else ()
    if "\x00" in request.path or any("\x00" in part for pair in asked for part in pair):
        raise InvalidInput("The address holds a forbidden character.")


def _authenticate() -> None:
    """Run the policy of the blueprint about to answer; no policy, no answer."""
    if request.endpoint is None:
        return
    policy = current_app.config["POLICIES"].get(request.blueprint)
    if policy is None:
        raise Forbidden("This address has no access policy.", debug=f"endpoint {request.endpoint} has no policy")
    policy()


def _commit(response: Response) -> Response:
    g.unit_of_work.commit()
    return response


def _describe(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "(none)"
    seconds = time.perf_counter() - g.started
    method = request.method if request.method in METHODS else "OTHER"
    REQUESTS.labels(method, route, response.status_code).inc()
    LATENCY.labels(route).observe(seconds)
    headers = response.headers
    headers["X-Request-Id"] = current_request_id() or ""
    given = {name.lower() for name in headers.keys()}  # noqa: SIM118  # a MultiDict's iterator yields pairs
    headers.extend([(name, value) for name, value in _CAREFUL if name.lower() not in given])
    if parts().settings.secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
    caller = g.get("caller")
    _log.info(
        "request",
        method=method,
        route=route,
        status=response.status_code,
        duration_ms=round(seconds * 1000, 1),
        client_id=caller.client_id if caller else None,
    )
    return response


def _close(_error: BaseException | None) -> None:
    unit_of_work = g.pop("unit_of_work", None)
    if unit_of_work is not None:
        unit_of_work.close()
