"""The summary: one fact once, with every origin; what nobody answered is never told as if there were none."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_broker.exchange.service import ExchangeResult, Missing, Record
from consent_broker.exchange.summary.alerts import alerts_of
from consent_broker.exchange.summary.document import Document
from consent_broker.exchange.summary.items import items_of
from consent_broker.exchange.summary.service import SUMMARISED, write_summary
from consent_broker.oauth.holder_tokens import Holder
from registry.fhir.ips import check_ips

Json = dict[str, Any]
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
BASE = "https://renhice.example.pe"
SNOMED, ATC = "http://snomed.info/sct", "http://www.whocc.no/atc"
CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
A, B = (
    Holder(
        UUID(int=number),
        f"0000000{number}",
        f"Hospital {name}",
        f"https://{name.lower()}.example.pe/fhir",
        UUID(int=number + 8),
    )
    for number, name in enumerate("AB", 1)
)
PATIENT = {"resourceType": "Patient", "id": str(UUID(int=9)), "name": [{"family": "Q"}], "birthDate": "1980-01-01",
           "identifier": [{"value": "1"}]}  # fmt: skip


def concept(system: str, code: str, text: str = "") -> Json:
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


def allergy(code: Json, identifier: str = "1", **more: Any) -> Json:
    return {
        "resourceType": "AllergyIntolerance",
        "id": identifier,
        "clinicalStatus": concept(CLINICAL, "active"),
        "code": code,
        "patient": {"reference": "Patient/local"},
        "recordedDate": "2026-01-02",
    } | more


def medicine(code: Json, identifier: str = "1", **more: Any) -> Json:
    return {
        "resourceType": "MedicationStatement",
        "id": identifier,
        "status": "active",
        "medicationCodeableConcept": code,
        "subject": {"reference": "Patient/local"},
        "effectivePeriod": {"start": "2026-02-01"},
    } | more


PENICILLIN = concept(SNOMED, "91936005", "Alergia a la penicilina")
NONE_KNOWN = concept(SNOMED, "716186003", "Sin alergias conocidas")
AMOXICILLIN = concept(ATC, "J01CA04", "Amoxicilina 500 mg")


def records(*found: tuple[Holder, Json]) -> list[Record]:
    return [Record(holder, one["resourceType"], one) for holder, one in found]


def summary(*found: tuple[Holder, Json], missing: list[Missing] | None = None, types: Any = SUMMARISED) -> Json:
    result = ExchangeResult(records(*found), missing or [])
    return write_summary(Document(PATIENT, BASE, NOW, UUID(int=7)), result, types)


def section(bundle: Json, code: str = "48765-2") -> Json:
    sections = bundle["entry"][0]["resource"]["section"]
    return next(one for one in sections if one.get("code", {}).get("coding", [{}])[0].get("code") == code)


def why_empty(found: Json) -> str:
    assert "entry" not in found
    return str(found["emptyReason"]["coding"][0]["code"])


def of_type(bundle: Json, kind: str) -> list[Json]:
    return [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == kind]


def test_the_same_fact_of_two_holders_is_one_item_with_both_origins() -> None:
    bundle = summary((A, allergy(PENICILLIN)), (B, allergy(PENICILLIN, "77", criticality="high")))
    [found] = of_type(bundle, "AllergyIntolerance")
    assert found["criticality"] == "high"
    assert found["meta"]["source"] == f"{B.endpoint}/AllergyIntolerance/77"
    assert found["patient"] == {"reference": f"{BASE}/fhir/Patient/{PATIENT['id']}"}
    [origin] = of_type(bundle, "Provenance")
    assert [one["who"]["display"] for one in origin["agent"]] == ["Hospital A", "Hospital B"]
    assert [one["what"]["reference"] for one in origin["entity"]] == [
        f"{A.endpoint}/AllergyIntolerance/1", f"{B.endpoint}/AllergyIntolerance/77",
    ]  # fmt: skip
    assert "Hospital A, Hospital B" in section(bundle)["text"]["div"]


@pytest.mark.parametrize(
    "other",
    [
        allergy(PENICILLIN, "2", recordedDate="2026-01-03"),
        allergy(concept(SNOMED, "293586001"), "2"),
        allergy(PENICILLIN, "2", clinicalStatus=concept(CLINICAL, "resolved")),
    ],
    ids=["another-day", "another-code", "another-status"],
)
def test_what_differs_in_code_date_or_status_stays_apart(other: Json) -> None:
    assert len(items_of(records((A, allergy(PENICILLIN)), (B, other)))) == 2


def test_words_count_where_there_is_no_code() -> None:
    found = items_of(records((A, allergy({"text": "Maní"})), (B, allergy({"text": "  mani "}, "2"))))
    assert len(found) == 1


def test_what_was_entered_in_error_or_says_nothing_is_left_out() -> None:
    wrong = allergy(PENICILLIN, verificationStatus=concept(CLINICAL, "entered-in-error"))
    unknown = allergy(concept("http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips", "no-allergy-info"), "2")
    assert items_of(records((A, wrong), (A, unknown))) == []


def test_that_there_are_none_is_said_where_a_holder_says_so_and_everybody_answered() -> None:
    found = section(summary((A, allergy(NONE_KNOWN))))
    assert len(found["entry"]) == 1
    assert "Sin alergias conocidas" in found["text"]["div"]


def test_a_holder_that_did_not_answer_is_never_no_known_allergies() -> None:
    missing = [Missing("AllergyIntolerance", B, "timeout")]
    for found in (section(summary(missing=missing)), section(summary((A, allergy(NONE_KNOWN)), missing=missing))):
        assert why_empty(found) == "unavailable"
        assert "Falta lo que registra Hospital B" in found["text"]["div"]


def test_nothing_on_record_is_not_told_as_none() -> None:
    found = section(summary())
    assert why_empty(found) == "unavailable"
    assert "no significa que no haya" in found["text"]["div"]


def test_what_the_patient_restricts_is_withheld_and_what_was_not_asked_is_not_asked() -> None:
    bundle = summary(missing=[Missing("AllergyIntolerance", None, "suppressed")], types=["AllergyIntolerance"])
    assert why_empty(section(bundle)) == "withheld"
    assert why_empty(section(bundle, "10160-0")) == "notasked"


def test_an_allergy_outweighs_a_statement_that_there_are_none() -> None:
    bundle = summary((A, allergy(NONE_KNOWN)), (B, allergy(PENICILLIN)))
    assert [one["code"]["text"] for one in of_type(bundle, "AllergyIntolerance")] == ["Alergia a la penicilina"]
    assert "Hospital A refiere: Sin alergias conocidas" in section(bundle)["text"]["div"]


@pytest.mark.parametrize(
    "code", [AMOXICILLIN, {"text": "AMOXICILINA + ácido clavulánico"}], ids=["by-code", "by-words"]
)
def test_an_allergy_against_a_medicine_of_its_class_is_an_alert(code: Json) -> None:
    bundle = summary((A, allergy(PENICILLIN)), (B, medicine(code)))
    [issue] = of_type(bundle, "DetectedIssue")
    assert (issue["code"]["coding"][0]["code"], issue["severity"]) == ("ALGY", "high")
    urls = {one["fullUrl"] for one in bundle["entry"]}
    assert {one["reference"] for one in issue["implicated"]} <= urls
    assert "penicilinas" in issue["detail"]


def test_an_allergy_to_the_very_medicine_is_an_alert() -> None:
    same = concept(ATC, "A10BA02", "Metformina")
    [alert] = alerts_of(items_of(records((A, allergy(same)), (B, medicine(same)))))
    assert (alert.kind, alert.severity) == ("ALGY", "high")


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("C09CA01", "C09CA01", "DUPTHPGEN"),
        ("C09CA01", "C09CA03", "DUPTHPCLS"),
        ("C09CA01", "C09AA02", None),
        ("J01C", "J01C", "DUPTHPGEN"),
    ],
)
def test_the_same_therapy_twice_is_an_alert(one: str, other: str, kind: str | None) -> None:
    later = {"effectivePeriod": {"start": "2026-03-01"}}
    found = items_of(records((A, medicine(concept(ATC, one))), (B, medicine(concept(ATC, other), "2", **later))))
    assert [alert.kind for alert in alerts_of(found)] == ([kind] if kind else [])


@pytest.mark.parametrize(
    "pair",
    [
        (allergy(PENICILLIN), medicine(AMOXICILLIN, status="completed")),
        (allergy(PENICILLIN, clinicalStatus=concept(CLINICAL, "resolved")), medicine(AMOXICILLIN)),
        (allergy(PENICILLIN, verificationStatus=concept(CLINICAL, "refuted")), medicine(AMOXICILLIN)),
        (allergy(NONE_KNOWN), medicine(AMOXICILLIN)),
        (allergy(concept(SNOMED, "91935009", "Alergia al maní")), medicine(AMOXICILLIN)),
        (allergy(PENICILLIN), medicine(concept(ATC, "N02BE01", "Paracetamol"))),
    ],
    ids=["ended", "resolved", "refuted", "none-known", "food", "other-class"],
)
def test_what_is_not_of_today_or_not_related_alerts_nobody(pair: tuple[Json, Json]) -> None:
    assert alerts_of(items_of(records((A, pair[0]), (B, pair[1])))) == []


def test_alerts_are_few_and_the_gravest_first() -> None:
    twice = [
        (A, medicine(concept(ATC, "C09CA01"), str(day), effectivePeriod={"start": f"2026-01-{day:02}"}))
        for day in range(1, 9)
    ]
    alerts = alerts_of(items_of(records(*twice, (A, allergy(PENICILLIN)), (B, medicine(AMOXICILLIN, "90")))))
    assert (len(alerts), alerts[0].kind) == (10, "ALGY")


def test_a_summary_has_the_minimum_content_of_an_ips() -> None:
    full = summary((A, allergy(PENICILLIN)), (B, medicine(AMOXICILLIN)), missing=[Missing("Condition", B, "timeout")])
    assert [one for one in check_ips(full) if one.severity == "error"] == []
    assert [one for one in check_ips(summary()) if one.severity == "error"] == []


@pytest.mark.parametrize(
    "spoilt",
    [
        {"category": "food"},
        {"contained": [{"resourceType": "Nothing"}]},
        {"contained": [{"resourceType": 5}]},
        {"extension": [{"url": "https://x.example", "valueUrl": False}]},
    ],
)
def test_what_is_no_fhir_is_left_out_and_named(spoilt: Json) -> None:
    bundle = summary((A, allergy(PENICILLIN, **spoilt)))
    assert of_type(bundle, "AllergyIntolerance") == []
    assert why_empty(section(bundle)) == "unavailable"
    assert "Falta lo que registra Hospital A" in section(bundle)["text"]["div"]


def test_markup_in_what_a_holder_sent_stays_words() -> None:
    bundle = summary((A, allergy({"text": "<script>alert(1)</script>"})))
    assert "<script>" not in section(bundle)["text"]["div"]


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([ATC, "J01CA04", "active"])
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["coding", "system", "code", "text", "start", "reference", "source"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(kind=st.sampled_from(SUMMARISED), name=st.sampled_from([
    "id", "meta", "code", "vaccineCode", "medicationCodeableConcept", "status", "clinicalStatus", "recordedDate",
    "effectivePeriod", "patient", "subject",
]), value=ANYTHING)  # fmt: skip
def test_whatever_a_holder_sends_the_summary_stands(kind: str, name: str, value: Any) -> None:
    bundle = summary((A, {"resourceType": kind, "id": "1", name: value}), (B, allergy(PENICILLIN)))
    assert len(bundle["entry"][0]["resource"]["section"]) == 4
