"""The sandbox's establishments pass the accreditation kit, and the report says so to people and programs."""

import pytest
from click.testing import CliRunner, Result

from conformance.catalogue import SECTIONS
from conformance.cli import conformance
from tests.functional.conformance.conftest import CONTROL, Kit


@pytest.fixture(scope="module")
def session(kit: Kit, establishment: str) -> Result:
    """The whole session, feed and events included."""
    more = ("--trigger", f"{establishment}/sihce/rehearse", "--trigger-token", CONTROL)
    return kit.run(*more, "--events", f"{establishment}/events")


def test_establishment_passes_every_line(session: Result, kit: Kit) -> None:
    assert kit.statuses("failed") == {}
    assert session.exit_code == 0, session.output
    assert set(kit.statuses("warning")) == {"tls.used"}
    assert set(kit.statuses("skipped")) == {"tls.certificate", "tls.version", "tls.old"}
    assert len(kit.report()["lines"]) == sum(len(section.checks) for section in SECTIONS)


def test_report_is_signed_and_says_what_was_tested(session: Result, kit: Kit) -> None:
    report, page = kit.report(), (kit.out / "report.html").read_text(encoding="utf-8")
    assert (report["verdict"], report["scope"]) == ("passed", ["events", "feed", "server"])
    assert report["latency_ms"]["p95"] >= report["latency_ms"]["p50"] > 0
    verified = CliRunner().invoke(
        conformance, ["verify", str(kit.out / "report.json"), "--key", str(kit.folder / "key.jwk")]
    )
    assert verified.exit_code == 0, verified.output
    assert "Cumple todo lo obligatorio" in page
    assert "servidor FHIR" in page
    assert not any(word in page for word in kit_secrets(kit))


def kit_secrets(kit: Kit) -> list[str]:
    """What must not leave: the candidate's key, and the ids of patients."""
    return [str(kit.jwk["d"]), "record-", "Authorization"]
