"""ITI-78: searching by every parameter, alone where it names somebody and together where it describes somebody."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from registry.app import Renhice
from registry.audit.models import AuditEvent
from tests.functional.fhir.conftest import MOTHERS_FAMILY, SYSTEMS, Call, Json, misspelt, rosa
from tests.functional.statements import counted

PATIENT = "/fhir/Patient"
DNI = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/dni"
NAMING = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem"
PERSONA, REGISTRO = f"{NAMING}/persona", f"{NAMING}/registro"
A, B = SYSTEMS["a"], SYSTEMS["b"]


@pytest.fixture(scope="module")
def kept(request: pytest.FixtureRequest) -> dict[str, Json]:
    """Rosa at both establishments, and seven strangers who share a birthday and a surname at one."""
    client = request.getfixturevalue("app").test_client()
    made = {}
    ubigeo = {"url": "https://www.gob.pe/minsa/RENHICE/fhir/StructureDefinition/pe-ubigeo", "valueString": "080101"}
    lives = {"address": [{"use": "home", "line": ["Jr. Amargura 214"], "extension": [ubigeo]}]}
    people = [("a", "S-1", rosa(**lives)), ("b", "S-900", misspelt())]
    people += [("a", f"S-2{number}", sibling(number)) for number in range(7)]
    for token, number, patient in people:
        body = patient | {"identifier": [{"system": SYSTEMS[token], "value": number}, *patient["identifier"]]}
        query = {"identifier": f"{SYSTEMS[token]}|{number}"}
        answer = client.put(PATIENT, json=body, query_string=query, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 201
        made[number] = answer.json
    return made


def sibling(number: int) -> Json:
    names = ["Ana", "Berta", "Carla", "Delia", "Emma", "Flor", "Gina"]
    family = {"extension": [{"url": MOTHERS_FAMILY, "valueString": f"Zegarrundo{names[number]}"}]}
    name = {"family": "Tintayapa", "_family": family, "given": [names[number]]}
    document = {"system": DNI, "value": f"4400440{number}"}
    return rosa(name=[name], birthDate="2001-03-04", telecom=[], identifier=[document])


def find(call: Call, token: str = "a", **query: Any) -> Json:
    answer = call(
        "GET", PATIENT, token=token, query_string={name.replace("__", ":"): one for name, one in query.items()}
    )
    assert answer.status_code == 200, answer.text
    found: Json = answer.json
    return found


def ids(bundle: Json) -> list[str]:
    return [one["resource"]["id"] for one in bundle.get("entry", []) if one["search"]["mode"] == "match"]


def person_of(record: Json) -> str:
    found: str = record["link"][0]["other"]["reference"].removeprefix("Patient/")
    return found


def test_ones_own_record_is_found_by_what_names_it(call: Call, kept: dict[str, Json]) -> None:
    own = kept["S-1"]["id"]
    assert ids(find(call, _id=own)) == [own]
    assert ids(find(call, identifier=f"{A}|S-1")) == [own]
    assert ids(find(call, identifier="S-1")) == [own]
    assert ids(find(call, identifier=f"{REGISTRO}|{own}")) == [own]
    assert ids(find(call, identifier=f"{A}|S-1,{A}|S-20")) == sorted([own, kept["S-20"]["id"]])
    assert ids(find(call, identifier=f"{A}|S-1", family="Huaman", birthdate="1984")) == [own]
    assert ids(find(call, identifier=f"{A}|S-1", family="Zubiaurre")) == []
    assert ids(find(call, identifier=f"{A}|S-1", active="true")) == [own]
    assert ids(find(call, identifier=f"{A}|S-1", active="false")) == []
    assert ids(find(call, _id=own, identifier=f"{A}|S-20")) == []
    assert ids(find(call, identifier=f"{A}|nobody")) == []


def test_a_record_out_of_use_is_found_by_that_word_alone(call: Call, put: Call) -> None:
    gone = put("S-OFF", rosa(active=False)).json["id"]
    found = {
        word: ids(find(call, identifier=f"{A}|S-OFF", active=word)) for word in ("false", "true,false", "true", "0")
    }
    assert found == {"false": [gone], "true,false": [gone], "true": [], "0": []}


def test_anothers_number_and_record_are_as_unknown_as_none(call: Call, kept: dict[str, Json]) -> None:
    assert ids(find(call, identifier=f"{B}|S-900")) == []
    assert ids(find(call, _id=kept["S-900"]["id"])) == []
    assert ids(find(call, identifier=f"{REGISTRO}|{kept['S-900']['id']}")) == []


def test_a_person_is_found_by_its_id_and_shown_as_far_as_recognising_needs(call: Call, kept: dict[str, Json]) -> None:
    person = person_of(kept["S-1"])
    for query in ({"_id": person}, {"identifier": f"{PERSONA}|{person}"}):
        entry = find(call, **query)["entry"][0]["resource"]
        assert entry["id"] == person
        systems = [one.get("system") for one in entry["identifier"]]
        assert {PERSONA, REGISTRO, A, B} <= set(systems)
        assert {"telecom", "address"}.isdisjoint(entry)
        assert entry["extension"][0]["valueString"] in {"Ccahuana", "Ccawana"}


@pytest.mark.parametrize(
    "query",
    [
        {"family": "Ccahuana", "given": "Elvira"},
        {"family": "huaman", "birthdate": "1984-07-19"},
        {"family": "Guaman", "birthdate": "eq1984-07-19"},
        {"family": "Huamán,Zubiaurre", "birthdate": "1984-07-19"},
        {"given": "elvira", "birthdate": "1984-07-19"},
        {"name": "Rosa", "family": "Huaman", "mothersMaidenName": "Ccahuana"},
        {"family__exact": "Huamán", "birthdate": "1984-07-19"},
        {"family": "Huaman", "birthdate": "1984-07-19", "given__contains": "lvir"},
        {"mothersMaidenName": "Ccawana", "family": "Huaman", "given": "Rosa", "gender": "female"},
        {"telecom": "984112233", "family": "Huaman"},
        {"phone": "phone|+51984112233", "given": "Rosa"},
        {"address": "Jr Amargura 214", "given": "Rosa"},
        {"address-state": "08", "family": "Huaman", "birthdate": "1984-07-19"},
        {"address-city": "080101", "family": "Huaman", "birthdate": "1984-07-19"},
        {"family": "Ccahuana", "given": "Elvira", "birthdate": "ge1984-01-01"},
        {"family": "Ccahuana", "given": "Elvira", "birthdate": "lt1985"},
        {"name": "Rosa Elvira Huamán Ccahuana"},
    ],
    ids=str,
)
def test_a_person_is_found_by_what_describes_it(call: Call, kept: dict[str, Json], query: dict[str, str]) -> None:
    assert ids(find(call, **query)) == [person_of(kept["S-1"])]


@pytest.mark.parametrize(
    ("said", "found", "missed"),
    [
        (
            ["1931-05", "1931"],
            ["1931-05", "1931", "ge1931-05-20", "ap1931-05-12"],
            ["1931-01-01", "1931-01"],
        ),
        (["1932"], ["1932", "lt1932-02", "ge1932-11"], ["1932-01-01", "1932-05"]),
        (["1933", "1933-01-01"], ["1933-01-01", "1933-01"], ["1933-02"]),
        (["1934-05", "1934-05-12"], ["1934-05-12", "1934-05"], ["1934-01-01", "1934-06"]),
    ],
    ids=str,
)
def test_a_birth_date_is_shown_and_found_as_it_was_said(
    call: Call, put: Call, said: list[str], found: list[str], missed: list[str]
) -> None:
    """Not as the first of January, which only the engine takes it for: of a person, the most that a record says."""
    mother = {"extension": [{"url": MOTHERS_FAMILY, "valueString": "Zegarrundo"}]}
    name = {"family": f"Yupanqui{'abcde'[int(said[0][3])]}to", "_family": mother, "given": ["Saturnina"]}
    family = {"family": name["family"], "given": "Saturnina", "mothersMaidenName": "Zegarrundo"}
    documents = [{"system": DNI, "value": f"4141414{said[0][3]}"}]
    for number, born in enumerate(said):
        body = rosa(name=[name], birthDate=born, telecom=[])
        kept = put(f"B-{said[0]}-{number}", body | {"identifier": documents}).json
        assert kept["birthDate"] == born
    person = find(call, _id=person_of(kept))["entry"][0]["resource"]
    assert person["birthDate"] == max(said, key=len)
    for date in found:
        assert ids(find(call, **family, birthdate=date)) == [person["id"]], date
    for date in missed:
        assert ids(find(call, **family, birthdate=date)) == [], date


@pytest.mark.parametrize(
    "query",
    [
        {"family__exact": "huaman", "birthdate": "1984-07-19"},
        {"family": "Huamán", "birthdate": "1984-07-19", "gender": "male"},
        {"family": "Huamán", "birthdate": "1984-07-19", "given": "Berta"},
        {"family": "Ccahuana", "given": "Elvira", "birthdate": "gt1984-07-19"},
        {"family": "Huamán", "birthdate": "1984-07-19", "active": "false"},
        {"family": "Huamán", "birthdate": "1984-07-19", "address-state": "15"},
        {"family": "Huamán", "birthdate": "1984-07-19", "telecom": "999888777"},
        {"family": "Huamán", "birthdate": "1984-07-19", "address-country": "Chile"},
    ],
    ids=str,
)
def test_every_criterion_must_be_met(call: Call, kept: dict[str, Json], query: dict[str, str]) -> None:
    assert kept
    assert ids(find(call, **query)) == []


def test_anothers_contact_data_are_no_oracle(call: Call, kept: dict[str, Json]) -> None:
    """What one may not see of a person can't be asked for either."""
    assert kept
    assert ids(find(call, token="b", family="Huaman", birthdate="1984-07-19"))
    assert ids(find(call, token="b", family="Huaman", birthdate="1984-07-19", telecom="984112233")) == []


def post(call: Call, query: dict[str, str], **more: Any) -> TestResponse:
    body = "&".join(f"{name}={value}" for name, value in query.items()).encode()
    return call("POST", f"{PATIENT}/_search", body, content_type="application/x-www-form-urlencoded", **more)


def test_a_document_goes_in_the_body_and_needs_a_name_or_a_birth_date(call: Call, kept: dict[str, Json]) -> None:
    person = person_of(kept["S-1"])
    refused = call("GET", PATIENT, query_string={"identifier": f"{DNI}|40718293", "family": "Huaman"})
    assert (refused.status_code, "_search" in refused.text) == (400, True)
    assert post(call, {}, query_string={"identifier": f"{A}|1,{DNI}|40718293"}).status_code == 400
    alone = post(call, {"identifier": f"{DNI}|40718293"}).json
    assert (ids(alone), alone["total"], alone["entry"][0]["search"]["mode"]) == ([], 0, "outcome")
    for more in ({"family": "Huaman"}, {"birthdate": "1984-07-19"}):
        found = post(call, {"identifier": f"{DNI}|40718293"} | more)
        assert ids(found.json) == [person]
        assert "40718293" not in found.json["link"][0]["url"]
    assert ids(post(call, {"identifier": f"{DNI}|40718294", "birthdate": "1984-07-19"}).json) == []


def test_one_search_tries_one_document_number_with_one_set_of_facts(call: Call, kept: dict[str, Json]) -> None:
    """Otherwise a search of the budget would be hundreds: twenty surnames for each of a dozen numbers."""
    asked = {"identifier": f"{DNI}|40718293", "family": "Huaman"}
    for more in (
        {"family": "Quispe,Mamani,Huaman"},
        {"birthdate": "1984-07-18,1984-07-19"},
        {"identifier": f"{DNI}|40718292,{DNI}|40718293"},
    ):
        refused = post(call, asked | more)
        code = refused.json["issue"][0]["details"]["coding"][0]["code"]
        assert (refused.status_code, code) == (400, "one-value-each")
    domains = f"{asked['identifier']}&identifier={A}|,https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/persona|"
    assert ids(post(call, asked | {"identifier": domains}).json) == [person_of(kept["S-1"])]


def test_only_the_domains_asked_for_are_shown(call: Call, kept: dict[str, Json]) -> None:
    assert kept
    query = {"family": "Huaman", "birthdate": "1984-07-19"}
    found = find(call, identifier=f"{B}|", **query)
    assert [one["value"] for one in found["entry"][0]["resource"]["identifier"]] == ["S-900"]
    both = find(call, identifier=f"{B}|,{PERSONA}|", **query)["entry"][0]["resource"]["identifier"]
    assert {one["system"] for one in both} == {B, PERSONA}
    assert find(call, identifier=f"{NAMING}/ptp|", **query)["total"] == 0
    unknown = call("GET", PATIENT, query_string={"identifier": "https://nowhere.example|"} | query)
    assert (unknown.status_code, unknown.json["issue"][0]["code"]) == (404, "not-found")


def test_pages_follow_each_other_and_tell_nothing(call: Call, kept: dict[str, Json]) -> None:
    everybody = {person_of(record) for number, record in kept.items() if number.startswith("S-2")}
    first = find(call, family="Tintayapa", birthdate="2001-03-04", _count="3")
    assert (first["total"], len(ids(first))) == (7, 3)
    seen, page, steps = ids(first), first, 0
    while link := next((one["url"] for one in page["link"] if one["relation"] == "next"), None):
        assert "Tintayapa" not in link
        page = call("GET", f"{PATIENT}?{urlsplit(link).query}").json
        seen, steps = seen + ids(page), steps + 1
        assert call("GET", f"{PATIENT}?{urlsplit(link).query}", token="b").status_code == 400
    assert (steps, sorted(seen)) == (2, sorted(everybody))
    back = next(one["url"] for one in page["link"] if one["relation"] == "previous")
    assert ids(call("GET", f"{PATIENT}?{urlsplit(back).query}").json) == seen[3:6]
    for control in ({"_summary": "count"}, {"_count": "0"}):
        counted = find(call, family="Tintayapa", birthdate="2001-03-04", **control)
        assert (counted["total"], "entry" in counted) == (7, False)
    for page_token in ("x", "AAAA", "%00", "ñ", "A" * 400):
        assert call("GET", PATIENT, query_string={"_page": page_token}).status_code == 400


@pytest.mark.parametrize(
    "query",
    [{"family": "Quispe"}, {"given": "Rosa"}, {"birthdate": "1984-07-19"}, {"gender": "female"}, {"active": "true"},
     {"mothersMaidenName": "Quispe"}, {"name": "Quispe"}, {"family": "Quispe", "gender": "female"},
     {"telecom": "984112233"}, {"address": "Lima"}, {}, {"identifier": f"{PERSONA}|"},
     {"family": "Huamán", "given": "Rosa"}, {"family": "Huamán", "birthdate": "1984"},
     {"family": "Huamán", "given": "Rosa", "birthdate": "1984"},
     {"family": "Huamán", "given": "Rosa", "birthdate": "eq1984-07"},
     {"birthdate": "1984-07-19", "gender": "female"}, {"telecom": "984112233", "birthdate": "1984-07-19"}],
    ids=str,
)  # fmt: skip
def test_a_search_that_would_list_people_says_what_it_needs(call: Call, query: dict[str, str]) -> None:
    """No Bundle in which a parameter was passed over, and none that is empty: both would be taken for an answer."""
    refused = call("GET", PATIENT, query_string=query)
    assert (refused.status_code, refused.json["issue"][0]["code"]) == (422, "too-costly")
    assert "birth date" in refused.json["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    "query",
    [{"birthdate": "yesterday"}, {"birthdate": "1984-13"}, {"family:phonetic": "Guaman"}, {"birthdate:exact": "1984"},
     {"identifier": "|"}, {"_count": "-1"}, {"_count": "many"}, {"family": "x" * 600}, {"family": ",".join("abc" * 9)},
     {"family": "\x00"}],
    ids=lambda query: str(query)[:40],
)  # fmt: skip
def test_what_is_no_search_is_a_clear_4xx(call: Call, query: dict[str, str]) -> None:
    assert call("GET", PATIENT, query_string={"family": "Huaman", "given": "Rosa"} | query).status_code == 400


def test_unknown_parameters_are_ignored_or_refused_as_the_caller_prefers(call: Call, kept: dict[str, Json]) -> None:
    query = {"identifier": f"{A}|S-1", "organization": "1", "_sort": "name"}
    assert ids(find(call, **query)) == [kept["S-1"]["id"]]
    refused = call("GET", PATIENT, query_string=query, headers={"Prefer": "handling=strict"})
    assert (refused.status_code, refused.json["issue"][0]["details"]["coding"][0]["code"]) == (
        400,
        "unsupported-parameter",
    )


def test_each_person_shown_is_audited(call: Call, kept: dict[str, Json], renhice: Renhice) -> None:
    assert kept
    shown = ids(find(call, family="Tintayapa", birthdate="2001-03-04", _count="2"))
    with renhice.database.unit_of_work() as session:
        query = select(AuditEvent.person_id).where(AuditEvent.action == "identity:person:matched")
        matched = {str(one) for one in session.scalars(query.order_by(AuditEvent.recorded_at.desc()).limit(2))}
    assert matched == set(shown)


def test_as_many_statements_for_seven_people_as_for_one(call: Call, kept: dict[str, Json], renhice: Renhice) -> None:
    def asked(**query: Any) -> tuple[int, int]:
        with counted(renhice.database.engine) as seen:
            found = find(call, family="Tintayapa", birthdate="2001-03-04", **query)
        return found["total"], len([one for one in seen if "audit_events" not in one])

    assert kept
    (one, few), (seven, many) = asked(given="Ana"), asked()
    assert (one, seven, many) == (1, 7, few)


def test_reading_needs_the_scope(call: Call) -> None:
    assert call("GET", PATIENT, query_string={"family": "x"}, token="a-remover").status_code == 403


FORMER = {"resourceType": "Patient", "name": [{"family": "Zevallos", "given": ["Tomasa"]}], "birthDate": "1931"}


def test_a_person_that_was_found_to_be_another_one_leads_to_it(call: Call, put: Call) -> None:
    """By id and by identifier, in a search and in a cross-reference."""
    document = {"system": DNI, "value": "40718277"}
    whole = FORMER | {"birthDate": "1931-05-06", "identifier": [document], "gender": "female"}
    survivor, former = (person_of(put(number, said).json) for number, said in (("Z-1", whole), ("Z-2", FORMER)))
    assert former != survivor
    assert person_of(put("Z-2", whole).json) == survivor
    link = [{"other": {"reference": f"Patient/{former}"}, "type": "replaces"}]
    for query in ({"_id": former}, {"identifier": f"{PERSONA}|{former}"}, {"_id": former, "family": "Zevallos"}):
        found = find(call, "b", **query)
        assert ids(found) == [survivor], query
        assert found["entry"][0]["resource"]["link"] == link
    assert ids(find(call, "b", _id=former, family="Otra")) == []
    assert "link" not in find(call, "b", _id=survivor)["entry"][0]["resource"]
    crossed = call("GET", "/fhir/Patient/$ihe-pix", query_string={"sourceIdentifier": f"{PERSONA}|{former}"}).json
    assert {"system": PERSONA, "value": survivor} in [one.get("valueIdentifier") for one in crossed["parameter"]]
