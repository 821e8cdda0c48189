"""The operator that carries text messages, and everybody's telephone: what was sent to which number, newest first."""

import hmac
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click
from flask import Flask, Response, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from sandbox.files import read_json
from sandbox.serving import out_option, read_summary, serve

Json = dict[str, Any]
MAX_BODY = 8192
KEPT = 500
LONGEST = 1600
MODES = frozenset({"normal", "down", "refusing"})
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"


@dataclass(slots=True)
class Carrier:
    """The messages taken, by key; `mode` makes it fail for tests."""

    token: str
    control_token: str
    mode: str = "normal"
    messages: OrderedDict[str, Json] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str, message: Json) -> bool:
        """Keep a message; False when that key was taken before."""
        with self.lock:
            if key in self.messages:
                return False
            while len(self.messages) >= KEPT:
                self.messages.popitem(last=False)
            self.messages[key] = message | {"at": datetime.now(UTC).isoformat(timespec="seconds")}
            return True

    def newest_first(self, number: str = "") -> list[Json]:
        """What was sent, to that number or to any."""
        with self.lock:
            return [one for one in reversed(self.messages.values()) if number in {"", one["to"]}]


class Views:
    """The carrier's addresses."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    def send(self) -> ResponseReturnValue:
        """Take a message; the same key again changes nothing."""
        carrier = self._carrier
        if not _bears(carrier.token):
            return jsonify(error="unauthorized"), HTTPStatus.UNAUTHORIZED
        if carrier.mode == "down":
            return jsonify(error="maintenance"), HTTPStatus.SERVICE_UNAVAILABLE
        message, key = _message(), request.headers.get("Idempotency-Key", "")
        if carrier.mode == "refusing" or message is None or not key:
            return jsonify(error="unprocessable"), HTTPStatus.UNPROCESSABLE_ENTITY
        return jsonify(id=key), HTTPStatus.ACCEPTED if carrier.take(key, message) else HTTPStatus.OK

    def control(self) -> ResponseReturnValue:
        """Make the carrier fail in one way, or mend it: {"mode"}."""
        mode = str((request.get_json(silent=True) or {}).get("mode"))
        if not _bears(self._carrier.control_token) or mode not in MODES:
            return jsonify(error="refused"), HTTPStatus.FORBIDDEN
        self._carrier.mode = mode
        return jsonify(mode=mode)

    def outbox(self) -> ResponseReturnValue:
        """What was sent, for scripts."""
        return jsonify(messages=self._carrier.newest_first(request.args.get("to", "")))

    def page(self) -> ResponseReturnValue:
        """What was sent, for people."""
        return make_response(render_template("sms.html", messages=self._carrier.newest_first()))


def create_app(carrier: Carrier) -> Flask:
    """Return the carrier as an application."""
    app = Flask("sandbox", template_folder="templates", static_folder="static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    views = Views(carrier)
    app.add_url_rule("/v1/messages", view_func=views.send, methods=["POST"])
    app.add_url_rule("/control", view_func=views.control, methods=["POST"])
    app.add_url_rule("/messages.json", view_func=views.outbox)
    app.add_url_rule("/", view_func=views.page)
    app.register_error_handler(HTTPException, _refuse)
    app.after_request(_protect)
    return app


def _bears(token: str) -> bool:
    return hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {token}".encode())


def _message() -> Json | None:
    """The message of the request; None when it is not one."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or body.keys() != {"to", "from", "text"}:
        return None
    if not all(isinstance(value, str) and 0 < len(value) <= LONGEST for value in body.values()):
        return None
    return body if body["to"].startswith("+") and body["to"][1:].isdecimal() else None


def _refuse(error: HTTPException) -> ResponseReturnValue:
    return jsonify(error=error.name), error.code or 500


def _protect(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


@click.command()
@out_option
def main(out: Path) -> None:
    """Run the operator of text messages."""
    layout, summary = read_summary(out)
    carrier = Carrier(read_json(layout.keys)["sms_token"], summary["control_token"])
    serve(create_app(carrier), summary["sms"]["port"])


if __name__ == "__main__":
    main()
