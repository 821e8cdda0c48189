"""Request bodies: whole and within their limit, or refused. Nothing acts on a part of what was sent."""

from functools import cached_property
from typing import IO, cast

from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wsgi import LimitedStream, get_content_length


class _Chunks(LimitedStream):
    """A body whose length nobody told: read to its end, refused when that is beyond the limit or never comes."""

    def readinto(self, b: bytearray) -> int | None:  # type: ignore[override]
        try:
            return super().readinto(b)
        except ParseException as error:
            self.on_disconnect(error)
            return 0

    def readall(self) -> bytes:
        body = super().readall()
        if self.is_exhausted and self._stream.read(1):
            self.on_exhausted()
        return body


class WholeRequest(Request):
    """Werkzeug's request, but for two things: a body cut off by its sender or by our limit is never taken for whole."""

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body; raises 413 beyond the limit and 400 where it ends early, while it is read."""
        limit = self.max_content_length
        if limit is None or "wsgi.input_terminated" not in self.environ:
            return super().stream
        length = get_content_length(self.environ)
        if length is None:
            return cast("IO[bytes]", _Chunks(self.environ["wsgi.input"], limit, is_max=True))
        if length > limit:
            raise RequestEntityTooLarge
        return cast("IO[bytes]", LimitedStream(self.environ["wsgi.input"], length))
