"""The International Patient Summary: its sections, and whether a document has the minimum content; pure.

HL7 IPS (Bundle-uv-ips, Composition-uv-ips) and what PE Core asks of `CompositionPe`: final, with a custodian.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from registry.fhir.wire import Json

LOINC = "http://loinc.org"
IPS_TYPE = "60591-5"
IPS = "http://hl7.org/fhir/uv/ips/StructureDefinition"
Severity = Literal["error", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of an IPS: its LOINC code, its names, the types it lists, and whether it may be missing."""

    code: str
    display: str
    title: str
    types: tuple[str, ...]
    required: bool


PROBLEMS = Section("11450-4", "Problem list - Reported", "Diagnósticos y problemas", ("Condition",), required=True)
ALLERGIES = Section(
    "48765-2", "Allergies and adverse reactions Document", "Alergias", ("AllergyIntolerance",), required=True
)
MEDICATIONS = Section(
    "10160-0",
    "History of Medication use Narrative",
    "Medicación",
    ("MedicationStatement", "MedicationRequest"),
    required=True,
)
IMMUNIZATIONS = Section("11369-6", "History of Immunization Narrative", "Vacunas", ("Immunization",), required=False)
SECTIONS = (ALLERGIES, MEDICATIONS, PROBLEMS, IMMUNIZATIONS)


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark on a document: how grave, FHIR IssueType, where, and in words a clinician can act on."""

    severity: Severity
    code: str
    expression: str
    text: str


def is_ips(bundle: Json) -> bool:
    """Whether a document says that it is an IPS."""
    composition = _first(bundle)
    codings = _objects(_object(composition.get("type")).get("coding"))
    return composition.get("resourceType") == "Composition" and any(_is_loinc(one, IPS_TYPE) for one in codings)


def check_ips(bundle: Json) -> list[Finding]:
    """What an IPS document (valid as R4) lacks; empty for one with all the minimum content."""
    composition, resources = _first(bundle), _by_url(bundle)
    if bundle.get("type") != "document" or composition.get("resourceType") != "Composition":
        text = "No es un documento: la primera parte del Bundle, de tipo document, debe ser la Composition."
        return [Finding("error", "structure", "Bundle", text)]
    found = [*_frame(bundle, composition), *_patient(composition, resources)]
    return [*found, *(one for section in SECTIONS for one in _section(section, composition, resources))]


def _frame(bundle: Json, composition: Json) -> Iterator[Finding]:
    if not is_ips(bundle):
        yield Finding(
            "error", "value", "Composition.type", f"El tipo debe ser el resumen de paciente, LOINC {IPS_TYPE}."
        )
    if composition.get("status") != "final":
        yield Finding("error", "value", "Composition.status", "El documento debe estar terminado (final).")
    if not bundle.get("identifier"):
        yield Finding("error", "required", "Bundle.identifier", "Falta el identificador del documento.")
    if not bundle.get("timestamp"):
        yield Finding("error", "required", "Bundle.timestamp", "Falta el momento en que se hizo el documento.")
    if not composition.get("custodian"):
        text = "Falta el establecimiento que custodia el documento."
        yield Finding("error", "required", "Composition.custodian", text)


def _patient(composition: Json, resources: Mapping[str, Json]) -> Iterator[Finding]:
    patient = resources.get(_reference(composition.get("subject")), {})
    if patient.get("resourceType") != "Patient":
        yield Finding("error", "not-found", "Composition.subject", "El documento no trae los datos de su paciente.")
        return
    if not patient.get("name"):
        yield Finding("error", "required", "Patient.name", "Falta el nombre del paciente.")
    if not patient.get("birthDate") and "_birthDate" not in patient:
        yield Finding("error", "required", "Patient.birthDate", "Falta la fecha de nacimiento del paciente.")
    if not patient.get("identifier"):
        yield Finding("warning", "incomplete", "Patient.identifier", "El paciente no trae ningún documento o número.")


def _section(section: Section, composition: Json, resources: Mapping[str, Json]) -> Iterator[Finding]:
    where = f"Composition.section.where(code.coding.code = '{section.code}')"
    found = [one for one in _objects(composition.get("section")) if _has_code(one, section.code)]
    if not found:
        severity: Severity = "error" if section.required else "information"
        code = "required" if section.required else "incomplete"
        yield Finding(severity, code, where, f"Falta la sección «{section.title}».")
        return
    if len(found) > 1:
        yield Finding("error", "duplicate", where, f"La sección «{section.title}» está más de una vez.")
    if not found[0].get("text"):
        yield Finding("error", "required", f"{where}.text", f"«{section.title}» no tiene texto que se pueda leer.")
    entries = _objects(found[0].get("entry"))
    if not entries and not found[0].get("emptyReason"):
        text = f"«{section.title}» está vacía y no dice por qué (no hay, no se preguntó, no se sabe)."
        yield Finding("error", "required", f"{where}.emptyReason", text)
    subject = _reference(composition.get("subject"))
    for index, entry in enumerate(entries):
        yield from _entry(section, f"{where}.entry[{index}]", resources.get(_reference(entry)), subject)


def _entry(section: Section, where: str, resource: Json | None, subject: str) -> Iterator[Finding]:
    if resource is None:
        yield Finding("error", "not-found", where, f"«{section.title}» nombra algo que no viene en el documento.")
        return
    kind = str(resource.get("resourceType"))
    if kind not in section.types:
        yield Finding("error", "value", where, f"«{section.title}» trae un {kind}, que no va en esa sección.")
        return
    for elements, text in MINIMUM.get(kind, ()):
        if not any(element in resource for element in elements):
            yield Finding("error", "required", f"{where}.{elements[0]}", f"«{section.title}»: {text}.")
    patient = resource.get("patient") or resource.get("subject")
    if patient is not None and _reference(patient) != subject:
        yield Finding("error", "value", where, f"«{section.title}» trae algo que es de otro paciente.")


MINIMUM: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "AllergyIntolerance": ((("code",), "falta a qué es la alergia"), (("patient",), "falta de quién es")),
    "Condition": ((("code",), "falta cuál es el diagnóstico"), (("subject",), "falta de quién es")),
    "MedicationStatement": (
        (("medicationCodeableConcept", "medicationReference"), "falta el medicamento"),
        (("effectiveDateTime", "effectivePeriod", "_effectiveDateTime"), "falta desde cuándo se toma"),
        (("subject",), "falta de quién es"),
    ),
    "MedicationRequest": (
        (("medicationCodeableConcept", "medicationReference"), "falta el medicamento"),
        (("subject",), "falta de quién es"),
    ),
    "Immunization": (
        (("vaccineCode",), "falta la vacuna"),
        (("occurrenceDateTime", "occurrenceString", "_occurrenceDateTime"), "falta cuándo se puso"),
    ),
}
"""Per type, the elements of which one must be there, and what is missing where none is."""


def _first(bundle: Json) -> Json:
    entries = _objects(bundle.get("entry"))
    return _object(entries[0].get("resource")) if entries else {}


def _by_url(bundle: Json) -> dict[str, Json]:
    """The resources of a document by fullUrl, and by `Type/id` where that says the same."""
    found: dict[str, Json] = {}
    for entry in _objects(bundle.get("entry")):
        resource = _object(entry.get("resource"))
        found.setdefault(f"{resource.get('resourceType')}/{resource.get('id')}", resource)
        found[str(entry.get("fullUrl"))] = resource
    return found


def _has_code(section: Json, code: str) -> bool:
    return any(_is_loinc(one, code) for one in _objects(_object(section.get("code")).get("coding")))


def _is_loinc(coding: Json, code: str) -> bool:
    return coding.get("system") == LOINC and coding.get("code") == code


def _reference(value: Any) -> str:
    return str(_object(value).get("reference"))


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
