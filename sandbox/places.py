"""The six establishments of the sandbox, and who attends where."""

from dataclasses import dataclass

REGISTRO = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/registro"
LOCAL_NUMBER = "https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/hc-"


ON_PIDE = "00990003"


@dataclass(frozen=True, slots=True)
class Establishment:
    """A health establishment: RENIPRESS code, category, sector, and how its local numbers look."""

    renipress: str
    name: str
    category: str
    sector: str
    region: str
    ubigeo: str
    number_format: str
    attends: int  # weight: how likely somebody of the region goes there

    @property
    def identifier_system(self) -> str:
        """Return the system of its local numbers."""
        return LOCAL_NUMBER + self.renipress

    @property
    def client_id(self) -> str:
        """Return the OAuth client id of its record system."""
        return f"sihce-{self.renipress}"

    @property
    def pide_service(self) -> str | None:
        """Return how PIDE names its FHIR base, where it is registered there: one public body of the sandbox is."""
        return f"IPRESS-{self.renipress}/HistoriaClinica" if self.renipress == ON_PIDE else None

    @property
    def hl7_namespace(self) -> str:
        """Return how HL7 v2 messages call the system of its local numbers."""
        return f"HC-{self.renipress}"

    @property
    def hl7_names(self) -> dict[str, str]:
        """Return what its HL7 v2 messages say in MSH-3 and MSH-4."""
        return {"application": f"SIHCE-{self.renipress}", "facility": self.renipress}

    def local_number(self, sequence: int) -> str:
        """Return the local number given to the n-th patient."""
        return self.number_format.format(sequence)


# Codes of a block RENIPRESS has not reached: no real establishment is named.
ESTABLISHMENTS = tuple(
    Establishment(*row)
    for row in (
        ("00990001", "Hospital Nacional Santa Rosa de Lima", "III-1", "MINSA", "LIMA", "150128", "{:07d}", 50),
        ("00990002", "Hospital Regional Inti Raymi del Cusco", "III-1", "GORE", "CUSCO", "080101", "HC-{:06d}", 40),
        ("00990003", "Puesto de Salud Ccorca Alta", "I-1", "GORE", "CUSCO", "080102", "{}", 25),
        ("00990004", "Hospital Misti EsSalud", "III-1", "EsSalud", "AREQUIPA", "040101", "E{:08d}", 30),
        ("00990005", "Clínica Los Eucaliptos", "II-2", "PRIVADO", "LIMA", "150130", "{:05d}-P", 22),
        ("00990006", "Centro de Salud Ribera de Belén", "I-3", "GORE", "LORETO", "160112", "{:06d}/B", 20),
    )
)
BY_RENIPRESS = {establishment.renipress: establishment for establishment in ESTABLISHMENTS}
SERVICES = ("medicina-general", "medicina-interna", "pediatria", "obstetricia", "emergencia")
