"""FHIR R4 resources of other establishments as lines people read; what a holder sent may have any shape."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from portal.dates import long_day
from portal.professional_views import RecordLine
from registry.calendar import LIMA

Resource = Mapping[str, Any]
UNKNOWN = "No consta"
_LONGEST = 300
_STATUSES = {
    "active": "Activa",
    "inactive": "Inactiva",
    "resolved": "Resuelta",
    "recurrence": "Recurrente",
    "remission": "En remisión",
    "completed": "Completada",
    "finished": "Terminada",
    "in-progress": "En curso",
    "stopped": "Suspendida",
    "on-hold": "En pausa",
    "intended": "Prevista",
    "planned": "Prevista",
    "cancelled": "Cancelada",
    "not-taken": "No la toma",
    "not-done": "No realizada",
    "entered-in-error": "Anotada por error",
}
_CLASSES = {"AMB": "Consulta externa", "EMER": "Emergencia", "IMP": "Hospitalización", "HH": "Visita a domicilio",
            "VR": "Teleconsulta"}  # fmt: skip


class _Shape(NamedTuple):
    """Where a resource type keeps its title, state and date."""

    titles: tuple[str, ...]
    status: str
    dates: tuple[str, ...]
    details: tuple[str, ...]


_SHAPES = {
    "AllergyIntolerance": _Shape(("code",), "clinicalStatus", ("onsetDateTime", "recordedDate"), ("reaction",)),
    "MedicationStatement": _Shape(
        ("medicationCodeableConcept", "medicationReference"),
        "status",
        ("effectiveDateTime", "effectivePeriod", "dateAsserted"),
        ("dosage",),
    ),
    "Encounter": _Shape(("type", "serviceType", "class"), "status", ("period",), ("reasonCode", "diagnosis")),
    "Condition": _Shape(("code",), "clinicalStatus", ("onsetDateTime", "onsetPeriod", "recordedDate"), ("note",)),
    "Immunization": _Shape(("vaccineCode",), "status", ("occurrenceDateTime", "recorded"), ("lotNumber",)),
}


def line(resource: Resource) -> RecordLine:
    """One resource as a line; anything missing or misshapen reads «No consta»."""
    shape = _SHAPES.get(str(resource.get("resourceType")), _Shape(("code",), "status", (), ()))
    title = next((words for name in shape.titles if (words := _words(resource.get(name)))), UNKNOWN)
    status = _code(resource.get(shape.status))
    return RecordLine(
        title=title,
        status=_STATUSES.get(status, status or UNKNOWN),
        at=next((day for name in shape.dates if (day := _day(resource.get(name)))), UNKNOWN),
        detail=". ".join(filter(None, (_words(resource.get(name)) for name in shape.details)))[:_LONGEST],
    )


def newest_first(found: Iterable[Resource]) -> list[Resource]:
    """Resources by their own date, undated ones last."""
    return sorted(found, key=_sort_key, reverse=True)


def _sort_key(resource: Resource) -> str:
    shape = _SHAPES.get(str(resource.get("resourceType")))
    return next((text for name in (shape.dates if shape else ()) if (text := _iso(resource.get(name)))), "")


def _words(value: Any) -> str:
    """The human text in a CodeableConcept, Coding, Dosage, Reference, Annotation, reaction, or a list of them."""
    if isinstance(value, str):
        return value.strip()[:_LONGEST]
    if isinstance(value, list):
        return ", ".join(filter(None, (_words(item) for item in value[:10])))
    if not isinstance(value, Mapping):
        return ""
    if (encounter_class := _CLASSES.get(str(value.get("code")))) is not None:
        return encounter_class
    keys = ("text", "display", "coding", "manifestation", "condition", "code")
    return next((words for key in keys if (words := _words(value.get(key)))), "")


def _code(value: Any) -> str:
    if isinstance(value, Mapping):
        coding = value.get("coding")
        return _code(coding[0]) if isinstance(coding, list) and coding else str(value.get("code", ""))[:40]
    return value[:40] if isinstance(value, str) else ""


def _iso(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("start") or value.get("end")
    return value if isinstance(value, str) else ""


def _day(value: Any) -> str:
    """A FHIR date, which may be only a year or a month."""
    text = _iso(value)
    try:
        if len(text) > len("2026-03-05"):
            moment = datetime.fromisoformat(text)
            return long_day(moment if moment.tzinfo else moment.replace(tzinfo=LIMA))
        return long_day(date.fromisoformat(text))
    except (ValueError, OverflowError):
        return text[:10]
