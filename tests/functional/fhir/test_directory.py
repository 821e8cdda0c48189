"""The directory over FHIR (mCSD): read and search, and what of a professional is nobody's business."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.directory.administration import Desk
from registry.directory.loading import load, parse
from registry.sealing import DataKey
from tests.functional.fhir.conftest import IDS, SYSTEMS, Call, Json
from tests.functional.statements import counted

RENIPRESS = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/renipress"
STANDING = (("CMP", True, None), ("CEP", True, "2026-02-01"), ("CMP", False, None))
PROFESSIONALS = [
    {"document": {"type": "DNI", "number": f"7000000{number}"}, "names": "Lucía Inés", "paternal_surname": "Yupanqui",
     "maternal_surname": "Soto", "college": college, "number": f"05432{number}", "able_to_practise": able,
     "affiliations": [{"establishment": "00000000", "role": "medico", "from": "2026-01-01", "until": until}]}
    for number, (college, able, until) in enumerate(STANDING)
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def professionals(request: pytest.FixtureRequest) -> None:
    renhice: Renhice = request.getfixturevalue("renhice")
    with renhice.database.unit_of_work() as session:
        entries, faults = parse(json.dumps({"professionals": PROFESSIONALS}).encode())
        report = load(Desk(session, renhice.sealer, "tests"), entries)
        assert not faults + report.faults


def find(call: Call, kind: str, **query: Any) -> list[Json]:
    sent = {name.replace("__", ":"): value for name, value in query.items()}
    answer = call("GET", f"/fhir/{kind}", query_string=sent, token="a-all", headers={"Prefer": "handling=strict"})
    assert answer.status_code == 200, answer.text
    return [one["resource"] for one in answer.json.get("entry", [])]


@pytest.mark.parametrize("kind", ["Organization", "Location", "Endpoint", "Practitioner", "PractitionerRole"])
def test_each_is_found_and_read_by_its_id(call: Call, kind: str) -> None:
    found = find(call, kind)
    assert len(found) in {2, 3}
    for one in found:
        assert find(call, kind, _id=one["id"]) == [one]
        read = call("GET", f"/fhir/{kind}/{one['id']}", token="a-all")
        assert read.json == one
    page = call("GET", f"/fhir/{kind}", query_string={"_count": "1"}, token="a-all").json
    assert (len(page["entry"]), page["link"][1]["relation"]) == (1, "next")
    unknown = call("GET", f"/fhir/{kind}/00000000-0000-0000-0000-000000000000", token="a-all")
    assert unknown.status_code == 404
    assert call("GET", f"/fhir/{kind}", token="a").status_code == 403


def test_establishments_by_what_is_public_of_them(call: Call) -> None:
    a = str(IDS["a"])
    for query in ({"identifier": f"{RENIPRESS}|00000000"}, {"identifier": "00000000"}, {"name": "hospital a"}):
        assert [one["id"] for one in find(call, "Organization", **query)] == [a]
    assert len(find(call, "Organization", address="08", active="true")) == 2
    for named in ({"name__contains": "TAL A"}, {"name__exact": "Hospital a"}):
        assert [one["id"] for one in find(call, "Organization", **named)] == [a]
        assert [one["id"] for one in find(call, "Location", **named)] == [a]
    for query in ({"address": "cusco"}, {"type": "prov"}, {"type": "III-1"}, {"_lastUpdated": "ge2026-01-01"}):
        assert len(find(call, "Organization", **query)) == 2
    for query in ({"type": "II-1"}, {"_lastUpdated": "lt2026-01-01"}, {"name__exact": "hospital a"}):
        assert find(call, "Organization", **query) == []
    for refused in ({"_lastUpdated": "ne2026"}, {"_lastUpdated": "ge2026,le2027"}, {"_lastUpdated": "ap0001"}):
        assert call("GET", "/fhir/Location", query_string=refused, token="a-all").status_code == 400
    for query in ({"address": "15"}, {"active": "false"}, {"identifier": "urn:x|00000000"}, {"name": "%"}):
        assert find(call, "Organization", **query) == []
    place = find(call, "Location", organization=f"Organization/{a}", status="active")[0]
    assert place["managingOrganization"]["reference"] == f"Organization/{a}"
    gate = find(call, "Endpoint", organization=a)[0]
    assert gate["address"] == "http://127.0.0.1:9000/fhir"
    assert find(call, "Organization", _id=a)[0]["endpoint"][0]["reference"] == f"Endpoint/{gate['id']}"


def test_professionals_by_registration_without_their_document(call: Call, renhice: Renhice) -> None:
    found = find(call, "Practitioner", identifier="CMP-054320")
    assert [one["name"][0]["family"] for one in found] == ["Yupanqui"]
    assert found[0]["qualification"][0]["code"]["coding"][0]["code"] == "01"
    assert "7000000" not in json.dumps(find(call, "Practitioner"))
    assert len(find(call, "Practitioner", active="true")) == 2
    assert find(call, "Practitioner", identifier="CMP-054321") == []
    for named in ({"family": "yupan"}, {"name": "Soto"}, {"given": "Inés"}, {"_lastUpdated": "ge2026-01-01"}):
        assert find(call, "Practitioner", identifier="CMP-054320", **named) == found
    assert find(call, "Practitioner", identifier="CMP-054320", family="Huaman") == []
    alone = call("GET", "/fhir/Practitioner", query_string={"family": "Yupanqui"}, token="a-all")
    assert (alone.status_code, alone.json["issue"][0]["code"]) == (422, "too-costly")
    with renhice.database.unit_of_work() as session:
        query = select(AuditEvent.client_id).where(AuditEvent.action == "directory:professional:read")
        assert set(session.scalars(query)) == {"sihce-a"}


def test_where_a_professional_works(call: Call) -> None:
    doctor = find(call, "Practitioner", identifier="CMP-054320")[0]
    role = find(call, "PractitionerRole", practitioner=f"Practitioner/{doctor['id']}", active="true")
    assert [(one["code"][0]["text"], one["active"]) for one in role] == [("medico", True)]
    assert role[0]["organization"]["reference"] == f"Organization/{IDS['a']}"
    assert datetime.fromisoformat(role[0]["period"]["start"]) == datetime(2026, 1, 1, 5, tzinfo=UTC)
    ended = find(call, "PractitionerRole", active="false")
    assert [one["active"] for one in ended] == [False]
    assert len(find(call, "PractitionerRole", organization=str(IDS["a"]), role="medico")) == 3
    assert find(call, "PractitionerRole", organization=str(IDS["b"])) == []
    assert find(call, "PractitionerRole", organization="nonsense") == []
    assert len(find(call, "PractitionerRole", location=f"Location/{IDS['a']}")) == 3


def test_identifier_systems_are_for_everyone(call: Call) -> None:
    systems = call("GET", "/fhir/NamingSystem", token="").json
    ids = {one["resource"]["id"] for one in systems["entry"]}
    assert {"dni", "renipress", "persona", "registro", "colegiatura"} <= ids
    by_oid = call("GET", "/fhir/NamingSystem", query_string={"value": "urn:oid:2.16.840.1.113883.4.904"}, token="").json
    assert [one["resource"]["id"] for one in by_oid["entry"]] == ["dni"]
    local = call("GET", "/fhir/NamingSystem", query_string={"value": SYSTEMS["a"]}, token="").json
    assert [one["resource"]["id"] for one in local["entry"]] == ["hc-00000000"]
    assert call("GET", "/fhir/NamingSystem/hc-00000000", token="").json["uniqueId"][0]["value"] == SYSTEMS["a"]
    assert call("GET", "/fhir/NamingSystem", query_string={"kind": "root"}, token="").json["total"] == 0
    for unknown in ("hc-99999999", "nada", "%00"):
        assert call("GET", f"/fhir/NamingSystem/{unknown}", token="").status_code in {400, 404}


def test_one_erased_professional_hides_no_others_and_each_costs_no_statement(call: Call, renhice: Renhice) -> None:
    found = find(call, "Practitioner")
    with counted(renhice.database.engine) as seen:
        find(call, "Practitioner")
    assert len([one for one in seen if "data_keys" in one]) == 1
    doctor = find(call, "Practitioner", identifier="CMP-054322")[0]
    with renhice.database.unit_of_work() as session:
        session.execute(delete(DataKey).where(DataKey.owner_id == UUID(doctor["id"])))
    left = find(call, "Practitioner")
    assert [one["id"] for one in left] == [one["id"] for one in found]
    assert [one["id"] for one in left if "name" not in one] == [doctor["id"]]
    assert call("GET", f"/fhir/Practitioner/{doctor['id']}", token="a-all").status_code == 200


def bundle(call: Call, kind: str, token: str = "a-all", **query: Any) -> Json:
    answer = call("GET", f"/fhir/{kind}", query_string=query, token=token, headers={"Prefer": "handling=strict"})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json
    return found


def included(found: Json) -> list[str]:
    modes = {one["fullUrl"]: one["search"]["mode"] for one in found.get("entry", [])}
    assert len(modes) == len(found.get("entry", []))
    return sorted(url.rpartition("/fhir/")[2] for url, mode in modes.items() if mode == "include")


def test_what_refers_to_each_other_comes_in_one_answer(call: Call) -> None:
    a, b = IDS["a"], IDS["b"]
    assert included(bundle(call, "Organization", _id=a, _include="Organization:endpoint")) == [f"Endpoint/{a}"]
    assert included(bundle(call, "Location", _id=a, _include="Location:organization:Organization")) == [
        f"Organization/{a}"
    ]
    both = {"_id": str(a), "_revinclude": ["Location:organization", "Endpoint:organization"]}
    assert included(bundle(call, "Organization", **both)) == [f"Endpoint/{a}", f"Location/{a}"]
    roles = bundle(call, "PractitionerRole", organization=a, _include="*")
    assert [one.partition("/")[0] for one in included(roles)] == ["Location", "Organization", *["Practitioner"] * 3]
    doctor = find(call, "Practitioner", identifier="CMP-054320")[0]["id"]
    back = bundle(call, "Practitioner", _id=doctor, _revinclude="PractitionerRole:practitioner")
    assert (back["total"], len(included(back))) == (1, 1)
    assert included(bundle(call, "Organization", _id=b, _revinclude="PractitionerRole:organization")) == []
    page = bundle(call, "Organization", _count="1", _include="Organization:endpoint")
    following = call("GET", page["link"][1]["url"].partition("/fhir/")[2].join(["/fhir/", ""]), token="a-all").json
    assert {*included(page), *included(following)} == {f"Endpoint/{a}", f"Endpoint/{b}"}


def test_what_is_included_is_known_and_may_be_read(call: Call) -> None:
    strict = {"Prefer": "handling=strict"}
    for query in (
        {"_include": "Organization:partof"},
        {"_include:iterate": "Organization:endpoint"},
        {"_total": "some"},
    ):
        refused = call("GET", "/fhir/Organization", query_string=query, token="a-all", headers=strict)
        assert refused.status_code == 400
    lenient = call("GET", "/fhir/Organization", query_string={"_include": "Organization:partof"}, token="a-all")
    assert (lenient.status_code, included(lenient.json)) == (200, [])
    refused = call("GET", "/fhir/Organization", query_string={"_include": "Organization:endpoint"}, token="a-directory")
    assert (refused.status_code, refused.json["issue"][0]["code"]) == (403, "forbidden")


def test_a_reference_to_another_type_finds_nobody(call: Call) -> None:
    a = IDS["a"]
    for kind, name, right, wrong in (
        ("PractitionerRole", "location", "Location", "Practitioner"),
        ("PractitionerRole", "organization", "Organization", "Location"),
        ("Location", "organization", "Organization", "Location"),
        ("Endpoint", "organization", "Organization", "Endpoint"),
    ):
        assert find(call, kind, **{name: f"{right}/{a}"})
        assert find(call, kind, **{f"{name}__{right}": str(a)})
        assert find(call, kind, **{name: f"{wrong}/{a}"}) == []
        refused = call("GET", f"/fhir/{kind}", query_string={f"{name}:{wrong}": str(a)}, token="a-all")
        assert refused.status_code == 400


def test_what_the_directory_does_not_say_of_anybody_finds_nobody(call: Call) -> None:
    for kind, query in (
        ("Organization", {"partof": f"Organization/{IDS['a']}"}),
        ("Location", {"partof": f"Location/{IDS['a']}"}),
        ("PractitionerRole", {"specialty": "394579002"}),
        ("PractitionerRole", {"service": "1"}),
        ("Endpoint", {"identifier": "00000000"}),
        ("Location", {"type": "PHARM"}),
        ("Location", {"status": "suspended"}),
        ("Endpoint", {"status": "error"}),
        ("Organization", {"active": "maybe"}),
        ("Practitioner", {"active": "yes"}),
        ("PractitionerRole", {"active": "0"}),
    ):
        assert find(call, kind, **query) == []
    assert len(find(call, "Location", type="HOSP", status="active,inactive")) == 2
    assert len(find(call, "PractitionerRole", active="true,false")) == 3


def test_a_total_is_told_where_it_is_known_or_asked_for(call: Call) -> None:
    assert bundle(call, "Organization")["total"] == 2
    assert "total" not in bundle(call, "Organization", _count="1")
    for query in ({"_count": "1", "_total": "accurate"}, {"_summary": "count"}, {"_count": "0"}):
        assert bundle(call, "Organization", **query)["total"] == 2
        assert bundle(call, "PractitionerRole", active="true", **query)["total"] == 2
    named = {"identifier": "054320,054321,054322", "family": "yup"}
    page = bundle(call, "Practitioner", _count="1", _total="estimate", **named)
    assert (page["total"], len(page["entry"])) == (2, 1)
