"""The people of the access matrix: two sides that have nothing to do with each other, and who belongs to neither."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, g
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from consent_broker.consents.access_requests import Asking, request_access
from consent_broker.consents.directives import Kind
from consent_broker.consents.representatives import Proposal, Recorder, appoint
from consent_broker.consents.service import Terms, grant_consent, propose_consent, record_objection
from consent_broker.emergency import service as emergency
from consent_broker.oauth.grants import find_grant
from consent_broker.oauth.models import OAuthGrant
from consent_broker.oauth.scopes import RECORD_SCOPES, STAFF_SCOPES, SYSTEM_SCOPES
from matching.records import Demographics, Document, DocumentType
from portal.session import Identity, derive, life_of, open_session
from registry.access import Caller, Presented
from registry.app import Renhice
from registry.bulk.export.models import ExportFault
from registry.bulk.export.service import Wanted, ask
from registry.bulk.export.writing import write
from registry.bulk.models import Import
from registry.database import new_id, now
from registry.database import session as database_session
from registry.directory.documents import document_token
from registry.directory.models import Affiliation, Professional, StaffRole
from registry.directory.representatives import Basis, Paper, Power
from registry.directory.service import PROFESSIONAL_CONTEXT, PersonalData, get_establishment
from registry.errors import Unauthenticated
from registry.identity.service import Content, Registration, engine_of, register_source_record
from registry.identity.stewardship import Steward
from registry.pide.port import Names
from registry.settings import Settings
from tests.functional.access import objects
from tests.functional.oauth.world import (
    Party,
    World,
    _add_affiliation,
    _add_client,
    _add_establishment,
    build_world,
)
from wsgi import create_app

PAPER = Paper(kind="notarial-power", reference="K-1", sha256="ab" * 32)
UNKNOWN = UUID("6f1c7c1e-0c5e-4c53-9a53-6d3a6a2f9b10")
BORN = date(1980, 5, 17)
NAMES = {"P": ("Huamán", "Quispe", "Rosa"), "Q": ("Ccorimanya", "Tupa", "Nelly"), "R": ("Zevallos", "Vargas", "Hugo")}
DOCUMENTS = {
    "P": "40000001", "Q": "40000002", "R": "40000003", "professional A": "41000001", "professional B": "41000002",
    "analyst": "42000001", "steward": "42000002", "privacy-officer": "42000003",
    "administrator A": "42000004", "another steward": "42000005",
}  # fmt: skip
FUTURE = timedelta(days=3)


@dataclass
class Side:
    """A patient, whoever treats them, and everything there is about the two: the ids a path may carry."""

    name: str
    party: Party
    professional_id: UUID
    number: str
    person_id: UUID = UNKNOWN
    ids: dict[str, Any] = field(default_factory=dict)


@dataclass
class People:
    """Both sides, and the session cookie of each human by what they are."""

    world: World
    sides: dict[str, Side]
    cookies: dict[str, str]
    undone: Callable[[], AbstractContextManager[None]]

    def csrf(self, actor: str) -> str:
        return derive(self.cookies[actor], "form") if actor in self.cookies else ""


CALLERS: dict[str, Caller] = {}
SURFACES = {"grant A": {"/exchange"}, "workbench": {"/api/v1"}}


def authenticate(presented: Presented, audience: str) -> Caller:
    """A token is the actor's name: what tokens prove is tested elsewhere, here what their bearers may do."""
    name = (presented.authorization or "").removeprefix("Bearer ")
    if name not in CALLERS or audience not in SURFACES.get(name, {"/fhir", "/api/v1"}):
        raise Unauthenticated("This call needs an access token.")
    grant_id = CALLERS[name].grant_id
    g.grant = find_grant(database_session(), grant_id) if grant_id else None
    return replace(CALLERS[name], audience=audience)


@pytest.fixture(scope="module")
def app(settings: Settings) -> Iterator[Flask]:
    texting = {"sms_url": "https://sms.example/", "sms_token": SecretStr("x")}
    application = create_app(settings.model_copy(update=texting), authenticate)
    yield application
    parts: Renhice = application.extensions["renhice"]
    parts.database.engine.dispose()


@pytest.fixture(scope="module")
def people(app: Flask, renhice: Renhice) -> People:
    """Side P: the patient, establishment A and its professional. Side Q: the same with B. And the rest."""
    world = build_world(app, renhice)
    stranger = Party("sihce-c", new_id(), "https://c.example/fhir", app.test_client())
    professionals = {"P": world.professional_id, "Q": new_id()}
    with renhice.database.unit_of_work() as session:
        _add_establishment(session, stranger, "00000003")
        session.flush()
        _add_client(session, stranger)
        _add_professionals(session, renhice, world, professionals)
        for who in ("analyst", "steward", "privacy-officer", "another steward"):
            token, role = document_token(renhice.sealer, dni(who)), who.removeprefix("another ")
            session.add(StaffRole(document_token=token, sealed=b"-", role=role, valid_until=now() + timedelta(days=9)))
        session.add(_administrator(renhice, world.asking))
    sides = {
        "P": Side("P", world.asking, professionals["P"], "012345"),
        "Q": Side("Q", world.holding, professionals["Q"], "012346"),
    }
    elsewhere = Party("sihce-d", new_id(), "https://d.example/fhir", app.test_client())
    with renhice.database.unit_of_work() as session:
        _add_establishment(session, elsewhere, "00000004")
        session.flush()
        _add_affiliation(session, _another(session, renhice), stranger.establishment_id)
    ward, _ = _register(world, "R", elsewhere)
    for side in sides.values():
        _register(world, side.name, elsewhere)
        _, other_record = _register(world, side.name, elsewhere, "another")
        _relate(world, side)
        _enrich(world, side, ward, other_record)
    for side in sides.values():
        side.ids |= _of_the_steward(world) if side.name == "P" else {}
    cookies = {actor: _sign_in(renhice, actor) for actor in DOCUMENTS if actor not in {"R", "another steward"}}
    CALLERS.update(_callers(world, stranger, sides["P"]))
    return People(world, sides, cookies, lambda: _undone(renhice))


def dni(who: str) -> Document:
    return Document(DocumentType.DNI, DOCUMENTS[who])


def _another(session: Session, renhice: Renhice) -> UUID:
    """A professional who has to do with neither side."""
    row = Professional(
        id=new_id(), document_token=secrets.token_bytes(16), sealed=b"-", college="CMP", number="012347",
        able_to_practise=True,
    )  # fmt: skip
    known = PersonalData("DNI", "41000003", "PER", "Ana", "professional C", "")
    row.sealed = renhice.sealer.seal(session, row.id, json.dumps(asdict(known)).encode(), PROFESSIONAL_CONTEXT)
    session.add(row)
    session.flush()
    return row.id


def _whose(side: Side) -> dict[str, Any]:
    return {
        "establishment_id": side.party.establishment_id, "professional_id": side.professional_id,
        "person_id": side.person_id, "client_id": side.party.client_id,
    }  # fmt: skip


def _enrich(world: World, side: Side, ward: UUID, other_record: UUID) -> None:
    """The rest of what a path can name."""
    whose = _whose(side)
    terms = Terms(
        person_id=side.person_id, establishment_id=side.party.establishment_id,
        categories=frozenset({"problems"}), purposes=frozenset({"COC"}), ends_at=now() + FUTURE,
    )  # fmt: skip
    nothing: Any = {"establishment_id": None, "purposes": None, "ends_at": None}
    limit = replace(terms, kind=Kind.OBJECTION, **nothing)
    held = (side.party, side.ids["record_id"])
    role = select(Affiliation.id).where(Affiliation.professional_id == side.professional_id)

    def act(session: Session) -> dict[str, Any]:
        objects.suspended(session, _colleague(session), side.ids["declared_id"]) if side.name == "P" else None
        return {
            **objects.rights(world, session, whose, terms, limit),
            **objects.roads(world, session, whose, dni(side.name)),
            **objects.systems(session, side.party, objects.document(world, session, *held)),
            "hidden_id": objects.hidden(world, session, side.person_id, objects.document(world, session, *held)),
            "practitioner_id": side.professional_id,
            "role_id": session.scalars(role).one(),
            "acting_id": objects.representation(world, session, dni(side.name), ward),
            "contest_id": objects.claim(session, side.person_id, other_record),
            "other_record_id": other_record,
            "suspended_id": _colleague(session),
        }

    side.ids |= world.transact(act)
    human = Identity(document=DOCUMENTS[side.name], name=side.name, acr=3, auth_time=now())
    worker = f"professional {side.party.client_id[-1].upper()}"
    staff = Identity(document=DOCUMENTS[worker], name=worker, acr=3, auth_time=now(), staff=True)
    mine, theirs = objects.account(world.renhice, human), objects.account(world.renhice, staff)
    side.ids |= {"session_id": mine["session_id"], "passkey_id": theirs["passkey_id"]}


def _colleague(session: Session) -> UUID:
    return session.scalars(select(Professional.id).where(Professional.number == "012347")).one()


def _of_the_steward(world: World) -> dict[str, Any]:
    def register(facts: Demographics, party: Party) -> tuple[UUID, UUID]:
        def act(session: Session) -> tuple[UUID, UUID]:
            place = get_establishment(session, party.establishment_id)
            content = Content(place.identifier_system, str(new_id()), facts)
            registration = Registration(establishment_id=place.id, client_id=party.client_id, content=content)
            made = register_source_record(session, engine_of(world.renhice), registration)
            return made.person_id, made.source_record_id

        return world.transact(act)

    handle = document_token(world.renhice.sealer, dni("another steward")).hex()
    return objects.stewards(world, register, Steward(handle=handle))


def _add_professionals(session: Session, renhice: Renhice, world: World, ids: dict[str, UUID]) -> None:
    session.add(
        Professional(
            id=ids["Q"], document_token=secrets.token_bytes(16), sealed=b"-", college="CMP", number="012346",
            able_to_practise=True,
        )
    )  # fmt: skip
    session.flush()
    _add_affiliation(session, ids["Q"], world.holding.establishment_id)
    for side, name in (("P", "professional A"), ("Q", "professional B")):
        row = session.get_one(Professional, ids[side])
        row.document_token = document_token(renhice.sealer, Document(DocumentType.DNI, DOCUMENTS[name]))
        known = PersonalData("DNI", DOCUMENTS[name], "PER", "Ana", name, "")
        row.sealed = renhice.sealer.seal(session, row.id, json.dumps(asdict(known)).encode(), PROFESSIONAL_CONTEXT)


def _register(world: World, who: str, party: Party, number: str = "HC") -> tuple[UUID, UUID]:
    paternal, maternal, given = NAMES[who]
    known = Demographics(
        documents=(Document(DocumentType.DNI, DOCUMENTS[who]),), paternal_surname=paternal, maternal_surname=maternal,
        given_names=given, sex="F", birth_date=BORN,
        phone="987654321" if party.client_id == "sihce-d" else None,
    )  # fmt: skip

    def act(session: Session) -> tuple[UUID, UUID]:
        place = get_establishment(session, party.establishment_id)
        content = Content(place.identifier_system, f"{number}-{who}", known)
        registration = Registration(establishment_id=place.id, client_id=party.client_id, content=content)
        made = register_source_record(session, engine_of(world.renhice), registration)
        return made.person_id, made.source_record_id

    return world.transact(act)


def _relate(world: World, side: Side) -> None:
    """One of each thing a path can name."""
    side.person_id, record_id = _register(world, side.name, side.party)
    whose = _whose(side)
    terms = Terms(
        person_id=side.person_id, establishment_id=side.party.establishment_id,
        categories=frozenset({"medications"}), purposes=frozenset({"TREAT"}), ends_at=now() + FUTURE,
    )  # fmt: skip
    asking = Asking(**whose, purpose="TREAT", categories=frozenset({"allergies"}))
    nothing: Any = {"establishment_id": None, "purposes": None, "ends_at": None}
    limit = replace(terms, kind=Kind.OBJECTION, **nothing | {"categories": frozenset({"immunizations"})})
    mother = Proposal(
        person_id=side.person_id, document=Document(DocumentType.DNI, "40718293"), name="Rosa", basis=Basis.POWER,
        powers=frozenset({Power.SEE}), paper=PAPER, until=now() + FUTURE,
    )  # fmt: skip

    here = str(side.party.establishment_id)
    recorder = Recorder(role="professional", detail={"establishment_id": here})

    def act(session: Session) -> dict[str, UUID]:
        proof = world.evidence(side.person_id)
        return {
            "request_id": request_access(session, asking).request.id,
            "consent_id": grant_consent(session, propose_consent(session, terms, proof.as_record()), proof).id,
            "limit_id": record_objection(session, limit, proof).id,
            "record_id": record_id,
            "representation_id": appoint(session, world.renhice.sealer, mother, recorder).id,
            "emergency_id": emergency.ask_emergency(session, emergency.Asking(**whose)).id,
            "declared_id": _declared(world, session, emergency.Asking(**whose)),
        }

    side.ids = world.transact(act) | {
        "export_id": _exported(world, side), "import_id": _imported(world, side),
    }  # fmt: skip


def _administrator(renhice: Renhice, party: Party) -> StaffRole:
    token = document_token(renhice.sealer, Document(DocumentType.DNI, DOCUMENTS["administrator A"]))
    return StaffRole(
        document_token=token, sealed=b"-", role="establishment-administrator", valid_until=now() + timedelta(days=9),
        establishment_id=party.establishment_id,
    )  # fmt: skip


def _imported(world: World, side: Side) -> UUID:
    """A file of patients that is on its way."""
    made = Import(
        id=new_id(), establishment_id=side.party.establishment_id, client_id=side.party.client_id, format="csv",
        size=9, sha256="0" * 64,
    )  # fmt: skip
    world.transact(lambda session: session.add(made))
    return made.id


def _exported(world: World, side: Side) -> UUID:
    """A finished export of the side's establishment, which lacks a record."""
    caller = Caller(
        client_id=side.party.client_id, establishment_id=side.party.establishment_id, scopes=frozenset(),
        token_id="-", audience="/fhir",
    )  # fmt: skip
    asked = world.transact(lambda session: ask(session, caller, Wanted(request="-")).id)
    write(world.renhice, asked)
    world.transact(
        lambda session: session.add(ExportFault(export_id=asked, record_id=new_id(), code="record-unreadable"))
    )
    return asked


def _declared(world: World, session: Session, asking: emergency.Asking) -> UUID:
    case = emergency.ask_emergency(session, asking)
    said = emergency.Declared(
        reason="unconscious", text="Llegó inconsciente tras un choque.", wording="Declaro", acr=3, auth_time=now()
    )
    emergency.declare_emergency(session, world.renhice.sealer, world.renhice.settings, case, said)
    emergency.end_emergency(session, case, "ended-by-professional")
    return case.id


def _sign_in(renhice: Renhice, actor: str) -> str:
    names = Names(*NAMES[actor]) if actor in NAMES else None
    who = Identity(
        document=DOCUMENTS[actor], name=actor, acr=3, auth_time=now(), state_names=names, staff=names is None
    )
    with renhice.database.unit_of_work() as session:
        return open_session(session, renhice.sealer, who, "Firefox/1", life_of(renhice.settings, staff=who.staff))


def _callers(world: World, stranger: Party, side: Side) -> dict[str, Caller]:
    """Record systems with every scope there is, one with none, the grant of A about P, and a steward at a workbench."""
    systems = {"system A": world.asking, "system B": world.holding, "system C": stranger}
    found = {
        name: Caller(
            client_id=party.client_id, establishment_id=party.establishment_id, scopes=frozenset(SYSTEM_SCOPES),
            token_id=str(new_id()), audience="",
        )
        for name, party in systems.items()
    }  # fmt: skip
    nothing, grant = frozenset[str](), _grant(world, side)
    handle = document_token(world.renhice.sealer, Document(DocumentType.DNI, DOCUMENTS["steward"])).hex()
    return found | {
        "no scope": replace(found["system A"], scopes=nothing),
        "grant A": replace(found["system A"], scopes=RECORD_SCOPES, grant_id=grant),
        "workbench": replace(found["system A"], scopes=frozenset(STAFF_SCOPES), staff=handle),
    }


def _grant(world: World, side: Side) -> UUID:
    def act(session: Session) -> UUID:
        grant = OAuthGrant(
            client_id=side.party.client_id, establishment_id=side.party.establishment_id, purpose="TREAT",
            person_id=side.person_id, consent_id=side.ids["consent_id"], scopes=sorted(RECORD_SCOPES),
            expires_at=now() + FUTURE,
        )  # fmt: skip
        session.add(grant)
        session.flush()
        return grant.id

    return world.transact(act)


@contextmanager
def _undone(renhice: Renhice) -> Iterator[None]:
    """What happens inside leaves no trace, whatever it commits."""
    database, sessions = renhice.database, renhice.database._sessions
    with database.engine.connect() as connection, pytest.MonkeyPatch.context() as patched:
        patched.setattr("consent_broker.oauth.routes.commit_each", lambda _session: None)  # it would last
        outer = connection.begin()
        database._sessions = sessionmaker(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
        try:
            yield
        finally:
            database._sessions = sessions
            outer.rollback()
