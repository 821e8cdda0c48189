"""What a check of an IPS found, as an OperationOutcome whose text a clinician can read; pure."""

from collections.abc import Sequence
from html import escape

from registry.fhir.ips import Finding
from registry.fhir.wire import Json

_HEADINGS = (
    ("error", "Falta para el contenido mínimo"),
    ("warning", "Conviene corregir"),
    ("information", "Para saber"),
)


def report(findings: Sequence[Finding]) -> Json:
    """The findings in words and as issues; without any, that the document has the minimum content."""
    return {
        "resourceType": "OperationOutcome",
        "text": {"status": "generated", "div": _narrative(findings)},
        "issue": [_issue(one) for one in findings] or [_all_well()],
    }


def _narrative(findings: Sequence[Finding]) -> str:
    missing = any(one.severity == "error" for one in findings)
    verdict = "no tiene el contenido mínimo" if missing else "tiene el contenido mínimo"
    lists = "".join(
        f"<p><b>{heading}</b></p><ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"
        for severity, heading in _HEADINGS
        if (texts := [one.text for one in findings if one.severity == severity])
    )
    opening = f"<p>Este resumen internacional del paciente {verdict}.</p>"
    return f'<div xmlns="http://www.w3.org/1999/xhtml" lang="es">{opening}{lists}</div>'


def _issue(finding: Finding) -> Json:
    return {
        "severity": finding.severity,
        "code": finding.code,
        "details": {"text": finding.text},
        "expression": [finding.expression],
    }


def _all_well() -> Json:
    return {
        "severity": "information",
        "code": "informational",
        "details": {"text": "El documento tiene el contenido mínimo."},
    }
