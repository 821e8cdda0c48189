"""A newborn's mother by her own number: kept, given back, searched by, and her document used to tell people apart."""

import pytest
from sqlalchemy import func, select

from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.identity import mothers
from tests.functional.fhir.conftest import SYSTEMS, Call, Json, rosa
from tests.functional.fhir.test_search import DNI, PATIENT, find, ids

MOTHER = "https://www.gob.pe/minsa/RENHICE/fhir/StructureDefinition/documento-madre"
PLACE = {"line": ["Av. La Cultura 8"], "city": "Wanchaq", "state": "Cusco", "postalCode": "08002"}


def of_mother(*identifiers: Json) -> list[Json]:
    return [{"url": MOTHER, "valueIdentifier": one} for one in identifiers]


def named(number: str, system: str = SYSTEMS["a"]) -> Json:
    return {"system": system, "value": number}


def baby(number: str, **more: object) -> Json:
    born = {
        "resourceType": "Patient",
        "gender": "male",
        "birthDate": "2026-02-03",
        "extension": of_mother(named(number)),
    }
    return born | more


@pytest.fixture
def mother(put: Call) -> Json:
    called = [{"family": "Tintayapa", "given": ["Qoyllur", "Nieves"]}]
    kept: Json = put("MO-1", rosa(name=called, identifier=[{"system": DNI, "value": "40718666"}])).json
    return kept


@pytest.mark.usefixtures("mother")
def test_the_number_is_given_back_with_the_document_of_her_record(call: Call, put: Call) -> None:
    kept = put("BA-1", baby("MO-1")).json
    told = [one["valueIdentifier"] for one in kept["extension"] if one["url"] == MOTHER]
    assert [one["value"] for one in told] == ["MO-1", "40718666"]
    assert (told[0]["system"], told[1]["system"]) == (SYSTEMS["a"], DNI)
    again = put("BA-1", baby("MO-1"))
    assert (again.status_code, again.json["meta"]["versionId"]) == (200, "1")
    person = next(one["other"]["reference"] for one in kept["link"])
    assert "MO-1" not in call("GET", f"/fhir/{person}", token="b").text


@pytest.mark.usefixtures("mother")
def test_a_document_that_is_stated_prevails(put: Call) -> None:
    said = of_mother(named("MO-1"), {"system": DNI, "value": "40718777"})
    kept = put("BA-2", baby("MO-1", extension=said)).json
    assert [one["valueIdentifier"]["value"] for one in kept["extension"] if one["url"] == MOTHER] == [
        "MO-1",
        "40718777",
    ]


def test_a_mother_who_is_not_there_yet_or_is_anothers_gives_no_document(put: Call) -> None:
    put("MO-9", rosa(), token="b")
    for number, known in (("BA-3", "MO-9"), ("BA-4", "BA-4")):
        kept = put(number, baby(known)).json
        assert [one["valueIdentifier"]["value"] for one in kept["extension"] if one["url"] == MOTHER] == [known]


@pytest.mark.usefixtures("mother")
def test_her_children_are_found_by_her_number_and_by_her_name(call: Call, put: Call) -> None:
    kept = put("BA-5", baby("MO-1")).json["id"]
    put("BA-6", baby("MO-1", birthDate="2024-01-02"))
    put("BA-7", baby("MO-1"))
    put("BA-7", baby("MO-0"))
    born = {"birthdate": "2026-02-03", "identifier": f"{SYSTEMS['a']}|BA-5"}
    for query in (
        {"mothersIdentifier": f"{SYSTEMS['a']}|MO-1"},
        {"mothersIdentifier": "MO-1"},
        {"mothersMaidenName": "Tintayapa", "mothersGivenName": "Qoyllur"},
        {"mothersMaidenName": "Tintayapa", "mothersGivenName": "Qoyllur", "mothersIdentifier": "MO-1"},
    ):
        found = find(call, **query)
        numbers = {one["resource"]["identifier"][0]["value"] for one in found["entry"]}
        assert {"BA-5", "BA-6"} <= numbers
        assert "BA-7" not in numbers
        assert ids(find(call, **query, **born)) == [kept]
        assert find(call, "b", **(query | {"mothersIdentifier": "MO-1"}))["total"] == 0
    assert find(call, mothersMaidenName="Tintayapa", mothersGivenName="Teodora")["total"] == 0


def test_what_is_no_number_of_ones_own_and_what_is_too_wide_are_refused(call: Call) -> None:
    for query, status in (
        ({"mothersIdentifier": f"{SYSTEMS['b']}|MO-1"}, 400),
        ({"mothersIdentifier": "urn:nobody|MO-1"}, 404),
        ({"mothersGivenName": "Rosa"}, 422),
        ({"mothersGivenName:contains": "Qoy", "mothersMaidenName": "Tintayapa"}, 422),
    ):
        assert call("GET", PATIENT, query_string=query).status_code == status


def test_a_number_that_stands_for_no_mother_is_too_wide(call: Call, put: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of her children is opened: an establishment that writes 0 has thousands, and a search opened all of them."""
    monkeypatch.setattr(mothers, "MOST_CHILDREN", 2)
    for place, number in enumerate(("BA-20", "BA-21", "BA-22")):
        assert call("GET", PATIENT, query_string={"mothersIdentifier": "0"}).json["total"] == place
        put(number, baby("0", birthDate=f"2026-03-0{place + 1}"))
    refused = call("GET", PATIENT, query_string={"mothersIdentifier": "0"})
    assert (refused.status_code, refused.json["issue"][0]["code"]) == (422, "too-costly")


def test_a_search_for_a_mother_is_counted_and_her_children_are_accounted_for(
    call: Call, put: Call, mother: Json, renhice: Renhice
) -> None:
    kept = put("BA-8", baby("MO-1")).json["id"]
    reads = select(func.count()).where(AuditEvent.source_record_id == kept, AuditEvent.action == "identity:record:read")
    with renhice.database.unit_of_work() as session:
        before = session.scalar(reads)
    find(call, mothersIdentifier="MO-1")
    with renhice.database.unit_of_work() as session:
        assert session.scalar(reads) == (before or 0) + 1


def test_parts_of_an_address_the_second_telephone_and_her_given_names_are_given_back(call: Call, put: Call) -> None:
    phones = [
        {"system": "phone", "value": "984000222", "use": "mobile"},
        {"system": "phone", "value": "084231", "use": "work"},
    ]
    role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "MTH"}]}
    contact = [{"relationship": [role], "name": {"given": ["Nieves", "Luz"]}}]
    sent = rosa(address=[PLACE], telecom=phones, contact=contact, identifier=[{"system": DNI, "value": "40718555"}])
    kept = put("AD-1", sent).json
    assert kept["address"] == [PLACE | {"use": "home"}]
    assert [(one["value"], one.get("use")) for one in kept["telecom"]] == [("984000222", None), ("084231", "work")]
    assert kept["contact"][0]["name"] == {"family": "Ccahuana", "given": ["Nieves", "Luz"]}
    for query in ({"address-city": "wanchaq"}, {"address-postalcode": "08002"}, {"address__exact": "Cusco"}):
        assert kept["id"] in str(find(call, family="Huaman", birthdate="1984-07-19", **query))
