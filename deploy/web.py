"""gunicorn's hooks for the web processes (`--config python:deploy.web`)."""

import gc

from registry.telemetry import gather_lines


def when_ready(_server: object) -> None:
    """Before the first web process is forked: what is loaded by now is nobody's garbage.

    Looking through it would write to every page of it, and each process would come to hold a copy of its own.
    """
    gc.collect()
    gc.freeze()


def post_fork(_server: object, _worker: object) -> None:
    """In each web process: a line of the log for every request wakes the supervisor for each."""
    gather_lines()
