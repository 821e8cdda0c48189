"""Files and exports as an administrator sees them: counts and progress, and of a refused line its number and why."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from registry.bulk.export import models as exports
from registry.bulk.models import PROCESSING, UPLOADING, Import, ImportRefusal
from registry.bulk.service import is_kept

STATES = {
    "uploading": ("Llegando", "warn"),
    "processing": ("En curso", "warn"),
    "completed": ("Terminado", "good"),
    "failed": ("No se pudo", "bad"),
    "cancelled": ("Anulado", "quiet"),
    "expired": ("Vencido", "quiet"),
}
"""A state in words, and the tone of its tag."""

ERRORS = {
    "checksum-mismatch": "Lo que llegó no es el archivo que se anunció. Envíelo otra vez.",
    "not-a-table": "El archivo no es una tabla con las columnas esperadas.",
    "abandoned": "Nadie siguió enviándolo en una semana.",
    "given-up": "El registro no pudo terminarlo y dejó de intentarlo. El sistema puede enviarlo o pedirlo otra vez.",
    "sealed-data-altered": "Un dato guardado no se pudo abrir. Comuníquese con nosotros.",
}
FAILING = "El registro falló al procesarlo y lo vuelve a intentar solo."
COUNTS = {
    "new": "Personas que el registro no conocía",
    "link": "Registros de personas ya conocidas",
    "review": "Registros que revisará un gestor de identidad",
    "keep": "Registros corregidos",
    "unchanged": "Sin cambios",
    "stale": "Más antiguos que lo ya guardado",
    "refused": "Líneas rechazadas",
}
"""What became of the lines, in the order shown."""

REFUSALS = {
    "not-json": "No es JSON en UTF-8",
    "invalid-resource": "Un dato falta o no tiene la forma esperada",
    "too-large": "La línea es demasiado larga",
    "too-deep": "La línea tiene demasiados niveles",
    "bad-row": "La fila no tiene las columnas esperadas",
    "control-characters": "La fila tiene caracteres que ningún texto puede tener",
    "other-establishment": "La fila es de otro establecimiento",
    "local-number-malformed": "El número de historia falta o no tiene la forma esperada",
    "registry-fault": "El registro no pudo procesarla por una falla suya. Comuníquese con nosotros.",
    "unmerge-not-allowed": "El registro fue reemplazado por otro",
}
KINDS = {"ndjson": "Pacientes (NDJSON)", "csv": "Pacientes (CSV)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A file or an export: what it is, how it stands, and how far it is in percent (None: that can't be said)."""

    id: UUID
    kind: str
    state: str
    tone: str
    since: datetime
    changed: datetime
    done: int
    """Lines read, or records written."""
    percent: int | None
    error: str
    waiting: bool
    deletable: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not registered."""

    line: int
    why: str
    where: str


def of_import(found: Import) -> Transfer:
    """A file of patients."""
    state, tone = STATES[found.status]
    under_way = found.status in {UPLOADING, PROCESSING}
    return Transfer(
        id=found.id,
        kind=KINDS[found.format],
        state=state,
        tone=tone,
        since=found.created_at,
        changed=found.changed_at,
        done=found.line,
        percent=_percent(found),
        error=_error(found.error) or (FAILING if under_way and found.attempts > 1 else ""),
        waiting=under_way,
        deletable=is_kept(found),
    )


def of_export(found: exports.Export) -> Transfer:
    """An export of one's own records."""
    state, tone = STATES[found.status]
    if found.status == exports.COMPLETED and found.left_out:
        state, tone = "Terminado, con faltas", "warn"
    under_way = found.status == exports.PROCESSING
    return Transfer(
        id=found.id,
        kind="Cambios desde una fecha" if found.since else "Todos los registros",
        state=state,
        tone=tone,
        since=found.created_at,
        changed=found.changed_at,
        done=found.written,
        percent=found.percent if under_way else None,
        error=_error(found.error),
        waiting=under_way,
        deletable=found.status in {exports.PROCESSING, exports.COMPLETED},
    )


def counts_of(found: Import) -> list[tuple[str, int]]:
    """What became of the lines so far, in words; what is nought is left out."""
    return [(words, found.counts[name]) for name, words in COUNTS.items() if found.counts.get(name)]


def refusal(found: ImportRefusal) -> Refusal:
    """A refused line in words."""
    why = REFUSALS.get(found.code, "No se pudo registrar")
    return Refusal(found.line, why, found.expression or "")


def _percent(found: Import) -> int | None:
    """How much has arrived, or is registered; of a table in work only its rows are known."""
    if found.status == UPLOADING:
        return 100 * found.received // found.size
    return 100 * found.position // found.size if found.status == PROCESSING and found.format == "ndjson" else None


def _error(code: str | None) -> str:
    return ERRORS.get(code, "No se pudo terminar.") if code else ""
