"""A person of a running system whose records are at the benchmark's holders, and who permits them to be read."""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import psutil
from flask import Flask
from joserfc.jwk import ECKey
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from benchmarks import permitting
from benchmarks.exchange.holders import Holder
from consent_broker.broker import Broker
from consent_broker.consents.service import revoke_consent
from consent_broker.consents.vocabulary import scope_of
from consent_broker.oauth.clients import Requester, find_client
from consent_broker.oauth.grant_tokens import issue_grant_tokens
from consent_broker.oauth.grants import Reader, decide_reading
from consent_broker.oauth.holder_tokens import find_holders, issue_ticket
from deploy.layout import Layout
from deploy.vault import read_object
from matching.records import Demographics, Document, DocumentType
from registry.app import Renhice
from registry.database import new_id, now
from registry.directory.models import Affiliation, Establishment, RecordSystem
from registry.identity.service import Content, Registration, engine_of, register_source_record
from wsgi import create_app

CATEGORIES = frozenset({"allergies", "medications", "encounters"})


@dataclass(frozen=True, slots=True)
class World:
    """The running system's parts in this process, the reader, the person, the holders' OAuth clients and key."""

    app: Flask
    parts: Renhice
    broker: Broker
    reader: Reader
    person_id: UUID
    clients: Sequence[str]
    key: ECKey

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A unit of work in the application."""
        with self.app.app_context(), self.parts.database.unit_of_work() as session:
            yield session


@contextmanager
def running_world(holders: Sequence[Holder]) -> Iterator[World]:
    """Add the holders, the person and the person's records to the running system; the holders close afterwards."""
    layout = Layout()
    if not layout.environment.exists():
        raise SystemExit("Nothing is running. Start it first: ./renhice up --detach")
    for name, value in read_object(layout.environment).items():
        os.environ.setdefault(name, value)
    summary = read_object(layout.sandbox_file)
    asking = summary["story"]["asking"]["renipress"]
    client = next(one["client"]["client_id"] for one in summary["establishments"] if one["renipress"] == asking)
    app = create_app()
    world = _populate(app, client, holders)
    try:
        yield world
    finally:
        with world.transaction() as session:
            mine = [one.establishment_id for one in find_holders(session, world.person_id)]
            session.execute(update(Establishment).where(Establishment.id.in_(mine)).values(active=False))


def _populate(app: Flask, client_id: str, holders: Sequence[Holder]) -> World:
    parts: Renhice = app.extensions["renhice"]
    key, patient = ECKey.generate_key("P-256", {"kid": secrets.token_hex(4)}), _somebody()
    with app.app_context(), parts.database.unit_of_work() as session:
        reader = _reader(session, client_id)
        added = [_add_holder(session, parts, one, patient, key) for one in holders]
    clients, persons = zip(*added, strict=True)
    return World(app, parts, app.extensions["consent-broker"], reader, persons[0], clients, key)


def _somebody() -> Demographics:
    """A person nobody else is."""
    names = ("".join(secrets.choice("AEIOULMNRST") for _ in range(9)) for _ in range(3))
    paternal, maternal, given = names
    document = Document(DocumentType.DNI, str(secrets.randbelow(9 * 10**7) + 10**7))
    return Demographics(
        documents=(document,),
        paternal_surname=paternal,
        maternal_surname=maternal,
        given_names=given,
        sex="F",
        birth_date=date(1980, 1, 1),
    )


def _reader(session: Session, client_id: str) -> Reader:
    system = session.scalars(select(RecordSystem).where(RecordSystem.client_id == client_id)).one()
    working = select(Affiliation.professional_id).where(Affiliation.establishment_id == system.establishment_id)
    professional = session.scalars(working).first()
    return Reader(
        establishment_id=system.establishment_id, professional_id=professional, purpose="TREAT", client_id=client_id
    )


def _add_holder(
    session: Session, parts: Renhice, holder: Holder, patient: Demographics, key: ECKey
) -> tuple[str, UUID]:
    """An establishment with a record of the patient; its OAuth client, and the person."""
    code, establishment_id = str(secrets.randbelow(10**7) + 9 * 10**7), new_id()
    place = Establishment(
        id=establishment_id, renipress=code, name=f"Benchmark {code}", category="I-3", sector="PRIVADO", region="Lima",
        ubigeo="150101", fhir_endpoint=holder.endpoint, event_endpoint=holder.event_endpoint,
        identifier_system=f"urn:benchmark:{code}", active=True,
    )  # fmt: skip
    session.add(place)
    session.flush()
    session.add(
        RecordSystem(
            id=new_id(), client_id=f"benchmark-{code}", establishment_id=establishment_id, name="Benchmark",
            version="1", authority="Benchmark", profile="fapi2", accredited_from=now() - timedelta(days=1),
            accredited_until=now() + timedelta(days=1), jwks={"keys": [key.as_dict(private=False)]}, redirect_uris=[],
            scopes=["system/Patient.rs"],
        )
    )  # fmt: skip
    session.flush()
    content = Content(f"urn:benchmark:{code}", "1", patient)
    registration = Registration(establishment_id=establishment_id, client_id=f"benchmark-{code}", content=content)
    return f"benchmark-{code}", register_source_record(session, engine_of(parts), registration).person_id


@dataclass(frozen=True, slots=True)
class Permitted:
    """A consent in force, and what was given under it: a token for the gateway and one for the first holder."""

    consent_id: UUID
    gateway_token: str
    holder_token: str


def permit(world: World, jkt: str) -> Permitted:
    """What the patient's answer leads to, through the product's own services."""
    scopes = frozenset(map(scope_of, CATEGORIES))
    with world.transaction() as session:
        given = permitting.permit(session, world.reader, world.person_id, CATEGORIES, scopes)
        client = find_client(session, given.reader.client_id or "", now())
        if client is None:
            raise SystemExit("The sandbox's record system is not served.")
        tokens = issue_grant_tokens(session, world.broker, Requester(client, jkt), given.grant, scopes)
        decision = decide_reading(session, given.reader, world.person_id, CATEGORIES)
        holder = find_holders(session, world.person_id)[0]
        ticket = issue_ticket(session, world.broker, given.access, decision, holder)
        return Permitted(given.grant.consent_id, str(tokens["access_token"]), ticket.token.value)


def revoke(session: Session, world: World, consent_id: UUID) -> None:
    """The patient takes it back."""
    revoke_consent(session, consent_id, permitting.evidence_of(world.person_id))


def server_processes(world: World) -> list[psutil.Process]:
    """gunicorn with its workers, and PostgreSQL with the backends it has now."""
    web = [one for one in psutil.process_iter(["cmdline"]) if _is_ours(one.info["cmdline"] or [], world)]
    with world.parts.database.engine.connect() as connection:
        backend = psutil.Process(connection.scalar(text("SELECT pg_backend_pid()")))
    postmaster = backend.parent()
    return [*web, *(postmaster.children() if postmaster else [])]


def _is_ours(command: Sequence[str], world: World) -> bool:
    port = world.parts.settings.base_url.rpartition(":")[2]
    return "wsgi:create_app()" in command and any(word.endswith(f":{port}") for word in command)


def processor_seconds(processes: Sequence[psutil.Process]) -> float:
    """User and system time they have used."""
    return sum(sum(one.cpu_times()[:2]) for one in processes if one.is_running())
