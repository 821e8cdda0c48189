"""The identifier systems and extensions the registry publishes and understands (peruvian FHIR Core and IHE)."""

from types import MappingProxyType

from matching.records import DocumentType

BASE = "https://www.gob.pe/minsa/RENHICE/fhir"
NAMING = f"{BASE}/NamingSystem"
SOURCE_RECORD = f"{NAMING}/registro"
PERSON = f"{NAMING}/persona"
RENIPRESS = f"{NAMING}/renipress"
PASSPORT_PREFIX = "http://hl7.org/fhir/sid/passport-"
DNI_OID = "urn:oid:2.16.840.1.113883.4.904"
ID_TYPES = f"{BASE}/CodeSystem/IdspersonaPeru"
V2_ID_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
COUNTRIES = f"{BASE}/CodeSystem/PaisesCS"

DOCUMENT_SYSTEMS = MappingProxyType({
    f"{NAMING}/dni": DocumentType.DNI,
    DNI_OID: DocumentType.DNI,
    f"{NAMING}/carne-extranjeria": DocumentType.CE,
    f"{NAMING}/ptp": DocumentType.PTP,
    f"{NAMING}/cnv": DocumentType.CNV,
})  # fmt: skip
SYSTEM_OF = MappingProxyType({
    DocumentType.DNI: f"{NAMING}/dni",
    DocumentType.CE: f"{NAMING}/carne-extranjeria",
    DocumentType.PTP: f"{NAMING}/ptp",
    DocumentType.CNV: f"{NAMING}/cnv",
})  # fmt: skip
TYPE_CODES = MappingProxyType({
    "1": DocumentType.DNI,
    "2": DocumentType.CE,
    "3": DocumentType.PASSPORT,
    "4": DocumentType.FOREIGN_ID,
    "6": DocumentType.CNV,
    "DNI": DocumentType.DNI,
    "CE": DocumentType.CE,
    "PASAPORTE": DocumentType.PASSPORT,
    "PAS": DocumentType.PASSPORT,
    "PPN": DocumentType.PASSPORT,
    "PTP": DocumentType.PTP,
    "CPP": DocumentType.PTP,
    "CNV": DocumentType.CNV,
})  # fmt: skip
CODE_OF = MappingProxyType({
    DocumentType.DNI: "1",
    DocumentType.CE: "2",
    DocumentType.PASSPORT: "3",
    DocumentType.FOREIGN_ID: "4",
    DocumentType.PTP: "PTP",
    DocumentType.CNV: "6",
    DocumentType.OTHER: "OTHER",
})  # fmt: skip

HL7 = "http://hl7.org/fhir/StructureDefinition"
MOTHERS_FAMILY = f"{HL7}/humanname-mothers-family"
FATHERS_FAMILY = f"{HL7}/humanname-fathers-family"
PARTNER_NAME = f"{HL7}/humanname-partner-name"
MOTHERS_MAIDEN_NAME = f"{HL7}/patient-mothersMaidenName"
THIRD_SURNAME = f"{BASE}/StructureDefinition/pe-tercerapellido"
UBIGEO = f"{BASE}/StructureDefinition/pe-ubigeo"
COUNTRY = f"{BASE}/StructureDefinition/pe-pais"
MOTHERS_DOCUMENT = f"{BASE}/StructureDefinition/documento-madre"
"""An identifier of the mother: her identity document, or her local number in the same establishment."""

ROLES = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
MOTHER = "MTH"
MATCH_GRADE = f"{HL7}/match-grade"


def is_document_system(system: str) -> bool:
    """Whether a system names identity documents: their numbers never stand in a URL."""
    return system in DOCUMENT_SYSTEMS or system.startswith(PASSPORT_PREFIX)


def same_url(one: str, other: str) -> bool:
    """Whether two canonical URLs differ at most in http and https, as clients often write them."""
    return one.removeprefix("https").removeprefix("http") == other.removeprefix("https").removeprefix("http")
