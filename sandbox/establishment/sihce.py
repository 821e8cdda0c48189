"""The record system's own side: the queue's controls, on loopback with a token, and the OAuth redirect URI."""

import hmac
from http import HTTPStatus

from flask import Blueprint, Response, abort, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from sandbox.establishment.queue import Queue
from sandbox.establishment.rehearsal import ACTS, rehearse
from sandbox.establishment.store import Store

LOOPBACK = frozenset({"127.0.0.1", "::1"})
MAX_CODE = 2048
blueprint = Blueprint("sihce", __name__, url_prefix="/sihce")


@blueprint.post("/send")
def send() -> ResponseReturnValue:
    """Start sending every patient that is not registered yet."""
    _only_operator()
    _queue().send()
    return _status(), HTTPStatus.ACCEPTED


@blueprint.post("/rehearse")
def act() -> ResponseReturnValue:
    """Do what the accreditation kit asks a record system's people to do: `{"act": "register"}` and so on."""
    _only_operator()
    body = request.get_json(silent=True)
    name = body.get("act") if isinstance(body, dict) else None
    if name not in ACTS:
        abort(HTTPStatus.BAD_REQUEST)
    rehearse(current_app.extensions["sandbox"]["store"], _queue(), name)
    return _status(), HTTPStatus.ACCEPTED


@blueprint.get("/status")
def status() -> ResponseReturnValue:
    """Return how many patients are pending, sent and in error, and why."""
    _only_operator()
    return _status()


@blueprint.get("/callback")
def callback() -> ResponseReturnValue:
    """Receive the professional's browser back from the registry (RFC 6749 §4.1.2); the code is not shown."""
    code, error = request.args.get("code", ""), request.args.get("error", "")
    if not (code or error) or len(code) + len(error) > MAX_CODE:
        return render_template("callback.html", received=False, error="sin código"), HTTPStatus.BAD_REQUEST
    return render_template("callback.html", received=not error, error=error)


def _only_operator() -> None:
    expected: str = current_app.extensions["sandbox"]["control_token"]
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if request.remote_addr not in LOOPBACK:
        abort(HTTPStatus.FORBIDDEN)
    if scheme.lower() != "bearer" or not hmac.compare_digest(token.encode(), expected.encode()):
        abort(HTTPStatus.UNAUTHORIZED)


def _status() -> Response:
    store: Store = current_app.extensions["sandbox"]["store"]
    return jsonify(store.counts() | {"problems": store.reasons()})


def _queue() -> Queue:
    queue: Queue = current_app.extensions["sandbox"]["queue"]
    return queue
