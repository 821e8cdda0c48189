"""Creating with POST, with and without `If-None-Exist`, and the versions of a record."""

from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from tests.functional.fhir.conftest import SYSTEMS, Call, Json, rosa

A = SYSTEMS["a"]


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


def test_every_version_is_there_newest_first(call: Call) -> None:
    made = call("POST", "/fhir/Patient", numbered("C-5")).json
    revised = numbered("C-5", id=made["id"], birthDate="1984-07-20")
    stale = call("PUT", f"/fhir/Patient/{made['id']}", revised, headers={"If-Match": 'W/"7"'})
    assert stale.status_code == 412
    assert call("PUT", f"/fhir/Patient/{made['id']}", revised, headers={"If-Match": 'W/"1"'}).status_code == 200
    history = call("GET", f"/fhir/Patient/{made['id']}/_history").json
    Bundle.model_validate(history)
    assert [one["resource"]["birthDate"] for one in history["entry"]] == ["1984-07-20", "1984-07-19"]
    assert [one["request"]["method"] for one in history["entry"]] == ["PUT", "POST"]
    assert [one["response"]["etag"] for one in history["entry"]] == ['W/"2"', 'W/"1"']
    assert call("GET", f"/fhir/Patient/{made['id']}/_history", token="b").status_code == 404
    assert call("GET", "/fhir/Patient/x/_history").status_code == 404
