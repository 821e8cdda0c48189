"""FHIR XML in and out says the same as FHIR JSON, and nothing hidden in a document gets by."""

import json
from typing import Any

import pytest

from registry.errors import InvalidInput
from registry.fhir.wire import InvalidResource
from registry.fhir.xml_format import from_xml, to_xml

EXTENSION = {"url": "https://example.pe/x", "valueString": "Ccahuana"}
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "1",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>Rosa &amp; co</p></div>'},
    "extension": [EXTENSION],
    "identifier": [{"system": "https://example.pe", "value": "8"}, {"value": "9"}],
    "active": False,
    "name": [{"family": "Huamán", "_family": {"extension": [EXTENSION]}, "given": ["Rosa", "Elvira"],
              "_given": [None, {"extension": [EXTENSION]}]}],
    "birthDate": "1984",
    "_gender": {"extension": [EXTENSION]},
    "multipleBirthInteger": 2,
    "link": [{"other": {"reference": "Patient/3"}, "type": "refer"}],
}  # fmt: skip
BUNDLE = {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [
    {"fullUrl": "https://example.pe/Patient/1", "resource": PATIENT, "search": {"mode": "match", "score": 0.5}},
]}  # fmt: skip


def document(inside: str = "", attributes: str = "") -> bytes:
    return f'<Patient xmlns="http://hl7.org/fhir" {attributes}>{inside}</Patient>'.encode()


@pytest.mark.parametrize("resource", [PATIENT, BUNDLE], ids=["patient", "bundle"])
def test_what_is_written_is_read_the_same(resource: dict[str, Any]) -> None:
    written = to_xml(resource)
    assert from_xml(written if isinstance(written, bytes) else written.encode()) == resource
    assert json.loads(json.dumps(resource)) == resource


def test_what_stands_beside_a_primitive_without_value_is_kept() -> None:
    inside = '<name><given><extension url="u"><valueCode value="unknown"/></extension></given></name>'
    beside = [{"extension": [{"url": "u", "valueCode": "unknown"}]}]
    assert from_xml(document(inside))["name"] == [{"given": [None], "_given": beside}]
    assert from_xml(document('<identifier id="a"><value value="1"/></identifier>'))["identifier"][0]["id"] == "a"


@pytest.mark.parametrize(
    ("inside", "path"),
    [
        ('<id value="1"/><id value="2"/>', "Patient.id"),
        ('<nope value="1"/>', "Patient.nope"),
        ("text", "Patient"),
        ('<id value="1"/>text', "Patient"),
        ('<id xmlns="urn:other" value="1"/>', "Patient"),
        ('<name value="1"/>', "Patient.name[0]"),
        ("<active/>", "Patient.active"),
        ('<active value="yes"/>', "Patient.active"),
        ('<multipleBirthInteger value="two"/>', "Patient.multipleBirthInteger"),
        ('<contained><Organization xmlns="urn:other"/></contained>', "Patient.contained[0]"),
        ('<contained><Organization><name value="x"/></Organization><Location/></contained>', "Patient.contained[0]"),
        ("<contained><HumanName/></contained>", "Patient.contained[0]"),
        ('<identifier class="x"><value value="1"/></identifier>', "Patient.identifier[0]"),
    ],
)
def test_an_element_at_fault_is_named(inside: str, path: str) -> None:
    with pytest.raises(InvalidResource) as refused:
        from_xml(document(inside))
    assert refused.value.details[0]["expression"] == path


DOCTYPE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
GARBAGE = {
    "empty": b"",
    "json": b"{}",
    "document type": DOCTYPE + document('<id value="&x;"/>'),
    "unknown entity": document('<id value="&x;"/>'),
    "utf-16": '<Patient xmlns="http://hl7.org/fhir"/>'.encode("utf-16"),
    "another encoding": b'<?xml version="1.0" encoding="latin-1"?>' + '<Patient a="\u00f1"/>'.encode("latin-1"),
    "unclosed": b"<a>" * 5000,
    "deep": document("<extension url='u'>" * 60 + "</extension>" * 60),
    "very deep": document("<extension url='u'>" * 20_000 + "</extension>" * 20_000),
    "no namespace": b"<Patient/>",
    "another namespace": b'<Patient xmlns="urn:other"/>',
    "no resource": b'<HumanName xmlns="http://hl7.org/fhir"/>',
    "nothing of FHIR": b'<os.path xmlns="http://hl7.org/fhir"/>',
    "two roots": document() + document(),
}


@pytest.mark.parametrize("body", list(GARBAGE.values()), ids=list(GARBAGE))
def test_garbage_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        from_xml(body)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Decimal", "1_0"),
        ("Decimal", "NaN"),
        ("Decimal", "٣"),
        ("Integer", "1_0"),
        ("Integer", "٣"),
        ("Integer", "9" * 4000),
    ],
    ids=["underscore", "no number", "digits", "whole underscore", "whole digits", "thousands of digits"],
)
def test_a_number_that_only_python_reads_is_refused(kind: str, text: str) -> None:
    extension = f'<extension url="http://x"><value{kind} value="{text}"/></extension>'
    with pytest.raises(InvalidInput):
        from_xml(f'<Patient xmlns="http://hl7.org/fhir">{extension}</Patient>'.encode())
