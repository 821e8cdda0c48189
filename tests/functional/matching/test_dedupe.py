"""`match dedupe`: one row a record, in order, whole or not at all."""

import csv
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.functional.matching.conftest import Run

ROOT = Path(__file__).parents[3]
HEADER = "establishment,local_id,document_number,paternal_surname,maternal_surname,given_names,birth_date\n"
ROSA = "41238567,Huamán,Ccori,Rosa Elvira,1985-03-12"
FILES = HEADER + f"1,A,{ROSA}\n2,B,{ROSA}\n2,C,40000001,Zevallos,Ticona,Juan,1950-07-08\n"


def _heed_interruptions() -> None:
    """Tests that run in the background were told to ignore Ctrl-C, and their children would be too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def started(*arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`./renhice match dedupe` as a process of its own."""
    command = [sys.executable, "-m", "deploy", "match", "dedupe", *arguments]
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        cwd=ROOT,
        env=environment,
        preexec_fn=_heed_interruptions,  # noqa: PLW1509 (it takes no lock)
    ) as process:
        yield process


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_records_of_one_person_share_a_cluster(run: Run, tmp_path: Path) -> None:
    records, out = tmp_path / "records.csv", tmp_path / "clusters.csv"
    records.write_text(FILES, encoding="utf-8")
    result = run("dedupe", records, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert rows(out) == [
        {"establishment": "1", "local_id": "A", "cluster": "c1"},
        {"establishment": "2", "local_id": "B", "cluster": "c1"},
        {"establishment": "2", "local_id": "C", "cluster": "c3"},
    ]
    assert (result.stdout, "3 records" in result.stderr) == ("", True)


def test_every_record_of_a_benchmark_comes_out_once_in_order_and_mostly_right(
    run: Run, benchmark: Path, tmp_path: Path
) -> None:
    out = tmp_path / "clusters.csv"
    assert run("dedupe", benchmark / "records.csv", "--out", out, "--quiet").exit_code == 0
    keys = [(row["establishment"], row["local_id"]) for row in rows(benchmark / "records.csv")]
    assert [(row["establishment"], row["local_id"]) for row in rows(out)] == keys
    result = run("evaluate", out, "--truth", benchmark / "truth.csv", "--format", "json")
    assert '"pairwise"' in result.stdout


def test_as_a_filter_and_in_any_encoding(run: Run) -> None:
    for content in (FILES.encode("utf-8-sig"), FILES.replace(",", ";").encode("latin-1"), FILES.encode()):
        result = run("dedupe", "-", "--out", "-", stdin=content)
        assert result.stdout.splitlines()[1:] == ["1,A,c1", "2,B,c1", "2,C,c3"]
    assert result.stderr


def test_several_files_are_one(run: Run, tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text(HEADER + f"1,A,{ROSA}\n", encoding="utf-8")
    header = "birth_date,given_names,maternal_surname,paternal_surname,local_id,establishment"
    other.write_text(f"{header}\n12/03/1985,ROSA ELVIRA,CCORI,GUAMAN,B,2\n", encoding="utf-8")
    assert run("dedupe", one, other, "--out", "-").stdout.splitlines()[1:] == ["1,A,c1", "2,B,c1"]


def test_bad_rows_stop_it_or_are_left_out_and_named(run: Run, tmp_path: Path) -> None:
    records, out = tmp_path / "records.csv", tmp_path / "clusters.csv"
    records.write_text(FILES + "3,D\n" + f"3,E,{ROSA}\n", encoding="utf-8")
    out.write_text("what was there before")
    refused = run("dedupe", records, "--out", out)
    assert (refused.exit_code, out.read_text()) == (1, "what was there before")
    assert "records.csv: line 5: 2 cells where the header has 7" in refused.stderr
    assert "--skip-bad-rows" in refused.stderr
    accepted = run("dedupe", records, "--out", out, "--skip-bad-rows", "--quiet")
    assert accepted.exit_code == 0
    assert [row["local_id"] for row in rows(out)] == ["A", "B", "C", "E"]
    assert "line 5" in accepted.stderr


def test_a_pipe_is_written_to_and_stays_one(run: Run, tmp_path: Path) -> None:
    records, out = tmp_path / "records.csv", tmp_path / "pipe"
    records.write_text(FILES, encoding="utf-8")
    os.mkfifo(out)
    reader = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
    assert run("dedupe", records, "--out", out).exit_code == 0
    assert os.read(reader, 10_000).startswith(b"establishment,local_id,cluster\n1,A,c1\n")
    os.close(reader)
    assert out.is_fifo()


def test_a_link_to_the_result_stays_one(run: Run, tmp_path: Path) -> None:
    records, out, real = tmp_path / "records.csv", tmp_path / "clusters.csv", tmp_path / "elsewhere.csv"
    records.write_text(FILES, encoding="utf-8")
    real.write_text("what was there before")
    out.symlink_to(real)
    assert run("dedupe", records, "--out", out).exit_code == 0
    assert (out.is_symlink(), len(rows(real))) == (True, 3)


def test_records_with_one_number_are_kept_apart_and_said(run: Run, tmp_path: Path) -> None:
    records = tmp_path / "records.csv"
    records.write_text(FILES + f"1,A,{ROSA}\n1,A,40000009,Paz,Rey,Ana,1990-01-02\n", encoding="utf-8")
    result = run("dedupe", records, "--out", "-")
    assert result.stdout.splitlines()[-2:] == ["1,A,c1", "1,A,c5"]
    assert "3 records share their establishment and local_id" in result.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (HEADER.encode(), "no records"),
        (b"PK\x03\x04zip", "spreadsheet"),
        (b"name,surname\n1,2\n", "missing columns: establishment, local_id"),
        (b"establishment,local_id,cluster\n1,2,c1\n", "no column says anything about a person"),
    ],
)
def test_what_is_no_file_of_records_is_refused(run: Run, tmp_path: Path, content: bytes, says: str) -> None:
    records = tmp_path / "records.csv"
    records.write_bytes(content)
    result = run("dedupe", records, "--out", tmp_path / "clusters.csv")
    assert (result.exit_code, says in result.stderr) == (1, True)
    assert not (tmp_path / "clusters.csv").exists()


def test_what_can_t_work_is_said_before_the_work(run: Run, tmp_path: Path) -> None:
    records = tmp_path / "records.csv"
    records.write_text(FILES, encoding="utf-8")
    for arguments, says in (
        (("--out", records), "is an input"),
        (("--out", tmp_path / "nowhere" / "out.csv"), "folder is missing"),
        (("--out", "-", "--model", "nobody"), "models that come with the engine"),
        ((), "Missing option '--out'"),
    ):
        result = run("dedupe", records, *arguments)
        assert (result.exit_code, says in result.stderr) == (2, True)
    assert run("dedupe", tmp_path / "missing.csv", "--out", "-").exit_code == 2


@pytest.mark.parametrize(("stop", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_it_leaves_nothing_half_written(tmp_path: Path, stop: signal.Signals, status: int) -> None:
    with started("-", "--out", str(tmp_path / "clusters.csv")) as process:
        assert process.stdin
        process.stdin.write((HEADER + f"1,A,{ROSA}\n" * 20_000).encode())  # more than a pipe holds: it reads by now
        process.send_signal(stop)
        assert process.wait(timeout=120) == status
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away_ends_it_quietly(benchmark: Path) -> None:
    with started(str(benchmark / "records.csv"), "--out", "-", "-q") as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(timeout=120) == 141
        assert process.stderr
        assert b"Traceback" not in process.stderr.read()


def test_processors_share_a_large_file_and_change_nothing(
    run: Run, benchmark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("matching.cli.reading.CHUNK", 60)
    monkeypatch.setattr("matching.cli.reading.ALONE", 1)
    alone, together = tmp_path / "alone.csv", tmp_path / "together.csv"
    assert run("dedupe", benchmark / "records.csv", "--out", alone, "--jobs", "1").exit_code == 0
    assert run("dedupe", benchmark / "records.csv", "--out", together, "--jobs", "2").exit_code == 0
    assert alone.read_bytes() == together.read_bytes()
    assert max(Counter(row["cluster"] for row in rows(alone)).values()) > 1
