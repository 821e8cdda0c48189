"""Strict reading of OAuth parameters: one place, once each, bounded (RFC 6749 §3.1, §3.2)."""

from authlib.oauth2.rfc6749.errors import InvalidRequestError
from flask import Request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

MAX_BODY = 65_536
MAX_PARAMETERS = 30
MAX_VALUE = 8_192
FORM = "application/x-www-form-urlencoded"


def read_form(request: Request) -> dict[str, str]:
    """The parameters of a POST to the token, introspection or revocation endpoint; raises InvalidRequestError.

    Nothing may travel in the query: it would end in logs, and would mix two places (RFC 9700 §4.3).
    """
    if request.query_string:
        raise InvalidRequestError("Parameters belong in the body only")
    return _strict(_form(request))


def read_authorization_parameters(request: Request) -> dict[str, str]:
    """The parameters of an authorization request, by GET in the query or by POST in the body, never in both."""
    if request.method == "POST":
        return read_form(request)
    if len(request.query_string) > MAX_BODY // 2:
        raise InvalidRequestError("The request is too large")
    return _strict(request.args)


def _form(request: Request) -> MultiDict[str, str]:
    if request.mimetype != FORM:
        raise InvalidRequestError(f"Send the parameters as {FORM}")
    if (request.content_length or 0) > MAX_BODY:
        raise InvalidRequestError("The request is too large", status_code=413)
    request.max_form_memory_size = request.max_content_length = MAX_BODY
    try:
        return request.form
    except RequestEntityTooLarge:
        raise InvalidRequestError("The request is too large", status_code=413) from None


def _strict(parameters: MultiDict[str, str]) -> dict[str, str]:
    """Each parameter once; one without a value counts as omitted (RFC 6749 §3.1)."""
    if len(parameters) > MAX_PARAMETERS or any(len(values) > 1 for _, values in parameters.lists()):
        raise InvalidRequestError("A parameter is given more than once, or there are too many")
    if any(len(value) > MAX_VALUE or "\x00" in value or "\x00" in name for name, value in parameters.items()):
        raise InvalidRequestError("A parameter is too long or holds a forbidden character")
    return {name: value for name, value in parameters.items() if value}
