"""The words of consent as one text: what is hashed with the person's evidence is what the page said."""

from collections.abc import Sequence
from datetime import date

from portal import texts
from portal.dates import long_day, long_moment
from portal.views import ConsentQuestion, Permission

REPEATED = "Podrá volver a leer hasta entonces, sin preguntarle otra vez."
ORDINARY = "Lo reservado no: salud mental, VIH, violencia, salud sexual y otros."
PROMISE = (
    "No podrá cambiar nada ni leer otras partes. Cada lectura quedará anotada y usted la verá. "
    "Puede retirar el permiso cuando quiera. Le atenderán igual si no lo da."
)

EMERGENCY_DECLARATION = (
    "Declaro que la persona no puede dar su permiso, que esperar pone en grave riesgo su vida o su salud, y que leeré "
    "solo lo que necesito para atenderla. Sé que el mal uso se sanciona."
)

EMERGENCY_REFUSAL = "No permito accesos de emergencia a mi historia, aunque no pueda hablar y mi vida corra peligro."


def from_where(question: ConsentQuestion) -> str:
    """Which records are meant, where not all: of which establishments and days; empty where all are."""
    named = f"Solo lo que guarda: {', '.join(question.holders)}." if question.holders else ""
    return f"{named} {of_days(question.days)}".strip()


def of_days(days: tuple[date | None, date | None]) -> str:
    """Which days the records meant are from; empty where any."""
    first, last = days
    parts = [f"Solo desde el {long_day(first)}." if first else "", f"Solo hasta el {long_day(last)}." if last else ""]
    return " ".join(filter(None, parts))


def consent_text(question: ConsentQuestion) -> str:
    """The consent page in one line."""
    categories = ", ".join(texts.category(code) for code in question.categories)
    sensitive = f"Y lo reservado: {', '.join(map(texts.label, question.labels))}." if question.labels else ORDINARY
    what = " ".join(filter(None, (f"{categories}.", sensitive, from_where(question)))).strip(". ")
    who = f"{question.professional or question.establishment} {question.credential}".strip()
    terms = f"{REPEATED} {PROMISE}" if question.repeated else PROMISE
    withheld = f" Qué no podrá leer: {' '.join(question.withheld)}" if question.withheld else ""
    withheld += f" Sus límites: {' '.join(question.outranked)}" if question.outranked else ""
    return (
        f"¿Permite que lean su historia? Quién: {who}. "
        f"De dónde: {question.establishment}, {question.place}. Qué podrá leer: {what}.{withheld} "
        f"Para qué: {texts.purpose(question.purpose)}. Hasta cuándo: {long_moment(question.until)}. {terms}"
    )


def assisted_text(question: ConsentQuestion, how: str) -> str:
    """What was read to the person or stands in the form, and how they said it, in one line."""
    return f"{consent_text(question)} Cómo lo dijo la persona: {how}."


def attendance_text(categories: Sequence[str], hours: int) -> str:
    """What a person permits beforehand to whoever attends them, in one line."""
    if not categories:
        return "Mientras me atienden: que me pregunten cada vez."
    words = ", ".join(map(texts.category, categories))
    return f"Mientras me atienden, {hours} horas a lo más, permito de antemano que quien me atiende lea: {words}."


def revocation_text(permission: Permission) -> str:
    """The act of withdrawing in one line."""
    categories = ", ".join(texts.category(code) for code in permission.categories)
    who = permission.professional or permission.establishment
    return f"Retirar permiso de {who}, {permission.establishment}: {categories}, hasta {long_moment(permission.until)}."
