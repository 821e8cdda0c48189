"""The Spanish words of codes that people see: categories, purposes, reasons."""

from collections.abc import Iterable

CATEGORIES = {
    "allergies": "Alergias",
    "medications": "Medicación",
    "encounters": "Atenciones",
    "problems": "Diagnósticos",
    "immunizations": "Vacunas",
}

PURPOSES = {
    "TREAT": "Para atenderle",
    "ETREAT": "Para atenderle en una emergencia",
    "BTG": "Acceso de emergencia",
    "CAREMGT": "Para hacer seguimiento de su salud",
    "COC": "Para coordinar su atención entre establecimientos",
    "COVERAGE": "Para comprobar su seguro",
    "PATRQT": "Porque usted lo pidió",
    "HRESCH": "Para investigación",
}

ASKABLE_PURPOSES = {code: PURPOSES[code] for code in ("TREAT", "CAREMGT", "COC")}

CONSENT_STATES = {
    "proposed": "Por decidir",
    "pending": "Por decidir",
    "granted": "Permitido",
    "ended": "Terminado o retirado",
    "active": "Vigente",
    "revoked": "Retirado",
    "rejected": "No permitido",
    "denied": "No permitido",
    "expired": "Vencido",
    "superseded": "Reemplazado",
    "suspended": "En pausa: su identidad se unió con otra",
}

ROLES = {"patient": "Paciente", "professional": "Profesional", "analyst": "Analista", "steward": "Gestor de identidad",
         "administrator": "Administrador", "privacy-officer": "Oficial de datos personales",
         "establishment-administrator": "Administrador de establecimiento"}  # fmt: skip

READERS = {"steward": f"{ROLES['steward']} del Minsa", "patient": "Usted", "representative": "Quien le representa"}
"""Who read, where it was no professional."""

LABELS = {
    "PSY": "Salud mental",
    "HIV": "VIH",
    "STD": "Infecciones de transmisión sexual",
    "SEX": "Salud sexual y reproductiva",
    "ADOL": "Atención reservada de adolescente",
    "ETH": "Consumo de alcohol o drogas",
    "ETHUD": "Consumo de alcohol",
    "OPIOIDUD": "Consumo de opioides",
    "SDV": "Violencia",
    "GDIS": "Información genética",
    "R": "Otra información reservada",
}
"""Sensitivity, as a person says it."""

BASES = {"parent": "Madre o padre", "guardian": "Tutor", "power": "Apoderado", "support": "Persona de apoyo"}
POWERS = {"see": "Ver", "decide": "Decidir permisos", "rights": "Ejercer derechos"}
PAPERS = {
    "birth-record": "Partida de nacimiento o CNV",
    "ruling": "Resolución judicial",
    "notarial-power": "Poder notarial",
    "support-deed": "Escritura de apoyos",
}

ACTS = {
    "consent:representation:used": "Entró a su historia",
    "consent:directive:granted": "Dio un permiso o puso un límite",
    "consent:directive:revoked": "Retiró un permiso o un límite",
    "consent:directive:rejected": "No dio un permiso que pedían",
    "oauth:authorization:rejected": "No dio un permiso que pedían",
    "identity:record:contested": "Avisó que un registro no es suyo",
    "identity:record:contest-withdrawn": "Retiró el aviso de que un registro no es suyo",
    "exchange:own:read": "Leyó lo que guarda un establecimiento",
}
"""What a representative may have done."""

SEXES = {"female": "Mujer", "male": "Hombre", "F": "Mujer", "M": "Hombre", "other": "Otro", "unknown": "No consta"}


REFUSALS = {
    "no-consent": "No había un permiso suyo",
    "consent-revoked": "Usted había retirado el permiso",
    "session-ended": "Había terminado la sesión de quien leía",
    "consent-expired": "El permiso había vencido",
    "consent-not-yet-valid": "El permiso aún no empezaba",
    "objection": "Usted se opuso",
    "patient-deceased": "La persona figura como fallecida",
    "not-affiliated": "No trabaja en ese establecimiento",
    "not-able-to-practise": "No está habilitado para ejercer",
    "establishment-inactive": "El establecimiento no está activo",
    "emergency-refused": "Usted no permite accesos de emergencia",
    "emergency-suspended": "No puede abrir emergencias: está en revisión",
    "unknown-document": "No hay tal documento, o su permiso no llega a él",
    "too-many-emergencies": "Ya había abierto demasiadas emergencias ese día",
}

ACTIONS = {
    "portal:person:viewed": "Sus datos de identidad",
    "identity:person:read": "Sus datos de identidad",
    "identity:person:matched": "Búsqueda de su identidad",
    "identity:case:read": "Revisión de su identidad",
    "identity:case:revealed": "Revisión de su identidad, con sus documentos o su contacto",
    "identity:history:read": "Revisión de su identidad en el pasado",
    "portal:person:matched": "Búsqueda de su identidad",
    "locator:person:located": "Dónde están sus historias",
}
"""Accesses that read no record."""

READINGS = {
    "exchange:records:read": "Consulta de la historia",
    "exchange:documents:found": "Lista de sus documentos",
    "exchange:document:read": "Un documento",
    "exchange:own:read": "Consulta de la historia",
}
"""Accesses that read records or documents."""

DECLARED = {"emergency:access:opened": "Abrió una emergencia"}
"""Acts that let records be read."""

IDENTIFYING = "Para identificarle"


FAULTS = {
    "timeout": "no respondió a tiempo: puede haber datos que no se ven aquí.",
    "conflict": "guarda un registro cuya identidad está en revisión: no se consultó.",
    "transient": "no responde ahora: puede haber datos que no se ven aquí.",
    "security": "no aceptó el pedido.",
    "structure": "envió algo que no se puede leer.",
    "too-costly": "tiene más datos de los que se muestran.",
    "not-supported": "todavía no está conectado: pida la historia en papel.",
}

EVIDENCE = {
    "signed-form": "Firmó el formulario",
    "fingerprint-form": "Puso su huella en el formulario",
    "spoken": "Lo dijo delante de dos profesionales",
}
"""How somebody who can't sign in said what they permit."""

DOCUMENTS = {
    "DNI": "DNI",
    "CE": "Carné de extranjería",
    "PTP": "Permiso temporal de permanencia",
    "PASSPORT": "Pasaporte",
    "known": "No tiene documento a la mano; el personal la conoce",
}
"""What the person showed to be identified."""

ROADS = {
    "sms": "Dado con un código por mensaje de texto",
    "assisted": "Dado con ayuda en el establecimiento",
    "attendance": "Por estar atendiéndose allí",
}
"""How a permission was given, where not by the person at a screen of their own."""

DESK_PROBLEMS = {
    "unknown-evidence": "Elija cómo lo dijo la persona.",
    "form-missing": "Falta el formulario escaneado o fotografiado (PDF, JPG o PNG, hasta 8 MB).",
    "nobody-to-confirm": "Aquí no trabaja nadie más que pueda confirmarlo: use un formulario firmado o con huella.",
    "unknown-document": "Elija el documento que mostró.",
    "document-differs": "Ese documento no figura en los registros de esta persona. Revise el número.",
    "period-too-long": "Con ayuda se permite siete días a lo más; sin documento o sin otro profesional, hasta mañana.",
    "not-narrower": "Marque al menos una parte de su historia.",
    "too-many-statements": "Hoy ya anotó demasiados permisos con ayuda.",
    "no-telephone": "No hay un celular de la persona que se pueda usar: solo vale el que anotó otro establecimiento.",
    "too-many-messages": "Ya se enviaron demasiados códigos. Use otro camino o espere.",
    "wrong-code": "Ese no es el código. Pídale que lo lea otra vez; a la tercera hay que enviar uno nuevo.",
    "no-code": "Ningún código vale ahora. Envíe uno nuevo.",
    "request-answered": "El pedido ya fue respondido o venció.",
}
"""What went wrong at the desk, for the professional."""

OUTCOMES = {True: "Permitido", False: "Rechazado"}


def road(channel: str | None) -> str:
    """How a permission was given; empty for the person's own screen."""
    return ROADS.get(channel or "", "")


def desk_problem(code: str) -> str:
    """What went wrong at the desk."""
    return DESK_PROBLEMS.get(code, "No se pudo. Use otro camino.")


def category(code: str) -> str:
    """A record category in Spanish."""
    return CATEGORIES.get(code, code)


def choices(codes: Iterable[str]) -> dict[str, str]:
    """Record categories with their Spanish words, to choose from."""
    return {code: category(code) for code in codes}


def purpose(code: str | None) -> str:
    """A purpose of use in Spanish."""
    return PURPOSES.get(code or "", "No consta")


def consent_state(code: str) -> str:
    """The state of a permission in Spanish."""
    return CONSENT_STATES.get(code, code)


def sex(code: str | None) -> str:
    """Administrative sex in Spanish."""
    return SEXES.get(code or "", "No consta")


def refusal(code: str | None) -> str:
    """Why an access was refused."""
    return REFUSALS.get(code or "", "No estaba permitido")


def action(code: str) -> str:
    """What an audited action did, where it names no category."""
    return (ACTIONS | READINGS | DECLARED).get(code, "Consulta de la historia")


def fault(code: str) -> str:
    """Why an establishment's records did not arrive."""
    return FAULTS.get(code, "no entregó sus datos.")


def basis(code: str) -> str:
    """Why somebody may act for another."""
    return BASES.get(code, "Representante")


def power(code: str) -> str:
    """What a representative may do."""
    return POWERS.get(code, code)


def paper(code: str) -> str:
    """What a representation rests on."""
    return PAPERS.get(code, "No consta")


def act(code: str) -> str:
    """What a representative did."""
    return ACTS.get(code, "Otra acción")


def label(code: str) -> str:
    """A label of sensitivity in Spanish."""
    return LABELS.get(code, code)
