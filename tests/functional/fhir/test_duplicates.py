"""Resolving duplicates, taking records out of use, and what can't be taken back by a feed (ITI-104, PMIR)."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from registry.app import Renhice
from registry.identity.models import PossibleMatch, SourceRecord
from registry.settings import Settings
from tests.functional.fhir.conftest import SYSTEMS, Call, Json, rosa
from tests.functional.fhir.test_feed import Put, issue

A, PIX = SYSTEMS["a"], "/fhir/Patient/$ihe-pix"
REGISTRO = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/registro"


def person_of(record: Json) -> str:
    return str(next(link for link in record["link"] if link["type"] == "refer")["other"]["reference"])


def linked(other: Json, kind: str = "replaced-by", *, times: int = 1) -> Json:
    return rosa(active=False, link=[{"other": other, "type": kind}] * times)


def replaced_by(reference: str, **more: Any) -> Json:
    return rosa(active=False, link=[{"other": {"reference": reference}, "type": "replaced-by"}]) | more


@pytest.mark.parametrize("form", ["reference", "absolute", "identifier", "registry-identifier"])
def test_duplicate_is_kept_as_inactive_and_leads_to_the_survivor(put: Put, call: Call, form: str) -> None:
    survivor, duplicate = put(f"S-{form}", rosa()).json, put(f"D-{form}", rosa(birthDate="1984-07-18")).json
    other = {
        "reference": {"reference": f"Patient/{survivor['id']}"},
        "absolute": {"reference": f"http://127.0.0.1:8000/fhir/Patient/{survivor['id']}"},
        "identifier": {"identifier": {"system": A, "value": f"S-{form}"}},
        "registry-identifier": {"identifier": {"system": REGISTRO, "value": survivor["id"]}},
    }[form]
    said = rosa(active=False, link=[{"other": other, "type": "replaced-by"}], name=[{"family": "Otra"}])
    answer = put(f"D-{form}", said)
    assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"2"')
    kept = call("GET", f"/fhir/Patient/{duplicate['id']}").json
    assert (kept["active"], kept["birthDate"], kept["name"]) == (False, "1984-07-18", duplicate["name"])
    assert {"other": {"reference": f"Patient/{survivor['id']}"}, "type": "replaced-by"} in kept["link"]
    assert person_of(kept) == person_of(survivor)
    assert put(f"D-{form}", said).headers["ETag"] == 'W/"2"'


def test_cross_reference_knows_the_duplicate_no_more(put: Put, call: Call) -> None:
    survivor = put("S-pix", rosa()).json
    duplicate = put("D-pix", rosa()).json
    put("D-pix", replaced_by(f"Patient/{survivor['id']}"))
    gone = call("GET", PIX, query_string={"sourceIdentifier": f"{A}|D-pix"})
    assert (gone.status_code, issue(gone)["code"]) == (404, "not-found")
    found = call("GET", PIX, query_string={"sourceIdentifier": f"{A}|S-pix"})
    assert found.status_code == 200
    assert "D-pix" not in found.text
    assert duplicate["id"] not in found.text


def test_strangers_are_not_joined_by_a_claim(put: Put, renhice: Renhice, call: Call) -> None:
    survivor = put("S-far", rosa()).json
    stranger = rosa(identifier=[], name=[{"family": "Zubiaurre", "given": ["Anacleto"]}], birthDate="1950-01-02")
    duplicate = put("D-far", stranger).json
    put("D-far", replaced_by(f"Patient/{survivor['id']}"))
    kept = call("GET", f"/fhir/Patient/{duplicate['id']}").json
    assert (kept["active"], person_of(kept)) == (False, person_of(duplicate))
    with renhice.database.unit_of_work() as session:
        cases = session.scalars(select(PossibleMatch).where(PossibleMatch.reason == "claimed-duplicate")).all()
        assert [str(case.source_record_id) for case in cases] == [duplicate["id"]]


def test_replaced_record_does_not_come_back_by_the_feed(put: Put, call: Call) -> None:
    survivor, duplicate = put("S-back", rosa()).json, put("D-back", rosa()).json
    put("D-back", replaced_by(f"Patient/{survivor['id']}"))
    for answer in (
        put("D-back", rosa()),
        put("D-back", rosa(active=False)),
        call("PUT", f"/fhir/Patient/{duplicate['id']}", duplicate),
    ):
        assert (answer.status_code, issue(answer)["code"]) == (405, "not-supported")
        assert answer.headers["Allow"] == "GET, DELETE"
    assert call("DELETE", f"/fhir/Patient/{duplicate['id']}", token="a-remover").status_code == 204


@pytest.mark.parametrize(
    ("patient", "status", "code"),
    [
        (lambda s: replaced_by(f"Patient/{s}", active=True), 422, "replaced-still-active"),
        (lambda s: linked({"reference": f"Patient/{s}"}, "replaces"), 422, "replaces-not-offered"),
        (lambda s: replaced_by("Patient/00000000-0000-7000-8000-000000000000"), 422, "survivor-unknown"),
        (lambda s: replaced_by("Patient/x"), 400, "invalid-resource"),
        (lambda s: replaced_by("Organization/1"), 400, "invalid-resource"),
        (lambda s: linked({"display": "?"}), 400, "invalid-resource"),
        (lambda s: linked({"reference": f"Patient/{s}"}, times=2), 400, "invalid-resource"),
        (lambda s: linked({"identifier": {"system": A, "value": "nobody"}}), 422, "survivor-unknown"),
    ],
)  # fmt: skip
def test_claims_that_cannot_be_kept_are_refused(put: Put, patient: Any, status: int, code: str) -> None:
    survivor = put("S-bad", rosa()).json["id"]
    put("D-bad", rosa())
    answer = put("D-bad", patient(survivor))
    assert (answer.status_code, issue(answer)["details"]["coding"][0]["code"]) == (status, code)


def test_another_establishments_record_stands_for_nothing_here(put: Put) -> None:
    theirs = put("S-other", rosa(), token="b").json["id"]
    put("D-other", rosa())
    assert put("D-other", replaced_by(f"Patient/{theirs}")).status_code == 422
    mine = put("S-self", rosa()).json["id"]
    assert put("S-self", replaced_by(f"Patient/{mine}")).status_code == 422
    assert put("nobody", replaced_by(f"Patient/{mine}")).status_code == 404
    put("D-chain", rosa())
    second = put("D-chain", replaced_by(f"Patient/{mine}")).json["id"]
    put("D-chain2", rosa())
    assert put("D-chain2", replaced_by(f"Patient/{second}")).status_code == 422


def test_two_confirmed_dnis_are_no_duplicate(put: Put, renhice: Renhice) -> None:
    survivor = put("S-dni", rosa()).json["id"]
    other = [{"system": "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/dni", "value": "71234568"}]
    put("D-dni", rosa(identifier=other, name=[{"family": "Quispe", "given": ["Juana"]}]))
    with renhice.database.unit_of_work() as session:
        session.execute(update(SourceRecord).values(verified=True))
    answer = put("D-dni", replaced_by(f"Patient/{survivor}", identifier=other))
    with renhice.database.unit_of_work() as session:
        session.execute(update(SourceRecord).values(verified=False))
    assert issue(answer)["details"]["coding"][0]["code"] == "verified-conflict"


def test_record_is_taken_out_of_use_and_comes_back(put: Put, call: Call) -> None:
    kept = put("R-1", rosa()).json
    by_number = {"query_string": {"identifier": f"{A}|R-1"}, "token": "a-remover"}
    assert call("DELETE", "/fhir/Patient", **by_number).status_code == 204
    assert call("DELETE", "/fhir/Patient", **by_number).headers["ETag"] == 'W/"2"'
    shown = call("GET", f"/fhir/Patient/{kept['id']}").json
    assert (shown["active"], shown["name"]) == (False, kept["name"])
    assert put("R-1", rosa()).headers["ETag"] == 'W/"3"'
    assert call("DELETE", f"/fhir/Patient/{kept['id']}", token="a-remover").headers["ETag"] == 'W/"4"'


def test_removing_needs_its_scope_and_ones_own_record(put: Put, call: Call) -> None:
    kept = put("R-2", rosa()).json
    path, number = f"/fhir/Patient/{kept['id']}", {"identifier": f"{A}|R-2"}
    assert call("DELETE", path).status_code == 403
    assert call("DELETE", "/fhir/Patient", query_string=number).status_code == 403
    assert call("DELETE", path, token="b-remover").status_code == 404
    nobody = {"identifier": f"{A}|nobody"}
    assert call("DELETE", "/fhir/Patient", query_string=nobody, token="a-remover").status_code == 404
    assert call("DELETE", "/fhir/Patient", token="a-remover").status_code == 400
    assert call("DELETE", path, token="a-remover", headers={"If-Match": 'W/"9"'}).status_code == 412


@pytest.fixture
def lenient(settings: Settings, app: Flask) -> Iterator[None]:
    parts: Renhice = app.extensions["renhice"]
    app.extensions["renhice"] = Renhice(
        parts.settings.model_copy(update={"unmerge_by_feed": True}), parts.database, parts.sealer, parts.celery
    )
    yield
    app.extensions["renhice"] = parts


def test_where_policy_allows_the_feed_takes_it_back(put: Put, call: Call, lenient: None) -> None:
    survivor, duplicate = put("S-len", rosa()).json, put("D-len", rosa()).json
    put("D-len", replaced_by(f"Patient/{survivor['id']}"))
    assert put("D-len", rosa()).status_code == 200
    back = call("GET", f"/fhir/Patient/{duplicate['id']}").json
    assert (back["active"], [link["type"] for link in back["link"]]) == (True, ["refer"])
