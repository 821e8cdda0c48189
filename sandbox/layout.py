"""Where the sandbox keeps its files under `var`, and which port each of its processes takes."""

from dataclasses import dataclass
from pathlib import Path

from sandbox.places import ESTABLISHMENTS

HOST = "127.0.0.1"
DEFAULT_VAR = Path(__file__).resolve().parents[1] / "var"  # of this checkout, wherever the command is called
OFFICIAL_DNI, ENTITY_RUC = "94901918", "20999000001"  # who asks PIDE in the registry's name


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths under one `var` directory."""

    var: Path

    @property
    def summary(self) -> Path:
        """Everything needed to script against the sandbox: addresses, clients, people."""
        return self.var / "sandbox.json"

    @property
    def folder(self) -> Path:
        """The rest of the sandbox's files."""
        return self.var / "sandbox"

    @property
    def keys(self) -> Path:
        """Keys and secrets made at the first `prepare`, kept by the next ones."""
        return self.folder / "keys.json"

    @property
    def directory(self) -> Path:
        """What the administrator imports: establishments, record systems, professionals, staff."""
        return self.folder / "directory.json"

    @property
    def environment(self) -> Path:
        """Settings of the product that point at the sandbox."""
        return self.folder / "environment.json"

    @property
    def programs(self) -> Path:
        """The processes to run."""
        return self.folder / "programs.json"

    @property
    def population(self) -> Path:
        """Which population was made, and who of it is shown as able to sign in."""
        return self.folder / "population.json"

    @property
    def truth(self) -> Path:
        """Who is who: kept apart, for measuring and never for the product."""
        return self.folder / "truth.csv"

    @property
    def citizens(self) -> Path:
        """RENIEC's register and the credentials of ID Perú."""
        return self.folder / "citizens.sqlite"

    @property
    def pide_password(self) -> Path:
        """The password in force at PIDE; the service rewrites it when it is rotated."""
        return self.folder / "pide.json"

    @property
    def tls(self) -> Path:
        """Where the product finds its certificate for the HL7 v2 port, and the authority of its clients'."""
        return self.var / "tls"

    @property
    def certificates(self) -> Path:
        """The sandbox's own authority, and the certificates of its record systems."""
        return self.folder / "tls"

    def database(self, renipress: str) -> Path:
        """Return an establishment's own database."""
        return self.folder / f"{renipress}.sqlite"


@dataclass(frozen=True, slots=True)
class Ports:
    """ID Perú first, then PIDE, the establishments in order, the operator of text messages, where
    health staff signs in, and last the product's own HL7 v2 port."""

    base: int

    @property
    def idperu(self) -> int:
        """Return ID Perú's port."""
        return self.base

    @property
    def pide(self) -> int:
        """Return PIDE's port."""
        return self.base + 1

    def establishment(self, renipress: str) -> int:
        """Return an establishment's port."""
        codes = [place.renipress for place in ESTABLISHMENTS]
        return self.base + 2 + codes.index(renipress)

    @property
    def sms(self) -> int:
        """Return the port of the operator of text messages."""
        return self.base + 2 + len(ESTABLISHMENTS)

    @property
    def staff(self) -> int:
        """Return the port of the staff's identity provider."""
        return self.sms + 1

    @property
    def mllp(self) -> int:
        """Return the port on which the product speaks HL7 v2."""
        return self.base + 19
