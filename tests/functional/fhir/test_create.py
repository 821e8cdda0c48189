"""Creating with POST, with and without `If-None-Exist`, and the versions of a record."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.functional.fhir.conftest import SYSTEMS, Call, Json, rosa

A = SYSTEMS["a"]
FIVE = tuple(f"1984-07-{day}" for day in range(19, 24))


def numbered(number: str, **more: Any) -> Json:
    return rosa(identifier=[{"system": A, "value": number}], **more)


def test_a_new_number_is_created_and_a_known_one_is_left_alone(call: Call) -> None:
    made = call("POST", "/fhir/Patient", numbered("C-1"))
    assert (made.status_code, made.headers["ETag"]) == (201, 'W/"1"')
    assert made.headers["Location"].endswith(f"/fhir/Patient/{made.json['id']}/_history/1")
    again = call("POST", "/fhir/Patient", numbered("C-1", birthDate="1990-01-01"))
    assert (again.status_code, again.json["issue"][0]["code"]) == (409, "duplicate")
    same = call("POST", "/fhir/Patient", numbered("C-1"), headers={"If-None-Exist": f"identifier={A}|C-1"})
    assert (same.status_code, same.json["id"], same.headers["ETag"]) == (200, made.json["id"], 'W/"1"')
    new = call("POST", "/fhir/Patient", numbered("C-2"), headers={"If-None-Exist": f"?identifier={A}%7CC-2"})
    assert new.status_code == 201


@pytest.mark.parametrize(
    ("patient", "condition"),
    [
        (rosa(identifier=[]), None),
        (rosa(identifier=[{"system": A, "value": "1"}, {"system": A, "value": "2"}]), None),
        (rosa(identifier=[{"system": SYSTEMS["b"], "value": "1"}]), None),
        (numbered("C-9"), f"identifier={A}|C-8"),
        (numbered("C-9"), "family=Huaman"),
        (numbered("C-9"), ""),
        (numbered("C-9"), "identifier=40718293"),
        (numbered("C-9", birthDate="nonsense"), None),
    ],
)
def test_what_can_not_be_created_is_a_clear_4xx(call: Call, patient: Json, condition: str | None) -> None:
    headers = {} if condition is None else {"If-None-Exist": condition}
    refused = call("POST", "/fhir/Patient", patient, headers=headers)
    assert refused.status_code == 400
    assert refused.json["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("said", ["1984", "1984-07"])
def test_a_birth_date_is_as_exact_as_it_was_said(call: Call, said: str) -> None:
    made = call("PUT", "/fhir/Patient", numbered(f"C-{said}", birthDate=said), query_string=own(f"C-{said}")).json
    assert (made["birthDate"], call("GET", f"/fhir/Patient/{made['id']}").json["birthDate"]) == (said, said)
    again = call("PUT", "/fhir/Patient", numbered(f"C-{said}", birthDate=said), query_string=own(f"C-{said}"))
    assert again.headers["ETag"] == 'W/"1"'
    exact = call(
        "PUT", "/fhir/Patient", numbered(f"C-{said}", birthDate=f"{said}-01-01"[:10]), query_string=own(f"C-{said}")
    )
    assert exact.json["birthDate"] == f"{said}-01-01"[:10]


def test_every_version_is_there_newest_first(call: Call) -> None:
    made = call("POST", "/fhir/Patient", numbered("C-5")).json
    revised = numbered("C-5", id=made["id"], birthDate="1984-07-20")
    stale = call("PUT", f"/fhir/Patient/{made['id']}", revised, headers={"If-Match": 'W/"7"'})
    assert stale.status_code == 412
    assert call("PUT", f"/fhir/Patient/{made['id']}", revised, headers={"If-Match": 'W/"1"'}).status_code == 200
    history = call("GET", f"/fhir/Patient/{made['id']}/_history").json
    assert [one["resource"]["birthDate"] for one in history["entry"]] == ["1984-07-20", "1984-07-19"]
    assert [one["request"]["method"] for one in history["entry"]] == ["PUT", "POST"]
    assert [one["response"]["etag"] for one in history["entry"]] == ['W/"2"', 'W/"1"']
    assert call("GET", f"/fhir/Patient/{made['id']}/_history", token="b").status_code == 404
    assert call("GET", "/fhir/Patient/x/_history").status_code == 404


def revise(call: Call, number: str, *days: str) -> Json:
    """The record of a number, after a version for each birth date."""
    made = [call("PUT", "/fhir/Patient", numbered(number, birthDate=day), query_string=own(number)) for day in days]
    found: Json = made[-1].json
    return found


def own(number: str) -> Json:
    return {"identifier": f"{A}|{number}"}


def versions(page: Json) -> list[int]:
    return [int(one["resource"]["meta"]["versionId"]) for one in page.get("entry", [])]


def test_pages_of_a_history_stay_as_they_were_when_versions_come_in(call: Call) -> None:
    path = f"/fhir/Patient/{revise(call, 'C-6', *FIVE)['id']}/_history"
    page = call("GET", f"{path}?_count=2").json
    seen = [versions(page)]
    while following := [one["url"] for one in page["link"] if one["relation"] == "next"]:
        revise(call, "C-6", f"1984-08-0{len(seen)}")
        token = following[0].partition("_page=")[2]
        page = call("GET", f"{path}?_page={token}").json
        assert page["total"] == 5
        seen.append(versions(page))
    assert seen == [[5, 4], [3, 2], [1]]
    assert call("GET", path).json["total"] == 7
    assert call("GET", f"{path}?_page={token}", token="b").status_code == 404
    other = revise(call, "C-7", FIVE[0])["id"]
    assert call("GET", f"/fhir/Patient/{other}/_history?_page={token}").status_code == 400


def test_a_history_since_a_moment_and_at_one(call: Call) -> None:
    path = f"/fhir/Patient/{revise(call, 'C-8', *FIVE)['id']}/_history"

    def told(**asked: str) -> list[int]:
        got = call("GET", path, query_string=asked, headers={"Prefer": "handling=strict"})
        assert got.json["total"] == len(versions(got.json)), got.text
        return versions(got.json)

    third = call("GET", f"{path}/3").json["meta"]["lastUpdated"]
    first = datetime.fromisoformat(call("GET", f"{path}/1").json["meta"]["lastUpdated"])
    assert told(_since=third) == [5, 4, 3]
    assert told(_since="2100-01-01") == []
    assert told(_at=(first - timedelta(seconds=9)).isoformat()) == []
    assert told(_at="2100") == [5]
    assert told(_at=str(first.year))[-1] == 1


@pytest.mark.parametrize(
    "asked",
    [
        "_count=x", "_count=-1", "_count=%D9%A1", "_since=ge2026", "_since=2026-13", "_since=2026&_since=2027",
        "_since=2026,2027", "_at=yesterday", "_at=%00", "_page=x", "_page=%FF", "_since:exact=2026",
    ],
)  # fmt: skip
def test_what_is_no_page_of_a_history_is_400(call: Call, asked: str) -> None:
    refused = call("GET", f"/fhir/Patient/{revise(call, 'C-10', FIVE[0])['id']}/_history?{asked}")
    assert (refused.status_code, refused.json["resourceType"]) == (400, "OperationOutcome"), refused.text
