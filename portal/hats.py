"""The hats a human may wear here: where each begins, its sections, and how surely the wearer must be known."""

from collections.abc import Collection
from dataclasses import dataclass, replace

PATIENT_ACR = 1
DECISION_ACR = 2
PROFESSIONAL_ACR = 3
STAFF_ACR = 2


@dataclass(frozen=True, slots=True)
class Section:
    """A link of the navigation."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Hat:
    """One role: its name on screen, its first page, its sections and the ID Perú level it needs."""

    role: str
    label: str
    home: str
    acr: int
    pages: tuple[Section, ...] = ()
    staff: bool = True
    """Whether its wearers work with the registry, and sign in where staff does."""


PATIENT = Hat(
    "patient",
    "Paciente",
    "/mi-historia",
    PATIENT_ACR,
    (
        Section("Mi historia", "/mi-historia"),
        Section("Quién la vio", "/mi-historia/accesos"),
        Section("Mis permisos", "/mi-historia/permisos"),
        Section("Límites", "/mi-historia/limites"),
        Section("Emergencias", "/mi-historia/emergencias"),
        Section("Representación", "/mi-historia/representados"),
        Section("Mis ingresos", "/cuenta/sesiones"),
    ),
    staff=False,
)
PROFESSIONAL = Hat(
    "professional",
    "Profesional",
    "/profesional",
    PROFESSIONAL_ACR,
    (Section("Buscar", "/profesional"), Section("Por confirmar", "/profesional/por-confirmar")),
)
STEWARD = Hat(
    "steward",
    "Gestor de identidad",
    "/gestion",
    STAFF_ACR,
    (Section("Casos", "/gestion"), Section("Revisión del modelo", "/gestion/modelo")),
)
ANALYST = Hat("analyst", "Analista", "/estadisticas", STAFF_ACR, (Section("Estadísticas", "/estadisticas"),))
PRIVACY_OFFICER = Hat(
    "privacy-officer", "Oficial de datos personales", "/privacidad", STAFF_ACR, (Section("Emergencias", "/privacidad"),)
)
ESTABLISHMENT_ADMINISTRATOR = Hat(
    "establishment-administrator",
    "Administrador de establecimiento",
    "/establecimiento",
    STAFF_ACR,
    (Section("Archivos", "/establecimiento"),),
)
DECIDING = replace(PATIENT, acr=DECISION_ACR)
"""A patient about to give a permission: two factors (ID Perú level 2)."""

ACCOUNT = Hat(
    "account",
    "Mi cuenta",
    "/cuenta/sesiones",
    STAFF_ACR,
    (Section("Ingresos abiertos", "/cuenta/sesiones"), Section("Llaves de acceso", "/cuenta/llaves")),
)
"""Not a role: the account of somebody who works with the registry, whatever as."""

HATS = {
    hat.role: hat for hat in (PATIENT, PROFESSIONAL, STEWARD, ANALYST, PRIVACY_OFFICER, ESTABLISHMENT_ADMINISTRATOR)
}
BY_WORD = {
    "paciente": PATIENT,
    "profesional": PROFESSIONAL,
    "gestor": STEWARD,
    "analista": ANALYST,
    "privacidad": PRIVACY_OFFICER,
    "establecimiento": ESTABLISHMENT_ADMINISTRATOR,
}
"""The word of a hat in `/ingresar?como=`."""


def hats_of(roles: Collection[str]) -> list[Hat]:
    """The hats that go with the roles, in a fixed order."""
    return [hat for hat in HATS.values() if hat.role in roles]
