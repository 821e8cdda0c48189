"""A small valid directory file, a unit of work on it, and a database with it loaded."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey
from sqlalchemy.orm import Session

from registry.app import Renhice
from registry.directory.administration import Desk
from registry.directory.loading import Report, load, parse

KEY = ECKey.generate_key("P-256", {"kid": "key-1"})


def directory_file() -> dict[str, list[dict[str, Any]]]:
    """The file of two establishments, one record system, one professional and one analyst."""
    return {
        "establishments": [_establishment("00990001", "Hospital Uno"), _establishment("00990002", "Hospital Dos")],
        "record_systems": [
            {
                "client_id": "sihce-00990001", "name": "SIHCE Uno", "version": "1.0", "establishment": "00990001",
                "authority": "MINSA", "accredited_from": "2026-01-01", "accredited_until": "2099-01-01",
                "jwks": {"keys": [KEY.as_dict(private=False)]}, "redirect_uris": ["http://127.0.0.1:9001/callback"],
                "scopes": ["system/Patient.cu", "system/Patient.rs"],
            }
        ],
        "professionals": [
            {
                "document": {"type": "DNI", "number": "40404041"}, "names": "Zoraida", "paternal_surname": "Ccahuana",
                "maternal_surname": "Ñahui", "college": "CMP", "number": "054321", "able_to_practise": True,
                "affiliations": [
                    {"establishment": "00990001", "role": "physician", "from": "2026-01-01", "until": None}
                ],
            }
        ],
        "staff": [{"document": {"type": "DNI", "number": "50505052"}, "role": "analyst", "until": "2099-01-01"}],
    }  # fmt: skip


def _establishment(renipress: str, name: str) -> dict[str, Any]:
    return {
        "renipress": renipress, "name": name, "category": "III-1", "sector": "MINSA", "region": "LIMA",
        "ubigeo": "150101", "fhir_endpoint": f"http://127.0.0.1:9000/{renipress}/fhir", "active": True,
        "identifier_system": f"https://www.gob.pe/minsa/RENHICE/fhir/NamingSystem/hc-{renipress}",
    }  # fmt: skip


@pytest.fixture
def desk(session: Session, renhice: Renhice) -> Desk:
    return Desk(session, renhice.sealer, "operator-1")


Import = Callable[[dict[str, Any]], Report]


@pytest.fixture
def import_file(desk: Desk) -> Import:
    """Load a file that must hold; returns the report."""

    def run(content: dict[str, Any]) -> Report:
        entries, faults = parse(json.dumps(content).encode())
        assert faults == []
        return load(desk, entries)

    return run


@pytest.fixture
def loaded(import_file: Import) -> Report:
    return import_file(directory_file())
