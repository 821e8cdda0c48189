"""A served product, a real ID Perú, a holder of records, and the story's people at their browsers."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from matching.records import Demographics, Document, DocumentType
from registry.app import Renhice
from registry.directory.models import Establishment
from registry.directory.service import get_establishment
from registry.identity.service import Content, Registration, engine_of, register_source_record
from sandbox import story
from sandbox.clerks import Record
from sandbox.demo.browser import Browser, Page
from sandbox.files import read_json
from sandbox.layout import Layout
from sandbox.prepare import Plan, prepare

HOST = "127.0.0.1"


@dataclass
class Visitor:
    """A person at a browser; every response is kept for the tests that look at headers."""

    base_url: str
    sandbox: dict[str, Any]
    heard: list[httpx.Response] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.browser = Browser(self.heard.append)

    def open(self, path: str) -> Page:
        return self.browser.open(f"{self.base_url}{path}")

    def press(self, page: Page, action: str, button: str = "", **typed: str) -> Page:
        return self.browser.submit(page, page.form(action), button, **typed)

    def sign_in(self, path: str, person: Any) -> Page:
        """Open a page that leads to ID Perú and prove who it is, as strongly as asked."""
        page = self.open(path)
        found = next(p for p in self.sandbox["people"] if p["document"]["number"] == person.document.number)
        if page.has_form("/service/login"):
            typed = {"dni": found["document"]["number"], "password": found["password"]}
            page = self.press(page, "/service/login", **typed)
        if page.has_form("/service/factor"):
            page = self.press(page, "/service/factor", code=found["pin"] if "PIN" in page.text else found["otp"])
        return page

    @property
    def status(self) -> int:
        return self.heard[-1].status_code


@dataclass
class World:
    """Everything a test of the portal needs."""

    base_url: str
    renhice: Renhice
    sandbox: dict[str, Any]
    holder: "Holder"
    person_id: UUID

    def visitor(self) -> Visitor:
        return Visitor(self.base_url, self.sandbox)

    def place(self, renipress: str) -> Establishment:
        with self.renhice.database.unit_of_work() as session:
            return get_establishment(session, renipress)


@dataclass
class Holder:
    """An establishment's FHIR server that trusts everybody: the guard has tests of its own."""

    resources: list[dict[str, Any]]
    broken: bool = False
    asked: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    """The Authorization headers it was shown."""
    answering: threading.Event = field(default_factory=threading.Event)
    """Until it is set every other establishment keeps its askers waiting; they hold nothing."""

    def app(self) -> Flask:
        served = Flask("holder")
        self.answering.set()

        @served.get("/fhir/empty/<kind>")
        def search_elsewhere(kind: str) -> tuple[str, int]:
            self.answering.wait(20)
            return f"no {kind}", 404

        @served.get("/fhir/<kind>")
        def search(kind: str) -> Response | tuple[str, int]:
            self.asked.append(kind)
            self.shown.append(request.headers.get("Authorization", ""))
            if self.broken:
                return "mantenimiento", 503
            found = [{"resource": one} for one in self.resources if one["resourceType"] == kind]
            return jsonify(resourceType="Bundle", type="searchset", entry=found)

        return served


@contextmanager
def serve(application: Any, port: int = 0) -> Iterator[int]:
    """Serve an application on loopback in a thread."""
    server = make_server(HOST, port, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def state_services(var: Path) -> Iterator[None]:
    """ID Perú, RENIEC over PIDE and the operator of text messages, each as a process of its own."""
    programs = {one["name"]: one for one in read_json(Layout(var.resolve()).programs)}
    started = [programs[name] for name in ("idperu", "staff", "pide", "sms")]
    with ExitStack() as stack:
        for program in started:
            process = stack.enter_context(subprocess.Popen(program["argv"]))
            stack.callback(process.terminate)
        deadline = time.monotonic() + 90
        while not all(_listens(program["port"]) for program in started):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield


def prepare_sandbox(var: Path, base_url: str, port_base: int) -> tuple[dict[str, Any], dict[str, str], Path]:
    """The sandbox's files: its summary, settings for the product, and the directory file."""
    prepare(Plan(base_url, 10, port_base, var))
    layout = Layout(var.resolve())
    return read_json(layout.summary), read_json(layout.environment), layout.directory


def register(renhice: Renhice, record: Record, renipress: str) -> UUID:
    """What a record system would have fed; returns the person."""
    document = Document(DocumentType.DNI, record.document.number) if record.document else None
    demographics = Demographics(
        documents=(document,) if document else (),
        paternal_surname=record.paternal_surname,
        maternal_surname=record.maternal_surname,
        given_names=record.given_names,
        sex="F",
        birth_date=record.birth_date,
        phone=record.phone or None,
    )
    with renhice.database.unit_of_work() as session:
        place = get_establishment(session, renipress)
        content = Content(place.identifier_system, record.local_number, demographics)
        registration = Registration(establishment_id=place.id, client_id="sihce-test", content=content)
        return register_source_record(session, engine_of(renhice), registration).person_id


def holding_resources() -> list[dict[str, Any]]:
    """The clinical data only the holding establishment has."""
    return [dict(one, id=f"r{index}") for index, one in enumerate(story.holding_history())]


def sign_in_with(page: Any, world: World, path: str, person: Any) -> None:
    """Sign in with a real browser's page (playwright)."""
    found = next(p for p in world.sandbox["people"] if p["document"]["number"] == person.document.number)
    page.goto(world.base_url + path)
    page.fill("input[name=dni]", found["document"]["number"])
    page.fill("input[name=password]", found["password"])
    with page.expect_navigation():
        page.keyboard.press("Enter")
    if page.locator("input[name=code]").count():
        page.fill("input[name=code]", found["pin"] if "PIN" in page.inner_text("body") else found["otp"])
        with page.expect_navigation():
            page.keyboard.press("Enter")
    page.wait_for_url(f"{world.base_url}/**")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
