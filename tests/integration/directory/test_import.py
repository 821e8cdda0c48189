"""Importing a directory file: idempotent, complete, audited, and a conflicting item leaves no trace."""

import json
from collections import Counter

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.database import now
from registry.directory.administration import Desk, suspend
from registry.directory.loading import Report, parse
from registry.directory.models import Affiliation, Establishment
from registry.directory.service import (
    display_name,
    find_by_namespace,
    find_certificate,
    get_establishment,
    get_professional_by_registration,
    get_record_system,
    unable_to_act,
)
from tests.integration.directory.conftest import Import, directory_file


def actions(session: Session) -> Counter[str]:
    return Counter(session.scalars(select(AuditEvent.action)))


def test_a_file_is_added_once_and_then_the_same(session: Session, loaded: Report, import_file: Import) -> None:
    assert loaded.counts == {
        ("establishments", "added"): 2, ("record_systems", "added"): 1,
        ("professionals", "added"): 1, ("staff", "changed"): 1,
    }  # fmt: skip
    before = actions(session)
    again = import_file(directory_file())
    assert {outcome for _, outcome in again.counts} == {"same"}
    assert actions(session) == before


def test_every_addition_is_audited_with_its_operator(session: Session, loaded: Report) -> None:
    assert actions(session) == {
        "directory:establishment:added": 2, "directory:record-system:added": 1, "directory:professional:added": 1,
        "directory:affiliation:changed": 1, "directory:role:granted": 1,
    }  # fmt: skip
    assert set(session.scalars(select(AuditEvent.detail["operator"].astext))) == {"operator-1"}


def test_a_change_is_applied_and_names_its_fields(session: Session, loaded: Report, import_file: Import) -> None:
    content = directory_file()
    content["establishments"][0]["name"] = "Hospital Uno Renovado"
    content["establishments"][0]["active"] = False
    content["professionals"][0]["names"] = "Zoraida Luz"
    report = import_file(content)
    assert report.counts["establishments", "changed"] == 1
    assert get_record_system(session, "sihce-00990001").unusable(now()) == "establishment-inactive"
    query = select(AuditEvent.detail["fields"]).where(AuditEvent.action.like("%:changed"))
    assert {tuple(sorted(fields or ())) for fields in session.scalars(query)} == {
        (), ("active", "name"), ("personal_data",),
    }  # fmt: skip


def test_affiliations_left_out_end(session: Session, renhice: Renhice, loaded: Report, import_file: Import) -> None:
    content = directory_file()
    content["professionals"][0]["affiliations"] = [
        {"establishment": "00990002", "role": "physician", "from": "2026-01-01"}
    ]
    assert import_file(content).counts["professionals", "changed"] == 1
    doctor = get_professional_by_registration(session, "CMP", "054321")
    assert display_name(session, renhice.sealer, doctor) == "Zoraida Ccahuana Ñahui"
    first, second = (get_establishment(session, code) for code in ("00990001", "00990002"))
    assert unable_to_act(session, doctor.id, first.id, now()) == "not-affiliated"
    assert unable_to_act(session, doctor.id, second.id, now()) is None
    assert session.scalar(select(func.count()).select_from(Affiliation)) == 2


def test_an_import_never_lifts_a_suspension(session: Session, desk: Desk, loaded: Report, import_file: Import) -> None:
    suspend(desk, "sihce-00990001", "key leaked")
    import_file(directory_file())
    assert get_record_system(session, "sihce-00990001").unusable(now()) == "suspended"


@pytest.mark.parametrize(
    ("kind", "change", "fault"),
    [
        ("establishments", {"renipress": "00990009"}, "establishments[0].identifier_system: belongs to another"),
        ("record_systems", {"establishment": "00999999"}, "record_systems[0].unknown-establishment"),
        ("professionals", {"number": "099999"}, "professionals[0].document: belongs to another professional"),
        ("staff", {"until": "2020-01-01"}, "staff[0].already-past"),
    ],
)
def test_an_item_that_conflicts_is_named_and_leaves_no_trace(
    session: Session, loaded: Report, import_file: Import, kind: str, change: dict[str, str], fault: str
) -> None:
    before = actions(session)
    report = import_file({kind: [directory_file()[kind][0] | change]})
    assert [line.startswith(fault) for line in report.faults] == [True]
    assert report.counts == {(kind, "refused"): 1}
    assert actions(session) == before


def test_names_and_numbers_of_people_are_nowhere_in_clear(session: Session, loaded: Report) -> None:
    session.flush()
    found = []
    for table in ("professionals", "affiliations", "staff_roles", "audit_events", "data_keys"):
        dump = "".join(session.scalars(text(f"SELECT t::text FROM {table} t")))
        assert dump
        for secret in ("40404041", "50505052", "Zoraida", "Ccahuana", "Ñahui"):
            coded = (secret, secret.encode().hex())
            found += [(table, secret) for form in coded if form in dump]
    assert found == []


def test_the_database_keeps_one_establishment_a_code(session: Session, loaded: Report) -> None:
    assert session.scalar(select(func.count()).select_from(Establishment)) == 2


@pytest.mark.parametrize(
    ("sector", "service", "refused"),
    [
        ("GORE", "IPRESS-1/HistoriaClinica", False),
        ("PRIVADO", "IPRESS-1/HistoriaClinica", True),
        ("Mixto", "IPRESS-1/HistoriaClinica", True),
        ("GORE", "https://elsewhere.example/", True),
        ("GORE", "../RENIEC/Consultar", True),
    ],
    ids=["public", "private", "mixed", "an-address", "a-way-up"],
)
def test_only_a_public_body_is_asked_over_pide(sector: str, service: str, refused: bool) -> None:
    content = directory_file()
    content["establishments"][0] |= {"sector": sector, "pide_service": service}
    _, faults = parse(json.dumps(content).encode())
    assert ["pide_service" in fault for fault in faults] == [True] * refused


def test_certificates_are_the_whole_list_of_a_record_system(import_file: Import, session: Session) -> None:
    content = directory_file()
    system = content["record_systems"][0]
    first, second = ({"sha256": sign * 64, "application": "SIHCE", "facility": "UNO"} for sign in "ab")
    system["certificates"] = [first]
    content["establishments"][0]["hl7_namespace"] = "UNO"
    assert import_file(content).faults == []
    known = find_certificate(session, bytes.fromhex(first["sha256"]))
    assert known is not None
    assert (known.record_system.client_id, known.application, known.facility) == (system["client_id"], "SIHCE", "UNO")
    assert import_file(content).counts["record_systems", "same"] == 1
    del system["certificates"]
    assert import_file(content).counts["record_systems", "same"] == 1
    system["certificates"] = [second | {"facility": "DOS"}]
    assert import_file(content).counts["record_systems", "changed"] == 1
    assert find_certificate(session, bytes.fromhex(first["sha256"])) is None
    found = find_by_namespace(session, "UNO")
    assert found is not None
    assert found == find_by_namespace(session, found.renipress)
    content["establishments"][1]["hl7_namespace"] = "UNO"
    assert import_file(content).faults == ["establishments[1].hl7_namespace: belongs to another establishment"]
