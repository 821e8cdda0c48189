"""The frame of every page: templates, security headers, theme and text size, the error page, static files."""

import gzip
import hashlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from flask import Response, g, request, url_for
from jinja2 import ChainableUndefined, Environment, PackageLoader, PrefixLoader
from werkzeug.exceptions import NotFound as PageNotFound

from portal import dates, texts
from portal.error_texts import ErrorText, error_text
from portal.errors import SPOKEN
from portal.hats import hats_of
from portal.pace import paced
from portal.wording import ORDINARY, PROMISE, REPEATED, from_where, of_days
from registry.errors import Problem

STATIC = Path(__file__).parent / "static"
THEMES = {"sistema": "rh-system", "claro": "rh-light", "oscuro": "rh-dark"}
TEXT_SIZES = {"100": "", "125": "rh-text-125", "150": "rh-text-150", "200": "rh-text-200"}
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain"}
_HERE = "<!-- arriving -->"
_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Look:
    """How the person wants pages to look; kept in two cookies and rendered on `<html>`."""

    theme: str
    text_size: str

    @property
    def classes(self) -> str:
        """The classes of `<html>`."""
        return f"{THEMES[self.theme]} {TEXT_SIZES[self.text_size]}".strip()


def look() -> Look:
    """The look of this request; anything unknown in the cookies falls back to the system's."""
    theme = request.cookies.get("renhice_tema", "sistema")
    size = request.cookies.get("renhice_texto", "100")
    return Look(theme if theme in THEMES else "sistema", size if size in TEXT_SIZES else "100")


def page(template: str, /, status: int = 200, **context: Any) -> Response:
    """Render a page with the headers every page has: strict policy, no caching, no other hosts."""
    who = g.get("sign_in")
    hats = hats_of(who.roles if who else ())
    frame = {"look": look(), "request": request, "signed_in": who, "hat": g.get("hat"), "hats": hats}
    response = Response(render(template, **(frame | context)), status, mimetype="text/html")
    response.headers["Content-Security-Policy"] = content_policy()
    response.headers["Cache-Control"] = "no-store"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    response.headers["Vary"] = "Cookie"
    return response


def arriving(template: str, pieces: Iterable[str], /, **context: Any) -> Response:
    """`page`, with pieces sent as they come where the template says so; the rest is rendered before the first.

    So the pieces find neither the request nor its session, and no transaction is open while they are waited for. Who
    does not take them in time (`pace`) gets no more.
    """
    response = page(template, **context)
    head, tail = response.get_data(as_text=True).split(_HERE)
    response.response = paced(chain([head], pieces, [tail]), request.environ.get("gunicorn.socket"))
    response.headers.remove("Content-Length")  # of the frame alone: what arrives beyond it would be cut off
    response.headers["X-Accel-Buffering"] = "no"
    return response


def render(template: str, /, **context: Any) -> str:
    """A template of the portal as text, escaped."""
    return _environment().get_template(f"portal/{template}").render(context)


def content_policy() -> str:
    """Only our own files and forms; a page whose form ends at another site names it in `g.form_targets`.

    Browsers apply `form-action` to the redirect that follows a form, so the consent page must name the client's origin.
    """
    targets = " ".join(["'self'", *g.get("form_targets", ())])
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        f"form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    )


def error_page(shown: Problem) -> Response:
    """The page surface's face: what happened, what to do next, and the code to quote."""
    spoken = shown.code.startswith(SPOKEN)
    words = error_text(shown.status, shown.code)
    if spoken:
        words = ErrorText(shown.title, "", shown.hint or words.next)
    return page("error.html", shown.status, words=words, correlation_id=shown.correlation_id)


def asset_url(name: str) -> str:
    """The address of a static file, with its content's hash so that it may be cached for a year."""
    return url_for("portal-static.asset", name=name, v=_asset(name).version)


def asset(name: str) -> Response:
    """Serve one static file, compressed where the browser takes it."""
    if name not in {path.name for path in STATIC.iterdir()}:
        raise PageNotFound
    found = _asset(name)
    compressed = "gzip" in request.headers.get("Accept-Encoding", "")
    response = Response(found.compressed if compressed else found.plain, mimetype=_TYPES[Path(name).suffix])
    if compressed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = _YEAR
    return response


@dataclass(frozen=True, slots=True)
class _Asset:
    plain: bytes
    compressed: bytes
    version: str


@cache
def _asset(name: str) -> _Asset:
    plain = (STATIC / name).read_bytes()
    return _Asset(plain, gzip.compress(plain, mtime=0), hashlib.sha256(plain).hexdigest()[:12])


def _options(choices: Mapping[str, str]) -> list[dict[str, str]]:
    """Choices as the select and checkbox components take them."""
    return [{"value": value, "text": text} for value, text in choices.items()]


def _named(names: Sequence[str]) -> dict[str, str]:
    """Choices whose name is what travels."""
    return {name: name for name in names}


def _named_labels(codes: Sequence[str]) -> dict[str, str]:
    """What is sensitive, as choices."""
    return {code: texts.label(code) for code in codes}


def _errors(problems: Mapping[str, str]) -> list[dict[str, str]]:
    """What is wrong, field by field, as the error summary takes it."""
    return [{"text": text, "href": f"#{name}"} for name, text in problems.items()]


def _wrong(problems: Mapping[str, str], name: str) -> dict[str, str] | None:
    """What is wrong with a field, as its component takes it."""
    return {"text": problems[name], "visuallyHiddenText": "Error"} if name in problems else None


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PrefixLoader({
            "portal": PackageLoader("portal"),
            "govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja"),
        }),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.globals.update(options=_options, url_for=url_for, asset_url=asset_url)
    environment.globals.update(
        errors=_errors, wrong=_wrong, named=_named, named_labels=_named_labels, ordinary=ORDINARY
    )
    environment.globals.update(categories=texts.CATEGORIES, labels=texts.LABELS)
    environment.globals.update(promise=PROMISE, repeated=REPEATED)
    environment.filters.update(
        moment=dates.long_moment, day=dates.long_day, hour=dates.hour, number=dates.number, bits=dates.bits,
        percent=dates.percent, category=texts.category,
        choices=texts.choices, purpose=texts.purpose, consent_state=texts.consent_state, sex=texts.sex,
        combine=operator.or_, from_where=from_where, of_days=of_days,
        basis=texts.basis, power=texts.power, paper=texts.paper, act=texts.act, label=texts.label,
    )  # fmt: skip
    return environment
