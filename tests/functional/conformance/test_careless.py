"""A careless record system fails on exactly the lines of its carelessness."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from flask import Flask, Response

from tests.functional.conformance.careless import CarelessGuard, about, create_app
from tests.functional.conformance.conftest import CLIENT, Kit, new_kit, patients, serving

FIRST, SECOND = "record-one", "record-two"
CARELESS = {
    "token.expired", "token.audience", "patient.other-search", "patient.both", "patient.other-read", "patient.unnamed",
    "audit.access",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def careless(kit: Kit) -> Iterator[None]:
    histories = [history for _, _, history in patients()]
    records = {who: [about(who, one) for one in held] for who, held in zip((FIRST, SECOND), histories, strict=False)}
    app = create_app(CarelessGuard(kit.issuer, kit.base, CLIENT, kit.jwk), records)
    with serving(app, httpx.URL(kit.base).port or 0):
        yield


def test_exactly_the_careless_lines_fail_and_each_says_how_to_mend(kit: Kit) -> None:
    result = kit.run("--patient", FIRST, "--patient", SECOND, "--wait", "1")
    assert set(kit.statuses("failed")) == CARELESS
    assert (result.exit_code, kit.report()["verdict"]) == (1, "failed")
    assert set(kit.statuses("skipped")) == {"tls.certificate", "tls.version", "tls.old", "audit.who", "audit.kept"}
    assert set(kit.statuses("warning")) == {"tls.used", "token.long-lived", "error.alike"}
    assert kit.statuses("failed")["token.expired"].startswith("HTTP 200")
    page = (kit.out / "report.html").read_text(encoding="utf-8")
    mended = page.partition("<h2>Qué mejorar</h2>")[2].partition("</ul>")[0]
    assert all(f'href="#{line}"' in mended for line in CARELESS)


NONSENSE: tuple[bytes, ...] = (
    b'{"resourceType":"Bundle","type":"searchset","entry":[7,{"resource":[]},{"resource":{"resourceType":"Condition"}}]}',
    b'{"resourceType":"CapabilityStatement","rest":[{"security":5,"resource":["x"]}]}',
    b'{"resourceType":["Bundle"],"entry":{"resource":{}}}',
    b"[" * 5_000,
    b"\xff\xfe",
    b"",
)


@pytest.mark.parametrize("body", NONSENSE, ids=["bundle", "capability", "types", "depth", "bytes", "nothing"])
def test_a_candidate_that_answers_nonsense_still_gets_its_report(tmp_path: Path, body: bytes) -> None:
    kit, app = new_kit(tmp_path), Flask("nonsense")

    @app.before_request
    def answer() -> Response:
        return Response(body, 200, content_type="application/fhir+json")

    with serving(app, httpx.URL(kit.base).port or 0):
        result = kit.run("--patient", FIRST, "--patient", SECOND, "--wait", "1")
    assert (result.exit_code, kit.report()["verdict"]) == (1, "failed")
    assert {"token.good", "token.missing"} & set(kit.statuses("failed"))
