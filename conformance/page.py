"""The report as a page in Spanish, made from the signed JSON and from nothing else."""

import hashlib
import json
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

WORDS = {"passed": "cumple", "failed": "no cumple", "warning": "observación", "skipped": "sin probar"}
VERDICTS = {
    "passed": "Cumple todo lo obligatorio",
    "failed": "No cumple: hay líneas obligatorias que mejorar",
    "incomplete": "Incompleto: hay líneas obligatorias que no se pudieron probar",
}
PARTS = {"server": "servidor FHIR", "feed": "registro de pacientes", "events": "avisos de revocación"}
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)


def render(content: bytes) -> str:
    """The page of a report's JSON."""
    report: dict[str, Any] = json.loads(content)
    sections = [(title, list(lines)) for title, lines in groupby(report["lines"], key=lambda line: line["section"])]
    return _TEMPLATES.get_template("report.html").render(
        report=report,
        sections=sections,
        words=WORDS,
        verdict=VERDICTS[report["verdict"]],
        parts=", ".join(PARTS[part] for part in report["scope"]),
        digest=hashlib.sha256(content).hexdigest(),
        failed=[line for line in report["lines"] if line["status"] == "failed"],
    )
