"""The dimensions persons are counted by: fixed categories, so that nobody can ask for an area made to measure."""

from collections.abc import Mapping
from dataclasses import dataclass

UNKNOWN = "unknown"
# INEI's departments; Callao is a constitutional province with the rank of one.
DEPARTMENTS: Mapping[str, str] = {
    "01": "Amazonas", "02": "Áncash", "03": "Apurímac", "04": "Arequipa", "05": "Ayacucho", "06": "Cajamarca",
    "07": "Callao", "08": "Cusco", "09": "Huancavelica", "10": "Huánuco", "11": "Ica", "12": "Junín",
    "13": "La Libertad", "14": "Lambayeque", "15": "Lima", "16": "Loreto", "17": "Madre de Dios", "18": "Moquegua",
    "19": "Pasco", "20": "Piura", "21": "Puno", "22": "San Martín", "23": "Tacna", "24": "Tumbes", "25": "Ucayali",
}  # fmt: skip
SEXES: Mapping[str, str] = {"F": "Mujer", "M": "Hombre"}
# The stages of life of Minsa's care model: the last age of each but the oldest.
STAGES: Mapping[str, int] = {"0-11": 11, "12-17": 17, "18-29": 29, "30-59": 59}
OLDEST = "60+"
STAGE_LABELS: Mapping[str, str] = {
    "0-11": "Niñez (0 a 11)", "12-17": "Adolescencia (12 a 17)", "18-29": "Juventud (18 a 29)",
    "30-59": "Adultez (30 a 59)", "60+": "Adultez mayor (60 y más)",
}  # fmt: skip
COUNTS: Mapping[str, str] = {"1": "Uno", "2": "Dos", "3+": "Tres o más"}


@dataclass(frozen=True, slots=True)
class Dimension:
    """A way to divide persons: its label and its categories, code to label, in the order they are shown."""

    code: str
    label: str
    categories: Mapping[str, str]


def _dimension(code: str, label: str, categories: Mapping[str, str], unknown: str | None = None) -> Dimension:
    return Dimension(code, label, {**categories, UNKNOWN: unknown} if unknown else categories)


DIMENSIONS: Mapping[str, Dimension] = {
    dimension.code: dimension
    for dimension in (
        _dimension("region", "Región de residencia", DEPARTMENTS, "Sin dato"),
        _dimension("sex", "Sexo", SEXES, "Sin dato"),
        _dimension("age", "Etapa de vida", STAGE_LABELS, "Sin dato"),
        _dimension("establishments", "Establecimientos con historia", COUNTS),
    )
}


def stage_of(birth_year: int | None, year: int) -> str:
    """The stage of life a person born in that year reaches within `year`; a birth year to come is unknown."""
    if birth_year is None or birth_year > year:
        return UNKNOWN
    return next((code for code, last in STAGES.items() if year - birth_year <= last), OLDEST)


def count_of(establishments: int) -> str:
    """How many establishments hold records, as a category."""
    return str(establishments) if establishments < 3 else "3+"
