"""Prepares a sandbox: its people, records, keys, and the files others read. Doing it again changes nothing."""

import csv
import sys
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from sandbox import story
from sandbox.archive import keep_records
from sandbox.certificates import Certificates
from sandbox.citizens import Citizens
from sandbox.clerks import Record
from sandbox.clinical import TYPES, keep_history
from sandbox.establishment.store import Store
from sandbox.files import find_json, private_file, read_json, write_json
from sandbox.keys import load_keys, public
from sandbox.layout import ENTITY_RUC, HOST, OFFICIAL_DNI, Layout, Ports
from sandbox.patient import to_patient
from sandbox.places import ESTABLISHMENTS, Establishment
from sandbox.population import Population
from sandbox.sign_ins import dni_of, sign_ins, the_story

Json = dict[str, Any]
SEED = 2026
SCOPES = (
    "system/Patient.cu",
    "system/Patient.rs",
    "system/Consent.cu",
    "system/Consent.rs",
    "system/DocumentReference.cu",
    "system/DocumentReference.rs",
    "system/List.rs",
    "system/Provenance.rs",
    "system/AuditEvent.rs",
    "system/Subscription.cruds",
    "system/Organization.rs",
    "system/Location.rs",
    "system/Endpoint.rs",
    "system/Practitioner.rs",
    "system/PractitionerRole.rs",
    "bulk-import",
    "access-request",
    "representation",
    "emergency",
    "launch",
    "offline_access",
    *(f"patient/{kind}.rs" for kind in TYPES),
)
PORTAL_CLIENT = "renhice-portal"
BATCH = 2000  # records in memory at once


@dataclass(frozen=True, slots=True)
class Plan:
    """What to prepare: where the registry is, how many people, which ports, into which directory."""

    base_url: str
    population: int
    port_base: int
    out: Path

    @property
    def layout(self) -> Layout:
        """Return the files' places; absolute, since processes start elsewhere."""
        return Layout(self.out.resolve())

    @property
    def ports(self) -> Ports:
        """Return the processes' ports."""
        return Ports(self.port_base)

    def address(self, port: int) -> str:
        """Return the base URL of a process of the sandbox."""
        return f"http://{HOST}:{port}"

    def place(self, place: Establishment) -> str:
        """Return an establishment's base URL."""
        return self.address(self.ports.establishment(place.renipress))


def prepare(plan: Plan) -> None:
    """Write everything; keys, credentials and what establishments have already sent are kept."""
    layout = plan.layout
    layout.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys, certificates = load_keys(layout), Certificates(layout)
    population = find_json(layout.population) or {}
    if population.get("size") != plan.population or population.get("seed") != SEED:
        population = {"seed": SEED, "size": plan.population, "people": _populate(plan)}
        write_json(layout.population, population)
    write_json(layout.directory, _directory(plan, keys, certificates))
    write_json(layout.environment, _environment(plan, keys))
    write_json(layout.programs, _programs(plan))
    write_json(layout.summary, _summary(plan, keys, certificates, population["people"]))


def _populate(plan: Plan) -> list[Json]:
    """Invent everybody and their records; return the sign-ins to show."""
    people = Population(SEED).people(plan.population)
    citizens = Citizens(plan.layout.citizens)
    citizens.enrol([*people, *story.PEOPLE])
    records = chain([story.asking_record(), story.holding_record()], keep_records(people, SEED))
    with private_file(plan.layout.truth) as truth:
        writer = csv.writer(truth)
        writer.writerow(("person", "renipress", "local_number", "slips"))
        while batch := list(islice(records, BATCH)):
            _fill_establishments(plan.layout, batch)
            writer.writerows((r.person, r.renipress, r.local_number, " ".join(r.slips)) for r in batch)
    return sign_ins(people, citizens)


def _fill_establishments(layout: Layout, records: Iterable[Record]) -> None:
    """Give each establishment its patients; the story's first one arrives during the story."""
    entries: dict[str, list[tuple[Json, str, list[Json]]]] = defaultdict(list)
    for record in records:
        if (record.renipress, record.local_number) != (story.ASKING.renipress, story.ASKING_NUMBER):
            entries[record.renipress].append((to_patient(record), record.local_number, _history(record)))
    for place in ESTABLISHMENTS:
        with closing(Store(layout.database(place.renipress))) as store:
            store.add(entries[place.renipress])
            if place.renipress == story.HOLDING.renipress:
                store.keep(story.holding_document())


def _history(record: Record) -> list[Json]:
    return story.holding_history() if record.person == story.PATIENT.id else list(keep_history(record, SEED))


def _directory(plan: Plan, keys: Json, certificates: Certificates) -> Json:
    physicians = [worker for worker in story.WORKERS if worker.renipress]
    staff = [(worker, role) for worker in story.WORKERS for role in worker.roles if role != "professional"]
    return {
        "establishments": [_establishment(plan, place) for place in ESTABLISHMENTS],
        "record_systems": [_record_system(plan, place, keys, certificates) for place in ESTABLISHMENTS],
        "professionals": [_professional(worker) for worker in physicians],
        "staff": [_staff(worker, role) for worker, role in staff],
    }


def _staff(worker: story.Worker, role: str) -> Json:
    place = {"establishment": worker.administers} if worker.administers else {}
    return {"document": dni_of(worker.person), "role": role, "until": "2036-12-31", **place}


def _establishment(plan: Plan, place: Establishment) -> Json:
    return {
        "renipress": place.renipress,
        "name": place.name,
        "category": place.category,
        "sector": place.sector,
        "region": place.region,
        "ubigeo": place.ubigeo,
        "fhir_endpoint": f"{plan.place(place)}/fhir",
        "pide_service": place.pide_service,
        "event_endpoint": f"{plan.place(place)}/events",
        "identifier_system": place.identifier_system,
        "hl7_namespace": place.hl7_namespace,
        "active": True,
    }


def _record_system(plan: Plan, place: Establishment, keys: Json, certificates: Certificates) -> Json:
    return {
        "client_id": place.client_id,
        "name": f"SIHCE {place.name}",
        "version": "1.0",
        "establishment": place.renipress,
        "authority": "Minsa - OGTI (entorno de prueba)",
        "accredited_from": "2025-01-01",
        "accredited_until": "2036-12-31",
        "jwks": {"keys": [public(keys["clients"][place.client_id])]},
        "redirect_uris": [f"{plan.place(place)}/sihce/callback"],
        "scopes": list(SCOPES),
        "certificates": [{"sha256": certificates.clients[place.client_id].sha256, **place.hl7_names}],
    }


def _professional(worker: story.Worker) -> Json:
    person = worker.person
    return {
        "document": dni_of(person),
        "names": person.given_names,
        "paternal_surname": person.paternal_surname,
        "maternal_surname": person.maternal_surname,
        "college": "CMP",
        "number": worker.college_number,
        "able_to_practise": True,
        "affiliations": [
            {"establishment": worker.renipress, "role": "medico", "from": "2025-01-01", "until": "2036-12-31"}
        ],
    }


def _environment(plan: Plan, keys: Json) -> Json:
    return {
        "RENHICE_OIDC_ISSUER": plan.address(plan.ports.idperu),
        "RENHICE_OIDC_CLIENT_ID": PORTAL_CLIENT,
        "RENHICE_OIDC_CLIENT_SECRET": keys["portal_secret"],
        "RENHICE_STAFF_OIDC_ISSUER": plan.address(plan.ports.staff),
        "RENHICE_STAFF_OIDC_CLIENT_ID": PORTAL_CLIENT,
        "RENHICE_STAFF_OIDC_CLIENT_SECRET": keys["staff_secret"],
        "RENHICE_PIDE_URL": plan.address(plan.ports.pide),
        "RENHICE_PIDE_OFFICIAL_DNI": OFFICIAL_DNI,
        "RENHICE_PIDE_ENTITY_RUC": ENTITY_RUC,
        "RENHICE_PIDE_PASSWORD": read_json(plan.layout.pide_password)["password"],
        "RENHICE_SMS_URL": plan.address(plan.ports.sms),
        "RENHICE_SMS_TOKEN": keys["sms_token"],
        "RENHICE_MLLP_PORT": str(plan.ports.mllp),
        "RENHICE_MLLP_CERTIFICATE": str(plan.layout.tls / "server.pem"),
        "RENHICE_MLLP_KEY": str(plan.layout.tls / "server.key"),
        "RENHICE_MLLP_CLIENT_CA": str(plan.layout.tls / "clients.pem"),
    }


def _programs(plan: Plan) -> list[Json]:
    def program(name: str, port: int, module: str, *arguments: str) -> Json:
        argv = [sys.executable, "-m", module, *arguments, "--out", str(plan.layout.var)]
        return {"name": name, "argv": argv, "port": port}

    return [
        program("idperu", plan.ports.idperu, "sandbox.idperu"),
        program("pide", plan.ports.pide, "sandbox.pide"),
        program("sms", plan.ports.sms, "sandbox.sms"),
        program("staff", plan.ports.staff, "sandbox.idperu", "staff"),
        *(
            program(
                f"establishment-{place.renipress}",
                plan.ports.establishment(place.renipress),
                "sandbox.establishment",
                place.renipress,
            )
            for place in ESTABLISHMENTS
        ),
    ]


def _summary(plan: Plan, keys: Json, certificates: Certificates, people: list[Json]) -> Json:
    return {
        "base_url": plan.base_url,
        "issuer": plan.base_url,
        "population": plan.population,
        "id_peru": {
            "issuer": plan.address(plan.ports.idperu),
            "port": plan.ports.idperu,
            "client_id": PORTAL_CLIENT,
            "redirect_uris": [f"{plan.base_url}/ingresar/retorno"],
            "logout_uri": f"{plan.base_url}/ingresar/salida",
        },
        "staff_provider": {
            "issuer": plan.address(plan.ports.staff),
            "port": plan.ports.staff,
            "client_id": PORTAL_CLIENT,
            "redirect_uris": [f"{plan.base_url}/ingresar/retorno/personal"],
            "logout_uri": f"{plan.base_url}/ingresar/salida/personal",
        },
        "pide": {"url": plan.address(plan.ports.pide), "port": plan.ports.pide},
        "sms": {"url": plan.address(plan.ports.sms), "port": plan.ports.sms},
        "hl7v2": {"host": HOST, "port": plan.ports.mllp},
        "control_token": keys["control_token"],
        "establishments": [_establishment_summary(plan, place, keys, certificates) for place in ESTABLISHMENTS],
        "people": people,
        "story": the_story(),
    }


def _establishment_summary(plan: Plan, place: Establishment, keys: Json, certificates: Certificates) -> Json:
    return _establishment(plan, place) | {
        "base_url": plan.place(place),
        "port": plan.ports.establishment(place.renipress),
        "client": {
            "client_id": place.client_id,
            "private_jwk": keys["clients"][place.client_id],
            "redirect_uris": [f"{plan.place(place)}/sihce/callback"],
            "scopes": list(SCOPES),
        },
        "hl7v2": {**place.hl7_names, **certificates.files(place.client_id)},
    }
