"""Settings from the environment, validated before anything starts."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """The environment is unusable; the message names every variable at fault."""


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}:
        msg = "must be an origin such as https://renhice.minsa.gob.pe (no path)"
        raise ValueError(msg)
    return value.rstrip("/")


def _postgresql(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if separator == "" or scheme.split("+")[0] not in {"postgresql", "postgres"}:
        msg = "must be a PostgreSQL URL such as postgresql://user:password@host/renhice"
        raise ValueError(msg)
    return f"postgresql+psycopg://{rest}"


Origin = Annotated[str, AfterValidator(_origin)]
DatabaseUrl = Annotated[str, AfterValidator(_postgresql)]


class Settings(BaseSettings):
    """Every setting of the product, one `RENHICE_` variable each; secrets come as files or are masked."""

    model_config = SettingsConfigDict(env_prefix="RENHICE_", frozen=True, extra="ignore")

    environment: Literal["production", "sandbox", "test"] = "production"
    base_url: Origin = "http://127.0.0.1:8000"
    database_url: DatabaseUrl
    migration_database_url: DatabaseUrl | None = None
    broker_url: str = Field(pattern=r"^(redis|rediss|redis\+socket|amqp|amqps|memory)://")
    keys_dir: Path

    database_pool_size: int = Field(default=8, ge=1, le=200)
    statement_timeout_ms: int = Field(default=10_000, ge=100)
    lock_timeout_ms: int = Field(default=5_000, ge=100)
    max_body_bytes: int = Field(default=1_048_576, ge=1024)
    trusted_proxies: int = Field(default=0, ge=0, le=5)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    access_token_seconds: int = Field(default=300, ge=30, le=300)
    authorization_code_seconds: int = Field(default=60, ge=10, le=60)
    holder_timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    session_hours: int = Field(default=8, ge=1, le=12)
    session_idle_minutes: int = Field(default=30, ge=5, le=30)
    staff_session_hours: int = Field(default=8, ge=1, le=12)
    staff_idle_minutes: int = Field(default=30, ge=5, le=30)
    passkey_days: int = Field(default=1, ge=1, le=7)
    emergency_minutes: int = Field(default=60, ge=5, le=240)
    emergencies_per_day: int = Field(default=5, ge=1, le=100)
    exchange_concurrency: int = Field(default=8, ge=1, le=200)
    searches_per_hour_client: int = Field(default=5_000, ge=1, le=1_000_000)
    searches_per_hour_professional: int = Field(default=100, ge=1, le=1_000_000)
    canary_dnis: SecretStr = SecretStr("")
    match_model: Path | None = None
    signature_anchors_dir: Path | None = None
    adolescent_from_age: int = Field(default=14, ge=0, le=18)
    four_eyes_above: int = Field(default=6, ge=2, le=1000)
    unmerge_by_feed: bool = False

    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    staff_oidc_issuer: str | None = None
    staff_oidc_client_id: str | None = None
    staff_oidc_client_secret: SecretStr | None = None
    attendance_default: str = Field(default="", pattern=r"^([a-z]+(,[a-z]+)*)?$")
    sms_url: str | None = None
    sms_token: SecretStr | None = None
    sms_sender: str = Field(default="RENHICE", min_length=3, max_length=15)
    privacy_officer_phone: str | None = Field(default=None, pattern=r"^\+519\d{8}$")
    sms_timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    pide_url: str | None = None
    pide_official_dni: SecretStr | None = None
    pide_entity_ruc: str | None = None
    pide_password: SecretStr | None = None
    pide_timeout_seconds: float = Field(default=5.0, gt=0, le=60)

    mllp_port: int | None = Field(default=None, ge=1, le=65_535)
    mllp_host: str = "127.0.0.1"
    mllp_certificate: Path | None = None
    mllp_key: Path | None = None
    mllp_client_ca: Path | None = None
    mllp_max_bytes: int = Field(default=65_536, ge=1024, le=16_777_216)
    mllp_connections: int = Field(default=200, ge=1, le=10_000)
    mllp_connections_per_client: int = Field(default=10, ge=1, le=1_000)
    mllp_handshakes: int = Field(default=100, ge=1, le=10_000)
    mllp_handshakes_per_address: int = Field(default=20, ge=1, le=10_000)
    mllp_idle_seconds: float = Field(default=600.0, gt=0, le=86_400)
    mllp_frame_seconds: float = Field(default=15.0, gt=0, le=600)

    @model_validator(mode="after")
    def _mllp_is_whole(self) -> Self:
        files = {"CERTIFICATE": self.mllp_certificate, "KEY": self.mllp_key, "CLIENT_CA": self.mllp_client_ca}
        missing = [f"RENHICE_MLLP_{name}" for name, path in files.items() if path is None]
        if self.mllp_port is not None and missing:
            msg = f"the HL7 v2 port (RENHICE_MLLP_PORT) speaks TLS only and needs {', '.join(missing)}"
            raise ValueError(msg)
        return self

    @property
    def secure(self) -> bool:
        """Whether the product is reached over TLS (decides cookie flags and HSTS)."""
        return self.base_url.startswith("https://")

    @field_validator("canary_dnis")
    @classmethod
    def _eight_digits(cls, value: SecretStr) -> SecretStr:
        numbers = filter(None, value.get_secret_value().split(","))
        if not all(re.fullmatch(r"[0-9]{8}", number) for number in numbers):
            msg = "must be DNI numbers of eight digits separated by commas"
            raise ValueError(msg)
        return value

    @property
    def canaries(self) -> frozenset[str]:
        """The DNI numbers that belong to nobody: a search for one is an alarm."""
        return frozenset(filter(None, self.canary_dnis.get_secret_value().split(",")))

    @property
    def host(self) -> str:
        """The name browsers reach the product by: the relying party of passkeys (WebAuthn §4)."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def owner_database_url(self) -> str:
        """The URL migrations run with: the schema's owner, never the application's role."""
        return self.migration_database_url or self.database_url


def load_settings() -> Settings:
    """Read and validate the environment; raises SettingsError naming each bad variable and why."""
    try:
        return Settings()  # type: ignore[call-arg]  # fields come from the environment
    except ValidationError as error:
        lines = [f"RENHICE_{'.'.join(map(str, e['loc'] or ('mllp',))).upper()}: {e['msg']}" for e in error.errors()]
        raise SettingsError("Settings are not usable:\n  " + "\n  ".join(lines)) from None
