"""Invented clinical data: allergies, medication, encounters, problems and immunisations of one patient."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sandbox.clerks import Record
from sandbox.patient import BASE
from sandbox.places import BY_RENIPRESS, SERVICES
from sandbox.population import TODAY

Json = dict[str, Any]
SNOMED, ATC, ICD10 = "http://snomed.info/sct", "http://www.whocc.no/atc", "http://hl7.org/fhir/sid/icd-10"
CLINICAL = "http://terminology.hl7.org/CodeSystem"
SENSITIVE = {"system": f"{CLINICAL}/v3-ActCode", "code": "PSY"}
TYPES = ("AllergyIntolerance", "MedicationStatement", "Encounter", "Condition", "Immunization")
ALLERGIES = (
    (SNOMED, "91936005", "Alergia a la penicilina", "medication", "high"),
    (SNOMED, "293586001", "Alergia al ácido acetilsalicílico", "medication", "high"),
    (SNOMED, "91935009", "Alergia al maní", "food", "high"),
    (SNOMED, "300913006", "Alergia a mariscos", "food", "low"),
    (SNOMED, "232347008", "Alergia al polvo doméstico", "environment", "low"),
)
MEDICATION = (
    (ATC, "C09CA01", "Losartán 50 mg", "1 tableta por vía oral cada 12 horas"),
    (ATC, "A10BA02", "Metformina 850 mg", "1 tableta por vía oral con el almuerzo"),
    (ATC, "N02BE01", "Paracetamol 500 mg", "1 tableta por vía oral si hay dolor"),
    (ATC, "A02BC01", "Omeprazol 20 mg", "1 cápsula por vía oral en ayunas"),
    (ATC, "B03AA07", "Sulfato ferroso 300 mg", "1 tableta por vía oral al día"),
)
CONDITIONS = (
    (ICD10, "I10", "Hipertensión esencial (primaria)"),
    (ICD10, "E11.9", "Diabetes mellitus tipo 2 sin complicaciones"),
    (ICD10, "J00", "Rinofaringitis aguda"),
    (ICD10, "D50.9", "Anemia por deficiencia de hierro"),
    (ICD10, "F32.9", "Episodio depresivo"),
)
VACCINES = (
    (ATC, "J07AN01", "BCG"),
    (ATC, "J07BB02", "Influenza estacional"),
    (ATC, "J07BN", "COVID-19"),
    (ATC, "J07CA02", "Pentavalente"),
)


def keep_history(record: Record, seed: int = 2026) -> Iterator[Json]:
    """Yield the resources an establishment holds for `record`, without the reference to the patient."""
    rng = random.Random(f"{seed}:clinical:{record.renipress}:{record.local_number}")
    yield from (allergy(record, row, _day(rng)) for row in rng.sample(ALLERGIES, rng.choice((0, 0, 0, 1, 2))))
    yield from (medication(record, row, _day(rng)) for row in rng.sample(MEDICATION, rng.randrange(4)))
    yield from (condition(record, row, _day(rng)) for row in rng.sample(CONDITIONS, rng.randrange(3)))
    yield from (immunization(record, row, _day(rng)) for row in rng.sample(VACCINES, rng.randrange(3)))
    for day in sorted({_day(rng) for _ in range(rng.randrange(1, 5))}):
        yield encounter(record, rng.choice(SERVICES), day)


def allergy(record: Record, row: tuple[str, str, str, str, str], day: date) -> Json:
    """Return an AllergyIntolerance (AlergiaPe)."""
    system, code, display, category, criticality = row
    return _resource(record, "AllergyIntolerance", f"{code}:{day}", "AlergiaPe") | {
        "clinicalStatus": _concept(f"{CLINICAL}/allergyintolerance-clinical", "active"),
        "verificationStatus": _concept(f"{CLINICAL}/allergyintolerance-verification", "confirmed"),
        "category": [category],
        "criticality": criticality,
        "code": _concept(system, code, display),
        "recordedDate": day.isoformat(),
    }


def medication(record: Record, row: tuple[str, str, str, str], day: date) -> Json:
    """Return a MedicationStatement (MedicationStatementPe)."""
    system, code, display, dosage = row
    return _resource(record, "MedicationStatement", f"{code}:{day}", "MedicationStatementPe") | {
        "status": "active",
        "medicationCodeableConcept": _concept(system, code, display),
        "effectivePeriod": {"start": day.isoformat()},
        "dosage": [{"text": dosage}],
    }


def condition(record: Record, row: tuple[str, str, str], day: date) -> Json:
    """Return a Condition (ConditionPe): CIE-10 and a period of onset; mental health is marked sensitive."""
    system, code, display = row
    resource = _resource(record, "Condition", f"{code}:{day}", "ConditionPe") | {
        "clinicalStatus": _concept(f"{CLINICAL}/condition-clinical", "active"),
        "code": _concept(system, code, display),
        "onsetPeriod": {"start": day.isoformat()},
        "recordedDate": day.isoformat(),
    }
    if code.startswith("F"):
        resource["meta"]["security"] = [SENSITIVE]
    return resource


def immunization(record: Record, row: tuple[str, str, str], day: date) -> Json:
    """Return an Immunization."""
    return _resource(record, "Immunization", f"{row[1]}:{day}", "") | {
        "status": "completed",
        "vaccineCode": _concept(*row),
        "occurrenceDateTime": day.isoformat(),
        "primarySource": True,
    }


def encounter(record: Record, service: str, day: date) -> Json:
    """Return a finished Encounter of one morning."""
    start = datetime.combine(day, time(14), UTC)  # nine in the morning in Lima
    emergency = service == "emergencia"
    place = BY_RENIPRESS[record.renipress]
    provider = {"system": f"{BASE}/NamingSystem/renipress", "value": place.renipress}
    return _resource(record, "Encounter", f"{service}:{day}", "") | {
        "status": "finished",
        "class": {"system": f"{CLINICAL}/v3-ActCode", "code": "EMER" if emergency else "AMB"},
        "serviceType": {"text": service.replace("-", " ").capitalize()},
        "period": {"start": start.isoformat(), "end": (start + timedelta(minutes=25)).isoformat()},
        "serviceProvider": {"identifier": provider, "display": place.name},
    }


def _resource(record: Record, kind: str, key: str, profile: str) -> Json:
    name = f"{record.renipress}:{record.local_number}:{kind}:{key}"
    meta: Json = {"versionId": "1", "lastUpdated": f"{TODAY}T12:00:00+00:00"}
    if profile:
        meta["profile"] = [f"{BASE}/StructureDefinition/{profile}"]
    return {"resourceType": kind, "id": str(uuid5(NAMESPACE_URL, name)), "meta": meta}


def _concept(system: str, code: str, display: str = "") -> Json:
    coding = {"system": system, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]} | ({"text": display} if display else {})


def _day(rng: random.Random) -> date:
    return TODAY - timedelta(days=rng.randrange(1, 1200))
