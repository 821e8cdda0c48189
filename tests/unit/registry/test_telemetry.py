"""A log line can't carry a person: unlisted fields dropped, long digit runs blanked, texts of errors unsaid."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery
from celery.app.trace import build_tracer

from registry.telemetry import accept_request_id, configure_logging, logger

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    before = logging.getLogger().handlers[:]
    configure_logging("INFO")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    logging.getLogger().handlers[:] = before


def test_unlisted_fields_and_document_numbers_do_not_reach_the_line(lines: Lines) -> None:
    logger("t").info("request for 45678912", name="QUISPE", code="dni 45678912", status=200)
    (line,) = lines()
    assert line["event"] == "request for …"
    assert line["code"] == "dni …"
    assert "name" not in line
    assert line["status"] == 200


def test_an_exception_says_where_and_what_kind_but_not_its_text(lines: Lines) -> None:
    try:
        int("QUISPE MAMANI, 45678912")
    except ValueError:
        logging.getLogger("library").exception("failed")
    (line,) = lines()
    assert line["error_type"] == "ValueError"
    assert "test_telemetry.py" in line["exception"]
    assert "QUISPE" not in json.dumps(line)


def test_a_failed_task_is_named_and_its_error_not_quoted(lines: Lines) -> None:
    """Celery puts the error into the message itself."""
    celery = Celery("t", set_as_current=False)

    @celery.task(name="read-file")  # type: ignore[untyped-decorator]  # Celery ships no types
    def fail() -> None:
        raise ValueError("QUISPE MAMANI")

    build_tracer("read-file", fail, app=celery)("7d0b1f3c", (), {}, {"id": "7d0b1f3c"})
    (line,) = lines()
    assert (line["level"], line["task"], line["task_id"], line["error_type"]) == (
        "error", "read-file", "7d0b1f3c", "ValueError",
    )  # fmt: skip
    assert "QUISPE" not in json.dumps(line)


@pytest.mark.parametrize("offered", [None, "", "short", "x" * 65, "a b c d e f g h", "456789123", "<script>alert"])
def test_a_doubtful_request_id_is_replaced(offered: str | None) -> None:
    made = accept_request_id(offered)
    assert made != offered
    assert len(made) == 32


def test_a_well_formed_request_id_is_kept() -> None:
    assert accept_request_id("req-2026-abcdef") == "req-2026-abcdef"


@pytest.mark.parametrize("offered", ["DNI-94900137", "94900137", "x.94900137.y"])
def test_a_request_id_that_could_be_a_document_number_is_replaced(offered: str) -> None:
    assert "94900137" not in accept_request_id(offered)


GATHERING = """
import sys, time
from registry.telemetry import configure_logging, gather_lines, logger
configure_logging("INFO")
gather_lines(seconds=float(sys.argv[1]))
log = logger("t")
log.info("request", status=1)
log.info("request", status=2)
if sys.argv[2] == "warn":
    log.warning("request", status=3)
    time.sleep(60)
"""


def _gathered(seconds: float, then: str) -> Iterator[int]:
    command = [sys.executable, "-c", GATHERING, str(seconds), then]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            yield json.loads(line)["status"]
            if then == "warn" and json.loads(line)["status"] == 3:
                process.kill()


def test_lines_that_wait_are_written_in_order_before_a_warning_and_at_the_end() -> None:
    assert list(_gathered(60, "warn")) == [1, 2, 3]
    assert list(_gathered(0.01, "end")) == [1, 2]
