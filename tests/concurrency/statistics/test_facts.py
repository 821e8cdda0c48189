"""Messages about one person, delivered by several relays at once, leave one true fact."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from uuid import UUID

from sqlalchemy import select

from matching.records import Demographics, Document, DocumentType
from registry import outbox
from registry.app import Renhice
from registry.database import new_id
from registry.identity.service import Content, Registration, engine_of, register_source_record
from registry.outbox import OutboxMessage
from registry.statistics.models import PersonFact
from registry.statistics.tasks import follow_identity

PERSON = Demographics(
    documents=(Document(DocumentType.DNI, "40718293"),),
    paternal_surname="Huamán",
    maternal_surname="Ccahuana",
    given_names="Rosa Elvira",
    sex="F",
    birth_date=date(1984, 7, 19),
    ubigeo="080101",
)
ESTABLISHMENTS = 12


def register(renhice: Renhice, number: int) -> UUID:
    with renhice.database.unit_of_work() as session:
        content = Content("https://example.pe/historia", str(number), PERSON)
        registration = Registration(establishment_id=new_id(), client_id="sihce", content=content)
        return register_source_record(session, engine_of(renhice), registration).person_id


def deliver(renhice: Renhice) -> int:
    with renhice.database.unit_of_work() as session:
        return outbox.relay(session, 2)


def test_registrations_and_relays_at_once(renhice: Renhice) -> None:
    follow_identity(renhice)
    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(register, renhice, number) for number in range(ESTABLISHMENTS)]
        work += [pool.submit(deliver, renhice) for _ in range(2 * ESTABLISHMENTS)]
        for done in work:
            done.result()
    while deliver(renhice):
        pass
    with renhice.database.unit_of_work() as session:
        [fact] = session.scalars(select(PersonFact)).all()
        assert (fact.establishments, fact.sex, fact.department) == (ESTABLISHMENTS, "F", "08")
        assert session.scalars(select(OutboxMessage.last_error)).all() == []
