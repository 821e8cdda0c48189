"""The OpenAPI surface under /api: flask-smorest with our error faces and no third-party host."""

from typing import Any

from flask import Blueprint, Flask, Response, current_app, make_response, render_template_string
from flask_smorest import Api
from webargs.flaskparser import FlaskParser

from registry.errors import InvalidInput
from registry.fhir.wire import is_sound

API_TITLE = "RENHICE"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>RENHICE API</title>
<style>body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}
code,pre{font-family:ui-monospace,monospace}pre{overflow:auto;padding:1rem;border:1px solid}summary{cursor:pointer}
section{border-top:1px solid;padding:1rem 0}</style></head>
<body><h1>RENHICE API {{ spec.info.version }}</h1>
<p>The machine-readable description is <a href="/api/openapi.json">/api/openapi.json</a>.</p>
{% for path, verbs in spec.paths.items() %}{% for verb, operation in verbs.items() if verb in
("get", "post", "put", "patch", "delete") %}
<section><h2><code>{{ verb | upper }} {{ path }}</code></h2><p>{{ operation.summary }}</p>
<p>{{ operation.description }}</p>
{% if operation.requestBody %}<details><summary>Request</summary>
<pre>{{ operation.requestBody | tojson(2) }}</pre></details>{% endif %}
<details><summary>Responses</summary><pre>{{ operation.responses | tojson(2) }}</pre></details></section>
{% endfor %}{% endfor %}
<h2>Schemas</h2><pre>{{ spec.components | tojson(2) }}</pre></body></html>"""


class StrictParser(FlaskParser):
    """webargs' parser, for which JSON nested beyond reason is bad input, and each schema says what it takes."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}  # noqa: RUF012  # as webargs declares it

    def load_json(self, req: Any, schema: Any) -> Any:
        """The body as JSON; raises InvalidInput where the decoder's stack ends, or it holds what no text may hold."""
        try:
            found = super().load_json(req, schema)
        except RecursionError:
            raise InvalidInput("The JSON is nested too deeply.") from None
        if not is_sound(found):
            raise InvalidInput("The JSON holds characters or numbers that can't be taken, or is nested too deeply.")
        return found


def whole_number(text: str, name: str, most_digits: int = 9) -> int:
    """A number as it travels in a header or a query: ASCII digits and nothing else. Raises InvalidInput."""
    if not (text.isascii() and text.isdecimal() and len(text) <= most_digits):
        raise InvalidInput(f"{name} must be a whole number.", code="number-malformed")
    return int(text)


documentation = Blueprint("documentation", __name__)


class RenhiceApi(Api):  # type: ignore[misc]  # flask-smorest ships no types
    """flask-smorest without its app-wide error handler: `registry.faces` formats every error."""

    def _register_error_handlers(self) -> None:
        """Leave errors to the faces."""


def make_api(app: Flask) -> RenhiceApi:
    """Attach the API; blueprints are added by `registry.app.add_rooms`."""
    app.config.update(
        API_TITLE=API_TITLE,
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={
            "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}}
        },
    )
    return RenhiceApi(app)


def _spec() -> dict[str, Any]:
    found: dict[str, Any] = current_app.extensions["renhice-api"].spec.to_dict()
    return found


@documentation.get("/api/openapi.json")
def openapi() -> Response:
    """The OpenAPI 3.1 description of `/api/v1`."""
    return make_response(_spec())


@documentation.get("/api/docs")
def docs() -> Response:
    """The same for people: one page without scripts."""
    response = make_response(render_template_string(_PAGE, spec=_spec()))
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response
