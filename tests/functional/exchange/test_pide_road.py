"""Public bodies are asked over PIDE, private ones directly; the guard behind it sees the same request either way."""

import json
from collections.abc import Iterator

import httpx
import pytest
from flask import Flask
from sqlalchemy import update
from werkzeug.wrappers import Request, Response

from registry.directory.models import Establishment
from registry.settings import Settings
from sandbox.pide import MAINTENANCE, Records
from tests.functional.exchange.conftest import free_port, served
from tests.functional.exchange.holder import FhirServer
from tests.functional.exchange.test_documents import PDF, index, retrieve
from tests.functional.exchange.test_gateway import grant, issues, read
from tests.functional.oauth.world import World

SERVICE = "IPRESS-00000002/HistoriaClinica"


class Platform:
    """PIDE: passes reads of one service on, and remembers what came by."""

    def __init__(self, port: int) -> None:
        self.url, self.passed, self.closed = f"http://127.0.0.1:{port}", list[str](), False
        self._port = port

    def serve(self, base: str) -> Iterator[None]:
        app, records = Flask("pide"), Records({SERVICE: base})

        def pass_on(entity: str, service: str, path: str) -> object:
            self.passed.append(f"{entity}/{service}/{path}")
            return MAINTENANCE if self.closed else records.read(entity, service, path)

        app.add_url_rule("/Rest/<entity>/<service>/<path:path>", view_func=pass_on)
        with served(app, self._port):
            yield


@pytest.fixture(scope="module")
def platform() -> Platform:
    return Platform(free_port())


@pytest.fixture(scope="module")
def settings(settings: Settings, platform: Platform) -> Settings:
    """The other modules' settings, with a platform."""
    return settings.model_copy(update={"pide_url": platform.url})


@pytest.fixture(scope="module", autouse=True)
def _platform(platform: Platform, world: World) -> Iterator[None]:
    yield from platform.serve(world.holding.endpoint)


def register(world: World, service: str | None) -> None:
    mine = update(Establishment).where(Establishment.id == world.holding.establishment_id)
    world.transact(lambda session: session.execute(mine.values(pide_service=service)))


@pytest.fixture(autouse=True)
def _public(world: World, platform: Platform) -> Iterator[None]:
    platform.passed.clear()
    platform.closed = False
    register(world, SERVICE)
    yield
    register(world, None)


def test_a_public_body_is_asked_over_pide_and_its_guard_is_content(
    world: World, platform: Platform, holder: FhirServer
) -> None:
    answer = read(world, grant(world))
    assert (answer.json["total"], issues(answer)) == (1, [])
    assert set(platform.passed) == {f"{SERVICE}/AllergyIntolerance"}
    assert answer.json["entry"][0]["resource"]["meta"]["source"].startswith(world.holding.endpoint)
    assert len(holder.requests) == 1


def test_a_private_body_is_asked_directly(world: World, platform: Platform, holder: FhirServer) -> None:
    register(world, None)
    assert read(world, grant(world)).json["total"] == 1
    assert (platform.passed, len(holder.requests)) == ([], 1)


def test_a_document_takes_the_same_road(world: World, platform: Platform, holder: FhirServer) -> None:
    holder.answer = lambda _request: Response(PDF)
    document = index(world)
    assert retrieve(world, grant(world), document).data == PDF
    assert {path.rpartition("/")[0] for path in platform.passed} == {f"{SERVICE}/Binary"}


def test_what_the_holder_restricts_or_refuses_comes_through(world: World, holder: FhirServer) -> None:
    holder.answer = lambda _request: Response(json.dumps({"resourceType": "OperationOutcome"}), 403)
    assert issues(read(world, grant(world))) == ["security"]


def test_a_platform_under_maintenance_is_no_answer(world: World, platform: Platform) -> None:
    platform.closed = True
    answer = read(world, grant(world))
    assert (issues(answer), answer.json["total"]) == (["structure"], 0)


def test_the_platform_can_not_use_what_passes_it(world: World, platform: Platform, holder: FhirServer) -> None:
    """Token and proof are for one request to the holder: the same again is refused."""
    kept: list[Request] = []
    holder.answer = lambda request: kept.append(request) or holder.searchset(request)  # type: ignore[func-returns-value]
    read(world, grant(world))
    headers = {name: kept[0].headers[name] for name in ("Authorization", "DPoP")}
    again = httpx.get(f"{platform.url}/Rest/{SERVICE}/AllergyIntolerance", params=dict(kept[0].args), headers=headers)
    assert (again.status_code, len(kept)) == (401, 1)
