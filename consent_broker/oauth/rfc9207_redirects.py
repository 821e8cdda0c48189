"""Where the browser goes back to, with the issuer named on every answer, errors included (RFC 9207)."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Response


def answer_url(issuer: str, redirect_uri: str, parameters: Mapping[str, str | None]) -> str:
    """A registered redirect URI with the answer and `iss` added to its query (RFC 6749 §4.1.2)."""
    parts = urlsplit(redirect_uri)
    answer = {name: value for name, value in parameters.items() if value is not None} | {"iss": issuer}
    query = parse_qsl(parts.query, keep_blank_values=True) + list(answer.items())
    return urlunsplit(parts._replace(query=urlencode(query)))


def see_other(url: str) -> Response:
    """303: the browser follows with GET and never repeats a form to another site (RFC 9700 §4.12)."""
    return Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})
