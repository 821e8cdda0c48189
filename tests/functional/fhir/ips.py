"""An International Patient Summary as a record system writes it; invented."""

from typing import Any

from tests.functional.fhir.documents import BASE, coded

Json = dict[str, Any]
PATIENT, ALLERGY = "urn:uuid:11111111-0000-4000-8000-000000000001", "urn:uuid:11111111-0000-4000-8000-000000000002"
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">Alergia a la penicilina</div>'
SECTIONS = {"48765-2": "Alergias", "10160-0": "Medicación", "11450-4": "Problemas", "11369-6": "Vacunas"}
EMPTY = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/list-empty-reason", "code": "notasked"}]}


def ips(url: str = f"{BASE}/Bundle/ips-1", **more: Any) -> tuple[str, Json]:
    """A complete one, by the address it is published at; `more` replaces elements of its Composition."""
    sections: list[Json] = [
        {"title": title, "code": coded(code), "text": {"status": "generated", "div": DIV}, "emptyReason": EMPTY}
        for code, title in SECTIONS.items()
    ]
    del sections[0]["emptyReason"]
    sections[0]["entry"] = [{"reference": ALLERGY}]
    composition = {
        "resourceType": "Composition",
        "status": "final",
        "type": coded("60591-5"),
        "subject": {"reference": PATIENT},
        "date": "2026-11-20",
        "author": [{"display": "Juana Quispe"}],
        "title": "Resumen",
        "custodian": {"display": "Hospital a"},
        "section": sections,
    } | more
    patient = {"resourceType": "Patient", "name": [{"family": "Huamán"}], "birthDate": "1984-07-19",
               "identifier": [{"value": "40718293"}]}  # fmt: skip
    allergy = {"resourceType": "AllergyIntolerance", "code": {"text": "Penicilina"}, "patient": {"reference": PATIENT}}
    return url, {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:11111111-0000-4000-8000-000000000009"},
        "timestamp": "2026-11-20T10:00:00-05:00",
        "entry": [
            {"fullUrl": "urn:uuid:11111111-0000-4000-8000-000000000000", "resource": composition},
            {"fullUrl": PATIENT, "resource": patient},
            {"fullUrl": ALLERGY, "resource": allergy},
        ],
    }
