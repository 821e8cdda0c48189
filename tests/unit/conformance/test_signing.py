"""A report is whole and somebody's, or it is refused; its page is made of it and of nothing else."""

import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from joserfc.jwk import ECKey, KeySet

from conformance.cli import conformance
from conformance.lines import Finding, Line, Part, Status, Untested, broken, doubtful, held
from conformance.lines import Result as Judged
from conformance.page import render
from conformance.registry.keys import base64url, make_key
from conformance.report import VERSION, Report
from conformance.sections import Section, judge
from conformance.signing import Untrusted, find_key, sign, verify, verify_whole

LINE = {"asked": "algo", "norm": "RFC 0", "expected": "401", "mend": "ponga <b>la guarda</b>"}


def judged(name: str, status: Status, *, mandatory: bool = True, seen: str = "HTTP 200") -> Judged:
    return Judged("Tokens", Line(id=name, mandatory=mandatory, **LINE), Finding(status, seen))


def report(*results: Judged) -> Report:
    moment = datetime(2026, 11, 26, tzinfo=UTC)
    return Report(
        client_id="sihce-x", fhir_base="https://hce.example.pe/fhir", software="", parts=(Part.SERVER,),
        started_at=moment, finished_at=moment, latencies={}, results=results,
    )  # fmt: skip


@pytest.fixture(scope="module")
def key() -> ECKey:
    return make_key()


@pytest.fixture(scope="module")
def content(key: ECKey) -> bytes:
    return report(judged("token.good", Status.PASSED)).as_json(key.as_dict(private=False))


def test_a_signature_holds_for_the_very_bytes_and_the_trusted_key(key: ECKey, content: bytes) -> None:
    signature = sign(content, key)
    assert signature.count("..") == 1
    assert verify_whole(content, signature)["verdict"] == "passed"
    assert verify(content, signature, KeySet([make_key(), key]))["subject"]["client_id"] == "sihce-x"
    for forged in (content.replace(b"passed", b"failed"), content + b" "):
        with pytest.raises(Untrusted, match="does not hold"):
            verify_whole(forged, signature)
    with pytest.raises(Untrusted, match="key you trust"):
        verify(content, signature, KeySet([make_key()]))


def test_what_names_another_signer_is_refused(key: ECKey, content: bytes) -> None:
    other = make_key()
    swapped = json.loads(content) | {"signer": other.as_dict(private=False)}
    with pytest.raises(Untrusted):
        verify_whole(json.dumps(swapped).encode(), sign(content, key))


def unsigned(content: bytes) -> str:
    return f"{base64url(json.dumps({'alg': 'none', 'typ': 'conformance-report+jws'}).encode())}.."


@pytest.mark.parametrize("garbage", ["", "..", "a.b.c", "a..b..c", "ñ..ñ", "x" * 5000, "eyJhbGciOiJub25lIn0.."])
def test_garbage_is_no_signature(content: bytes, garbage: str) -> None:
    with pytest.raises(Untrusted):
        verify_whole(content, garbage)
    with pytest.raises(Untrusted):
        verify_whole(content, unsigned(content))


@pytest.mark.parametrize("garbage", [b"", b"[]", b"\xff", b'{"signer": 1}', b"[" * 100_000, b'{"signer": {"keys": 7}}'])
def test_garbage_is_no_report(key: ECKey, garbage: bytes) -> None:
    with pytest.raises(Untrusted):
        verify_whole(garbage, sign(garbage, key))


def test_a_key_is_made_once_for_its_owner_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "key.jwk"
    made = find_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert find_key(path).thumbprint() == made.thumbprint()
    for nothing in ("{}", "x", json.dumps(made.as_dict(private=False))):
        path.write_text(nothing)
        with pytest.raises(Untrusted):
            find_key(path)


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ([judged("a", Status.PASSED), judged("b", Status.WARNING)], "passed"),
        ([judged("a", Status.FAILED), judged("b", Status.SKIPPED)], "failed"),
        ([judged("a", Status.SKIPPED)], "incomplete"),
        ([judged("a", Status.SKIPPED, mandatory=False)], "passed"),
        ([judged("tls.old", Status.SKIPPED)], "passed"),
    ],
    ids=["warnings pass", "one failure fails", "what could not be tried", "recommended", "not used"],
)
def test_the_verdict_rests_on_the_mandatory_lines(results: list[Judged], verdict: str) -> None:
    assert report(*results).verdict == verdict


def test_a_line_is_judged_whatever_happens() -> None:
    line, section = Line(id="x", **LINE), Section("x", Part.SERVER)

    def untested(_bench: Any) -> Finding:
        raise Untested("no hubo ocasión")

    bench: Any = None
    seen = [judge(section, line, check, bench).finding.status
            for check in (lambda _: held(""), lambda _: broken(""), lambda _: doubtful(""), untested)]  # fmt: skip
    assert seen == ["passed", "failed", "warning", "skipped"]
    recommended = Line(id="x", mandatory=False, **LINE)
    assert judge(section, recommended, lambda _: broken(""), bench).finding.status == "warning"


def test_the_page_shows_each_line_and_no_markup_of_the_candidate(key: ECKey) -> None:
    wrong = judged("token.expired", Status.FAILED, seen="<script>alert(1)</script>")
    page = render(report(wrong, judged("b", Status.PASSED)).as_json(key.as_dict(private=False)))
    assert "<script>" not in page
    assert "No cumple" in page
    assert page.count("ponga &lt;b&gt;la guarda&lt;/b&gt;") == 2


@pytest.fixture
def written(tmp_path: Path, key: ECKey, content: bytes) -> Path:
    (tmp_path / "report.json").write_bytes(content)
    (tmp_path / "report.json.jws").write_text(sign(content, key))
    (tmp_path / "report.html").write_text(render(content), encoding="utf-8")
    return tmp_path / "report.json"


def run(*words: str) -> Result:
    result = CliRunner().invoke(conformance, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_verify_tells_who_signed_and_notices_another_page(written: Path, key: ECKey, tmp_path: Path) -> None:
    trusted = tmp_path / "trusted.jwk"
    trusted.write_text(json.dumps(key.as_dict(private=False)))
    unknown = run("verify", str(written))
    assert (unknown.exit_code, f"signed by an unknown key ({key.kid}" in unknown.output) == (3, True)
    assert "✓" not in unknown.output
    assert run("verify", str(written), "--key", str(trusted)).exit_code == 0
    trusted.write_text(json.dumps(make_key().as_dict(private=False)))
    assert run("verify", str(written), "--key", str(trusted)).exit_code == 1
    page = written.with_suffix(".html")
    page.write_text(page.read_text(encoding="utf-8").replace("Cumple", "Reprueba"), encoding="utf-8")
    assert "is not the page of this report" in run("verify", str(written)).output
    written.with_name("report.json.jws").unlink()
    assert run("verify", str(written)).exit_code == 1


@pytest.mark.parametrize("page", [True, False], ids=["page", "no-page"])
def test_a_report_cannot_say_who_signed_it(written: Path, content: bytes, *, page: bool) -> None:
    mine = make_key()
    said = json.loads(content) | {"signer": mine.as_dict(private=False)}
    said["subject"]["client_id"] = "x[/]\n[green]✓[/] signed by the ministry\x1b[2K"
    written.write_bytes(json.dumps(said).encode())
    written.with_name("report.json.jws").write_text(sign(written.read_bytes(), mine))
    written.with_suffix(".html").unlink()
    told = run("verify", str(written))
    assert told.exit_code == 3
    assert not any(line.startswith("✓") for line in told.output.splitlines())
    assert "\x1b" not in told.output
    for garbage in ({}, {"kit": 5}, {"kit": {"version": VERSION}, "subject": {}}, {**said, "verdict": "x"}):
        body = json.dumps({"signer": mine.as_dict(private=False), **garbage}).encode()
        written.write_bytes(body)
        written.with_name("report.json.jws").write_text(sign(body, mine))
        if page:
            written.with_suffix(".html").write_bytes(b"\xff")
        refused = run("verify", str(written))
        assert (refused.exit_code, "no report of the kit" in refused.output) == (1, True), garbage


def test_a_report_without_its_signature_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    result = run("verify", str(tmp_path / "report.json"))
    assert (result.exit_code, "report.json.jws is missing" in result.output) == (1, True)
    assert "Errno" not in result.output


@pytest.mark.parametrize(
    "words",
    [
        ["ftp://x/fhir"], ["http://x/fhir?y"], ["http://127.0.0.1:1/fhir"],
        ["http://127.0.0.1:1/fhir", "--jwks", "/none"],
        ["http://127.0.0.1:1/fhir", "--listen", "8990"], ["verify"], ["http://127.0.0.1:1/fhir", "--patient", "one"],
    ],
    ids=["scheme", "query", "no client", "no file", "listen", "no report", "one patient"],
)  # fmt: skip
def test_a_mistake_in_the_command_is_explained(words: list[str]) -> None:
    assert run(*words).exit_code == 2


def test_nobody_at_the_address_is_a_failed_report(tmp_path: Path, key: ECKey) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps(key.as_dict(private=False)))
    words = ["http://127.0.0.1:1/fhir", "--client-id", "x", "--jwks", str(jwks), "--listen", f"127.0.0.1:{port}",
             "--key", str(tmp_path / "k"), "--out", str(tmp_path / "out"), "--wait", "1"]  # fmt: skip
    done = run(*words, "--patient", "a", "--patient", "b", "--samples", "2")
    verified = run("verify", str(tmp_path / "out" / "report.json"), "--key", str(tmp_path / "k"))
    assert (done.exit_code, verified.exit_code) == (1, 0)
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    passed = {line["id"] for line in found["lines"] if line["status"] == "passed"}
    assert passed == {"client.assertion"}
