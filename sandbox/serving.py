"""Serves one simulated part on loopback until it is told to stop."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.files import read_json
from sandbox.layout import DEFAULT_VAR, HOST, Layout

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

out_option = click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=DEFAULT_VAR)


class _Quiet(WSGIRequestHandler):
    """Keeps connections open and writes no line per request: a line would hold a patient's handle."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


def bind(application: "WSGIApplication", port: int) -> BaseWSGIServer:
    """Return a threaded server bound to loopback; port 0 takes a free one."""
    return make_server(HOST, port, application, threaded=True, request_handler=_Quiet)


def serve(application: "WSGIApplication", port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    server = bind(application, port)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.serve_forever()
    server.server_close()


def read_summary(out: Path) -> tuple[Layout, dict[str, Any]]:
    """Return what `prepare` left under `out`; raises UsageError when it has not run."""
    layout = Layout(out.resolve())
    try:
        return layout, read_json(layout.summary)
    except FileNotFoundError:
        raise click.UsageError(f"{layout.summary} does not exist: run `python -m sandbox prepare` first") from None
