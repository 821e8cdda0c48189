"""Look-ups, and who may act when."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from matching.records import Document, DocumentType
from registry.app import Renhice
from registry.database import new_id, now
from registry.directory import service, staff
from registry.directory.administration import Desk, accredit, end_role, grant_role, reinstate, suspend
from registry.directory.loading import Report
from registry.directory.models import StaffRole
from registry.errors import NotFound, Unprocessable
from registry.sealing import DataKey, SealError
from tests.integration.directory.conftest import Import, directory_file

DOCTOR = Document(DocumentType.DNI, "40404041")
ANALYST = Document(DocumentType.DNI, "50505052")
CLIENT = "sihce-00990001"


def test_an_establishment_is_found_by_each_key(session: Session, loaded: Report) -> None:
    found = service.get_establishment(session, "00990001")
    assert service.get_establishment(session, found.id) is found
    assert service.find_by_identifier_system(session, found.identifier_system) is found
    assert service.list_establishments(session, [found.id]) == [found]
    assert [place.renipress for place in service.list_establishments(session)] == ["00990002", "00990001"]
    assert service.find_by_identifier_system(session, "urn:other") is None


def test_what_is_not_there_is_not_found(session: Session, loaded: Report) -> None:
    for key in ("00999999", "'; drop", new_id()):
        with pytest.raises(NotFound):
            service.get_establishment(session, key)
    with pytest.raises(NotFound):
        service.get_record_system(session, "sihce-nobody")
    with pytest.raises(NotFound):
        service.get_professional(session, new_id())
    with pytest.raises(NotFound):
        service.get_professional_by_registration(session, "CMP", "999999")


def test_a_record_system_is_usable_only_while_accredited(session: Session, loaded: Report) -> None:
    system = service.get_record_system(session, CLIENT)
    assert system.establishment.renipress == "00990001"
    start, end = system.accredited_from, system.accredited_until
    moments = (start - timedelta(microseconds=1), start, end - timedelta(microseconds=1), end)
    assert [system.unusable(m) for m in moments] == ["not-yet-accredited", None, None, "accreditation-ended"]


def test_suspension_and_accreditation(session: Session, desk: Desk, loaded: Report) -> None:
    system = suspend(desk, CLIENT, "key leaked")
    assert system.unusable(now()) == "suspended"
    accredit(desk, CLIENT, datetime(2090, 1, 1, tzinfo=UTC))
    assert system.unusable(now()) == "suspended"
    reinstate(desk, CLIENT, "key replaced")
    assert system.unusable(now()) is None
    assert system.accredited_until == datetime(2090, 1, 1, tzinfo=UTC)
    with pytest.raises(Unprocessable):
        reinstate(desk, CLIENT, "again")
    with pytest.raises(Unprocessable):
        accredit(desk, CLIENT, now() - timedelta(days=1))


def test_a_professional_is_found_by_document_and_named(session: Session, renhice: Renhice, loaded: Report) -> None:
    doctor = service.find_professional(session, renhice.sealer, DOCTOR)
    assert doctor is service.get_professional_by_registration(session, "CMP", "054321")
    assert service.display_name(session, renhice.sealer, doctor) == "Zoraida Ccahuana Ñahui"
    names = service.display_names(session, renhice.sealer, [doctor.id, new_id()])
    assert names == {doctor.id: "Zoraida Ccahuana Ñahui"}
    assert service.find_professional(session, renhice.sealer, ANALYST) is None
    elsewhere = Document(DocumentType.CE, "40404041")
    assert service.find_professional(session, renhice.sealer, elsewhere) is None


def test_an_erased_professional_has_no_name(session: Session, renhice: Renhice, loaded: Report) -> None:
    doctor = service.get_professional_by_registration(session, "CMP", "054321")
    session.delete(session.get(DataKey, doctor.id))
    session.flush()
    assert service.display_names(session, renhice.sealer, [doctor.id]) == {}
    with pytest.raises(SealError):
        service.display_name(session, renhice.sealer, doctor)


def test_a_professional_acts_only_where_affiliated_and_able(
    session: Session, renhice: Renhice, loaded: Report, import_file: Import
) -> None:
    doctor = service.get_professional_by_registration(session, "CMP", "054321")
    here, there = (service.get_establishment(session, code) for code in ("00990001", "00990002"))
    before = datetime(2025, 12, 31, tzinfo=UTC)
    assert service.unable_to_act(session, doctor.id, here.id, now()) is None
    assert service.unable_to_act(session, doctor.id, here.id, before) == "not-affiliated"
    assert service.unable_to_act(session, doctor.id, there.id, now()) == "not-affiliated"
    assert service.workplaces(session, doctor, now()) == [here]
    content = directory_file()
    content["professionals"][0]["able_to_practise"] = False
    import_file(content)
    assert service.unable_to_act(session, doctor.id, here.id, now()) == "not-able-to-practise"
    assert service.workplaces(session, doctor, now()) == []


def test_an_inactive_establishment_has_nobody_acting(session: Session, loaded: Report, import_file: Import) -> None:
    content = directory_file()
    content["establishments"][0]["active"] = False
    import_file(content)
    doctor = service.get_professional_by_registration(session, "CMP", "054321")
    here = service.get_establishment(session, "00990001")
    assert service.unable_to_act(session, doctor.id, here.id, now()) == "establishment-inactive"
    assert service.workplaces(session, doctor, now()) == []


def test_staff_roles_begin_and_end(session: Session, renhice: Renhice, desk: Desk, loaded: Report) -> None:
    def roles(moment: datetime) -> frozenset[str]:
        return staff.staff_roles(session, renhice.sealer, ANALYST, moment)

    assert roles(now()) == {"analyst"}
    assert roles(datetime(2099, 1, 2, tzinfo=UTC)) == frozenset()
    assert grant_role(desk, ANALYST, "steward", now() + timedelta(hours=1))
    assert roles(now()) == {"analyst", "steward"}
    end_role(desk, ANALYST, "analyst", "left the office")
    assert roles(now()) == {"steward"}
    with pytest.raises(NotFound):
        end_role(desk, ANALYST, "analyst", "twice")
    assert staff.staff_roles(session, renhice.sealer, DOCTOR, now()) == frozenset()


def test_a_role_that_ran_out_is_granted_as_a_new_one(session: Session, renhice: Renhice, desk: Desk) -> None:
    until = now() + timedelta(seconds=60)
    assert grant_role(desk, ANALYST, "analyst", until)
    assert not grant_role(desk, ANALYST, "analyst", until)
    [first] = session.query(StaffRole).all()
    first.valid_until = now() - timedelta(seconds=1)
    session.flush()
    assert grant_role(desk, ANALYST, "analyst", until)
    assert [row.end_reason for row in session.query(StaffRole).order_by("granted_at")] == ["expired", None]
    assert staff.staff_roles(session, renhice.sealer, ANALYST, now()) == {"analyst"}
