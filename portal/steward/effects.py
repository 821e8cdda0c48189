"""What a verdict would do, in sentences: which person stays, what moves, which permissions rest, who will be told."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.regrouping import list_effects
from portal.steward import words
from portal.steward.present import names_for
from portal.steward.views import Effect
from registry.identity.stewardship import Effects

MOST_NAMED = 6


def describe(session: Session, me: str, found: Effects) -> Effect:
    """The effects as a steward reads them."""
    if found.refused is not None:
        sentence = words.REFUSED.get(found.refused, "Una regla del registro no lo permite ahora.")
        return Effect(sentences=(), needs_second=False, refused=sentence)
    sentences = [*_identity(found), *_consents(session, found.survivor, found.replaced), *_told(session, me, found)]
    return Effect(sentences=sentences, needs_second=found.needs_second)


def _identity(found: Effects) -> Iterator[str]:
    if not found.moving:
        if found.verdict == "unknown":
            yield "Nada cambia: el caso vuelve a la lista, después de los que nadie ha visto."
        else:
            yield "Ningún registro cambia de persona. No se volverá a preguntar hasta que cambien los datos."
        return
    moving = "Un registro cambia" if len(found.moving) == 1 else f"{len(found.moving)} registros cambian"
    if found.replaced is not None:
        yield f"Dos personas se unen: queda la {_short(found.survivor)} y la {_short(found.replaced)} lleva a ella."
        yield f"{moving} de persona."
    elif found.new_person:
        yield f"{moving} a una persona propia, nueva."
    else:
        yield f"{moving} a la {_short(found.survivor)}."
    yield "Los accesos abiertos a estas historias se cortan: quien esté leyendo vuelve a conectarse."
    yield "Se puede deshacer: todo queda como estaba."


def _consents(session: Session, survivor: UUID | None, replaced: UUID | None) -> Iterator[str]:
    """How many directives change; whose they are is the patient's affair."""
    effects = [one.effect for one in list_effects(session, survivor, replaced)]
    for effect, text in (("suspended", "quedan en pausa"), ("extended", "valen para los registros de las dos")):
        count = effects.count(effect)  # type: ignore[arg-type]  # the words of `Effect`
        kind = "permisos" if effect == "suspended" else "oposiciones"
        if count:
            yield f"{count} {kind} del paciente {text}."


def _told(session: Session, me: str, found: Effects) -> Iterator[str]:
    names = names_for(session, me, found.establishments)
    told = sorted(names.place(key) for key in found.establishments)
    if told:
        more = f" y {len(told) - MOST_NAMED} más" if len(told) > MOST_NAMED else ""
        yield f"Se avisa a {', '.join(told[:MOST_NAMED])}{more}."


def _short(person_id: UUID | None) -> str:
    """Enough of an id to tell two persons of a page apart."""
    return f"persona …{str(person_id)[-6:]}" if person_id else "persona"
