"""Assigning authorities (HD: namespace, universal id and its type) and the identifier systems they stand for."""

from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy.orm import Session

from matching.records import DocumentType
from registry.directory.models import Establishment
from registry.directory.service import find_by_identifier_system, find_by_namespace
from registry.fhir import systems
from registry.hl7v2.parsing import Repetition

OID = "urn:oid:"
DNI = systems.SYSTEM_OF[DocumentType.DNI]
NAMES = MappingProxyType({
    "RENIEC": DNI,
    "DNI": DNI,
    "RENHICE-PERSONA": systems.PERSON,
    "RENHICE-REGISTRO": systems.SOURCE_RECORD,
})  # fmt: skip
NAME_OF = MappingProxyType({
    systems.PERSON: "RENHICE-PERSONA",
    systems.SOURCE_RECORD: "RENHICE-REGISTRO",
    DNI: "RENIEC",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Authority:
    """An assigning authority as it was written; all three parts may be empty."""

    namespace: str
    universal_id: str
    universal_id_type: str

    @property
    def system(self) -> str:
        """The URI its universal id says; empty without one."""
        if not self.universal_id:
            return ""
        is_oid = self.universal_id_type.upper() == "ISO" or self.universal_id.replace(".", "").isdigit()
        return f"{OID}{self.universal_id}" if is_oid else self.universal_id

    def __bool__(self) -> bool:
        return bool(self.namespace or self.universal_id)


def read_authority(identifier: Repetition, component: int = 4) -> Authority:
    """CX.4 of an identifier."""
    return Authority(*(identifier.text(component, part) for part in (1, 2, 3)))


def find_system(session: Session, authority: Authority) -> str | None:
    """The identifier system of an authority of the registry's; None for one that is none. The universal id prevails."""
    if authority.universal_id:
        system = DNI if authority.system == systems.DNI_OID else authority.system
        return system if _is_known(session, system) else None
    if authority.namespace in NAMES:
        return NAMES[authority.namespace]
    found = find_by_namespace(session, authority.namespace) if authority.namespace else None
    return found.identifier_system if found else None


def write_authority(session: Session, system: str) -> tuple[str, str, str]:
    """An identifier system as HD: namespace, universal id, type; RENIEC's is known by its OID."""
    if system in {DNI, systems.DNI_OID}:
        return NAME_OF[DNI], systems.DNI_OID.removeprefix(OID), "ISO"
    place = None if system in NAME_OF else find_by_identifier_system(session, system)
    namespace = NAME_OF.get(system) or (_namespace(place) if place else "")
    if system.startswith(OID):
        return namespace, system.removeprefix(OID), "ISO"
    return namespace, system, "URI"


def _namespace(place: Establishment) -> str:
    return place.hl7_namespace or place.renipress


def _is_known(session: Session, system: str) -> bool:
    ours = system in {systems.PERSON, systems.SOURCE_RECORD} or systems.is_document_system(system)
    return ours or find_by_identifier_system(session, system) is not None
