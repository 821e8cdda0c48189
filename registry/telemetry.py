"""Structured logs free of personal data, request ids, and Prometheus metrics."""

import atexit
import logging
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    Metric,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from structlog.stdlib import BoundLogger
from structlog.typing import EventDict, WrappedLogger

from registry.database import new_id

ALLOWED_FIELDS = frozenset({
    "event", "level", "timestamp", "logger", "exception", "request_id", "method", "route", "status", "duration_ms",
    "client_id", "code", "debug", "error_type", "topic", "task", "task_id", "outbox_id", "attempts", "count", "seconds",
    "component", "version", "establishment", "holder", "holder_id", "import_id", "line", "withheld", "unasked",
    "reason", "staff", "segment", "head",
})  # fmt: skip
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "exception": 40, "critical": 50}
_DIGITS = re.compile(r"\d{7,}")
_NUMBER = re.compile(r"(?<![0-9A-Fa-f])\d{7,12}(?![0-9A-Fa-f])")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

REQUESTS = Counter("renhice_requests_total", "HTTP requests", ["method", "route", "status"])
LATENCY = Histogram(
    "renhice_request_seconds", "Time to answer", ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)  # fmt: skip
REGISTRATIONS = Counter("renhice_registrations_total", "Source records received", ["decision"])
SEARCHES = Counter("renhice_person_searches_total", "Searches for persons", ["searcher", "outcome"])
OUTBOX = Counter("renhice_outbox_total", "Outbox deliveries", ["topic", "outcome"])


def _only_allowed(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop every field that is not on the list and blank long digit runs: a log line can't carry a person."""
    return {key: _blank_digits(key, value) for key, value in event.items() if key in ALLOWED_FIELDS}


def _blank_digits(key: str, value: object) -> object:
    if not isinstance(value, str) or key == "timestamp" or key.endswith("_id"):
        return value
    return _DIGITS.sub("…", value)


class _StandardError(logging.Handler):
    """Where the lines of libraries go."""

    def emit(self, record: logging.LogRecord) -> None:
        _write(self.format(record))


class _Line:
    """Where our own lines go: by the standard library's loggers, as those of libraries, they cost twice as much.

    What is wanted of a logger is still told to the standard library's of that name (`_only_wanted`).
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.level = logging.getLogger(name).getEffectiveLevel

    def may_wait(self, line: str) -> None:
        if _lines is None:
            _write(line)
        else:
            _lines.add(line)

    def at_once(self, line: str) -> None:
        _write(line)

    debug = info = may_wait
    warning = error = exception = critical = at_once


def _only_wanted(line: _Line, method: str, event: EventDict) -> EventDict:
    if _LEVELS[method] < line.level():
        raise structlog.DropEvent
    return event


class _Lines:
    """Lines that wait a moment for others: who reads them wakes for each time something is written."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: deque[str] = deque()
        self._some = threading.Event()
        threading.Thread(target=self._run, name="log-lines", daemon=True).start()

    def add(self, line: str) -> None:
        self._waiting.append(line)
        if not self._some.is_set():
            self._some.set()

    def take(self) -> list[str]:
        """What waits, oldest first."""
        taken = list[str]()
        with suppress(IndexError):
            while True:
                taken.append(self._waiting.popleft())
        return taken

    def _run(self) -> None:
        while self._some.wait():
            time.sleep(self._seconds)
            self._some.clear()
            _write()


_lines: _Lines | None = None


def gather_lines(seconds: float = 0.1) -> None:
    """Write this process's lines below a warning together from now on, at most so much later; call it after a fork.

    A process killed within that time takes them with it; what is audited is in the database, and no line of this log.
    """
    global _lines  # noqa: PLW0603  # one standard error a process
    _lines = _Lines(seconds)
    atexit.register(_write)


def _write(*lines: str) -> None:
    """Whole lines, after those that wait, to whatever standard error is now: a supervisor may reopen it."""
    waiting = _lines.take() if _lines else []
    if written := "".join(f"{line}\n" for line in (*waiting, *lines)):
        sys.stderr.write(written)


def configure_logging(level: str) -> None:
    """One JSON line an event on standard error, for our own loggers and for libraries'."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    said: list[Any] = [_safe_exception, _only_allowed, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[_only_wanted, *shared, *said],
        logger_factory=_Line,
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _unsaid],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *said],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "werkzeug", "authlib", "urllib3", "celery"):
        logging.getLogger(noisy).setLevel("WARNING")


def _unsaid(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What a library says of an exception may quote it: its wording is kept without what it puts in; and which task."""
    if event.get("exc_info"):
        said: logging.LogRecord = event["_record"]
        task = getattr(said, "data", None)
        event["event"] = str(said.msg)
        event.update({"task": str(task.get("name")), "task_id": str(task.get("id"))} if isinstance(task, dict) else {})
    return event


def _safe_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep where an exception happened and its type; its text may quote data, so it is dropped."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if not info or info[0] is None:
        return event
    frames = []
    trace = info[2]
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 2)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    event["error_type"] = info[0].__name__
    event["exception"] = " > ".join(frames[-12:])
    return event


def logger(name: str) -> BoundLogger:
    """The logger of a module; fields outside ALLOWED_FIELDS never reach the line."""
    found: BoundLogger = structlog.stdlib.get_logger(name)
    return found


def accept_request_id(offered: str | None) -> str:
    """The caller's X-Request-Id when it is well formed and can't be a document number, else a new one."""
    if offered and _REQUEST_ID.fullmatch(offered) and not _NUMBER.search(offered):
        return offered
    return new_id().hex


def bind_request(request_id: str) -> None:
    """Start the log context of a request or task."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)


def current_request_id() -> str | None:
    """The id of the request or task being served, None outside one."""
    value = structlog.contextvars.get_contextvars().get("request_id")
    return value if isinstance(value, str) else None


def metrics_page(measured: Sequence[Metric] = ()) -> tuple[bytes, str]:
    """The Prometheus exposition of every process of this host and what was measured now; (body, content type)."""
    collected = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        collected = CollectorRegistry()
        MultiProcessCollector(collected)  # type: ignore[no-untyped-call]
    return generate_latest(collected) + generate_latest(_Measured(measured)), CONTENT_TYPE_LATEST


class _Measured(CollectorRegistry):
    """Figures that belong to no process: they are asked of the database at each scrape."""

    def __init__(self, measured: Sequence[Metric]) -> None:
        super().__init__()
        self._measured = measured

    def collect(self) -> Iterator[Metric]:
        yield from self._measured
