"""OpenHIE's client registry conformance suite for HL7 v2, played over MLLP with TLS."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.external import EXTERNAL
from tests.functional.hl7v2.conftest import Engine, Port
from tests.functional.hl7v2.openhie_left_out import LEFT_OUT
from tests.functional.hl7v2.terser import Reply

SUITE = EXTERNAL / "ohie-cr-hl7v2"
CASES = [f"{number:02}" for number in range(1, 19)]
ROOT = "urn:oid:2.16.840.1.113883.3.72.5.9."
HARNESS = {
    "TEST_HARNESS": ("TEST", f"{ROOT}1"),
    "TEST_HARNESS_A": ("TEST_A", f"{ROOT}2"),
    "TEST_HARNESS_B": ("TEST_B", f"{ROOT}3"),
    "NID_AUTH": ("NID", f"{ROOT}9"),
}

pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason="OpenHIE's files are not here: RENHICE_EXTERNAL_TESTS")


@pytest.fixture(scope="module")
def harness(port: Port) -> Mapping[str, Engine]:
    """An establishment for each sender of the suite, with the assigning authority its set-up steps ask for."""
    return {
        application: port.engine(f"harness-{number}", namespace, system, application)
        for number, (application, (namespace, system)) in enumerate(HARNESS.items())
    }


@pytest.mark.parametrize("case", CASES)
def test_case(case: str, harness: Mapping[str, Engine], clear: Callable[[], None]) -> None:
    """All asserts hold but those on the list, and each of those fails."""
    clear()
    failed: dict[str, str] = {}
    for path in sorted(SUITE.glob(f"OHIE-CR-{case}-*.xml")):
        step = path.stem.removeprefix("OHIE-CR-")
        failed |= {f"{step} {terser}": said for terser, said in play(path, harness).items()}
    expected = {key for key in LEFT_OUT if key.startswith(f"{case}-")}
    assert set(failed) == expected, "\n".join(f"{key}: {value}" for key, value in failed.items())


def test_the_list_names_asserts_of_the_suite_and_says_why() -> None:
    known = {
        f"{path.stem.removeprefix('OHIE-CR-')} {one.get('terser')}"
        for path in SUITE.glob("*.xml")
        for one in ET.parse(path).iter("assert")
    }
    assert set(LEFT_OUT) <= known
    assert all(LEFT_OUT.values())
    total = sum(len(list(ET.parse(path).iter("assert"))) for path in SUITE.glob("*.xml"))
    assert (len(list(SUITE.glob("*.xml"))), total) == (103, 320)


def play(path: Path, harness: Mapping[str, Engine]) -> dict[str, str]:
    """The asserts of one step that do not hold, with what was found."""
    step = ET.parse(path).getroot()
    message = step.findtext("message")
    if message is None:
        return {}
    text = "\r".join(line.lstrip() for line in message.strip().splitlines())
    application = re.split(r"[|^]", text[9:])[0]
    reply = Reply(harness[application].exchange(text.encode() + b"\r"))
    return {
        str(one.get("terser")): repr(reply.get(str(one.get("terser"))))
        for one in step.iter("assert")
        if not holds(one, reply)
    }


def holds(wanted: ET.Element, reply: Reply) -> bool:
    found = reply.get(str(wanted.get("terser")))
    if wanted.get("missing") == "true":
        return not found
    return (found or "") in {wanted.get("value"), *(other.get("value") for other in wanted.iter("alternate"))}
