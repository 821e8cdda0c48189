"""PE Core (Minsa's guide): PacientePe and OrganizacionPe as their pages have them, taken and produced."""

from typing import Any

import pytest

from tests.functional.fhir.conftest import IDS, SYSTEMS, Call, Json

PE = "https://www.gob.pe/minsa/RENHICE/fhir"
OID_DNI = "urn:oid:2.16.840.1.113883.4.904"
MOTHER = "https://hl7.org/fhir/StructureDefinition/humanname-mothers-family"


def country(code: str, how: str) -> Json:
    coding = {"system": f"{PE}/CodeSystem/PaisesCS", "code": code}
    values: dict[str, Any] = {
        "valueCode": code,
        "valueString": code,
        "valueCoding": coding,
        "valueCodeableConcept": {"coding": [coding]},
    }
    return {"url": f"{PE}/StructureDefinition/pe-pais", how: values[how]}


def paciente(number: str, how: str = "valueCodeableConcept", *, code: str = "1", issuer: str = "PER") -> Json:
    """As a record system that follows the guide writes it: identifiers by type, surnames apart, the ubigeo."""
    kind = {
        "extension": [country(issuer, how)],
        "coding": [{"system": f"{PE}/CodeSystem/IdspersonaPeru", "code": code}],
    }
    second = [{"url": MOTHER, "valueString": "Condori"}]
    second.append({"url": f"{PE}/StructureDefinition/pe-tercerapellido", "valueString": "Condori"})
    ubigeo = {"url": f"{PE}/StructureDefinition/pe-ubigeo", "valueString": "080101"}
    return {
        "resourceType": "Patient",
        "meta": {"profile": [f"{PE}/StructureDefinition/PacientePe"]},
        "identifier": [
            {"use": "official", "type": kind, "system": OID_DNI if code == "1" else None, "value": "44718203"},
            {"system": SYSTEMS["a"], "value": number},
        ],
        "active": True,
        "name": [{"use": "official", "family": "Mamani", "_family": {"extension": second}, "given": ["Juana", "Inés"]}],
        "gender": "female",
        "birthDate": "1991-04-05",
        "_birthDate": {"extension": [country("PER", how), ubigeo]},
        "address": [{"use": "home", "extension": [ubigeo], "line": ["Jr. Puno 12"], "country": "PE"}],
    }


def without_none(patient: Json) -> Json:
    patient["identifier"] = [{k: v for k, v in one.items() if v is not None} for one in patient["identifier"]]
    return patient


@pytest.mark.parametrize(
    ("how", "code", "issuer"),
    [
        ("valueCodeableConcept", "1", "PER"),
        ("valueCoding", "DNI", "PER"),
        ("valueString", "2", "PER"),
        ("valueCode", "3", "BOL"),
    ],
)
def test_paciente_pe_is_taken_and_comes_back_as_one(call: Call, how: str, code: str, issuer: str) -> None:
    number = f"PE-{how}"
    sent = without_none(paciente(number, how, code=code, issuer=issuer))
    kept = call("POST", "/fhir/Patient", sent)
    assert kept.status_code == 201, kept.text
    made = kept.json
    assert f"{PE}/StructureDefinition/PacientePe" in made["meta"]["profile"]
    for identifier in made["identifier"]:
        assert identifier["value"]
        assert [one["url"] for one in identifier["type"]["extension"]] == [f"{PE}/StructureDefinition/pe-pais"]
        assert identifier["type"]["coding"][0]["code"]
    document = made["identifier"][-1]
    assert document["value"] == "44718203"
    assert document["type"]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == issuer
    assert document["type"]["coding"][0]["code"] == {"DNI": "1"}.get(code, code)
    family = made["name"][0]
    assert (family["family"], family["_family"]["extension"][0]["valueString"]) == ("Mamani", "Condori")
    assert family["given"] == ["Juana", "Inés"]
    assert made["address"][0]["extension"][0]["valueString"] == "080101"
    again = call("PUT", f"/fhir/Patient/{made['id']}", made)
    assert (again.status_code, again.headers["ETag"]) == (200, 'W/"1"')


def test_a_patient_without_documents_is_still_a_paciente_pe(call: Call) -> None:
    """PacientePe asks for an identifier; the local number is one."""
    made = call(
        "POST", "/fhir/Patient", paciente("PE-NN") | {"identifier": [{"system": SYSTEMS["a"], "value": "PE-NN"}]}
    )
    assert made.status_code == 201
    assert all("type" in one for one in made.json["identifier"])


def test_organizacion_pe_is_produced(call: Call) -> None:
    made = call("GET", f"/fhir/Organization/{IDS['a']}", token="a-all").json
    assert f"{PE}/StructureDefinition/OrganizacionPe" in made["meta"]["profile"]
    identifier = made["identifier"][0]
    assert identifier["type"]["coding"] == [{"system": f"{PE}/CodeSystem/IPRESSCS", "code": "00000000"}]
    assert (identifier["value"], made["active"]) == ("00000000", True)
    assert made["address"][0]["extension"][0] == {
        "url": f"{PE}/StructureDefinition/pe-ubigeo",
        "valueString": "080101",
    }
