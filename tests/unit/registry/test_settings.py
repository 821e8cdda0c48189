"""Settings are validated before anything starts, and every bad variable is named."""

from pathlib import Path

import pytest

from registry.settings import SettingsError, load_settings

GOOD = {
    "RENHICE_DATABASE_URL": "postgresql://user:secret@localhost/renhice",
    "RENHICE_BROKER_URL": "redis://localhost/0",
    "RENHICE_KEYS_DIR": "/keys",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_usable_environment(environment: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert settings.database_url == "postgresql+psycopg://user:secret@localhost/renhice"
    assert settings.owner_database_url == settings.database_url
    assert settings.keys_dir == Path("/keys")
    assert not settings.secure


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RENHICE_DATABASE_URL", "mysql://localhost/renhice"),
        ("RENHICE_DATABASE_URL", "postgresql"),
        ("RENHICE_BROKER_URL", "http://localhost"),
        ("RENHICE_BASE_URL", "https://renhice.pe/path"),
        ("RENHICE_BASE_URL", "ftp://renhice.pe"),
        ("RENHICE_ACCESS_TOKEN_SECONDS", "3600"),
        ("RENHICE_ENVIRONMENT", "staging"),
        ("RENHICE_STAFF_SESSION_HOURS", "13"),
        ("RENHICE_SESSION_IDLE_MINUTES", "31"),
        ("RENHICE_PASSKEY_DAYS", "8"),
    ],
)
def test_bad_value_names_its_variable(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_settings()


def test_every_missing_variable_is_named(environment: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        environment.delenv(name)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert all(name in str(caught.value) for name in GOOD)


def test_the_hl7_v2_port_needs_its_certificates(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RENHICE_MLLP_PORT", "2575")
    environment.setenv("RENHICE_MLLP_KEY", "/tls/key.pem")
    with pytest.raises(SettingsError, match="RENHICE_MLLP_CERTIFICATE, RENHICE_MLLP_CLIENT_CA"):
        load_settings()
    for name in ("CERTIFICATE", "CLIENT_CA"):
        environment.setenv(f"RENHICE_MLLP_{name}", "/tls/file.pem")
    assert load_settings().mllp_port == 2575
