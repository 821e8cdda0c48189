"""What a steward types, read strictly: filters of the worklist, a verdict with its grounds, the records to separate."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args
from urllib.parse import urlencode
from uuid import UUID

from portal.steward import words
from registry.identity.plans import Verdict
from registry.identity.stewardship import Grounds, Judgement
from registry.identity.worklist import Order

MAX_NOTE = 1000
WHOSE: dict[str, Literal["any", "mine", "nobody"]] = {"": "any", "mios": "mine", "libres": "nobody"}
ORDERS: dict[str, Order] = {"": "oldest", "nuevos": "newest", "peso": "score"}
Problems = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The worklist's filters as typed; an establishment by its RENIPRESS code."""

    motivo: str = ""
    establecimiento: str = ""
    de: str = ""
    orden: str = ""
    segunda: str = ""

    def query(self, **more: str) -> str:
        """The same in an address; empty where nothing was chosen."""
        filled = {name: value for name, value in (asdict(self) | more).items() if value}
        return f"?{urlencode(filled)}" if filled else ""


@dataclass(frozen=True, slots=True)
class TypedVerdict:
    """A verdict as typed: `judgement` is None where `problems` say what is missing."""

    judgement: Judgement | None
    typed: Mapping[str, str]
    problems: Problems


def read_filters(arguments: Mapping[str, str]) -> Wanted:
    """Filters of an address; what is unknown is no wish."""
    return Wanted(
        motivo=_one_of(arguments.get("motivo"), words.CASE_REASONS),
        establecimiento=arguments.get("establecimiento", "").strip()[:8],
        de=_one_of(arguments.get("de"), WHOSE),
        orden=_one_of(arguments.get("orden"), ORDERS),
        segunda=_one_of(arguments.get("segunda"), ("1",)),
    )


def read_verdict(form: Mapping[str, str], rivals: Sequence[UUID]) -> TypedVerdict:
    """A verdict on a case with these rivals, one of which `same` must name where there are several."""
    typed = {name: form.get(name, "")[: MAX_NOTE + 1] for name in ("veredicto", "otra", "alcance", "motivo", "nota")}
    problems: dict[str, str] = {}
    verdict = _one_of(typed["veredicto"], get_args(Verdict))
    if not verdict:
        problems["veredicto"] = "Elija una respuesta."
    grounds = read_grounds(typed, problems)
    other = next((key for key in rivals if str(key) == typed["otra"]), None)
    if other is None and len(rivals) == 1:
        other = rivals[0]
    if verdict == "same" and other is None:
        problems["otra"] = "Elija con cuál de las personas es la misma."
    if problems or grounds is None:
        return TypedVerdict(None, typed, problems)
    judgement = Judgement(
        verdict=verdict,  # type: ignore[arg-type]  # one of the verdicts, or there was a problem
        grounds=grounds,
        other=other if verdict == "same" or typed["otra"] else None,
        whole=typed["alcance"] != "registro",
        revision=read_revision(form),
    )
    return TypedVerdict(judgement, typed, {})


def read_grounds(typed: Mapping[str, str], problems: dict[str, str]) -> Grounds | None:
    """The reason and the note; None with what is missing added to `problems`."""
    reason, note = _one_of(typed.get("motivo"), words.GROUNDS), typed.get("nota", "").strip()
    if not reason:
        problems["motivo"] = "Elija en qué se basa."
    if reason == "other" and not note:
        problems["nota"] = "Explique en qué se basa."
    if len(note) > MAX_NOTE:
        problems["nota"] = f"La nota puede tener hasta {MAX_NOTE} letras."
    return None if {"motivo", "nota"} & problems.keys() else Grounds(reason=reason, note=note or None)


def read_revision(form: Mapping[str, str]) -> int | None:
    """The revision of a case that the page was made of."""
    return _whole_number(form.get("revision"))


def read_ids(values: Sequence[str], known: Sequence[UUID]) -> list[UUID]:
    """Those of the known ids that were ticked."""
    return [key for key in known if str(key) in values]


def _one_of(value: str | None, known: Sequence[str] | Mapping[str, object]) -> str:
    return value if value is not None and value in known else ""


def _whole_number(value: str | None) -> int | None:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 10 else None
