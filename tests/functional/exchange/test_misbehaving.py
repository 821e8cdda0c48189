"""Holders that fail, send what can't be read, or keep the gateway waiting."""

import gzip
import json
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import update
from werkzeug.wrappers import Request, Response

from registry.directory.models import Establishment
from tests.functional.exchange.holder import FhirServer, allergy, bundle, drip
from tests.functional.exchange.test_gateway import grant, issues, read
from tests.functional.oauth.world import World


def says(body: bytes | str, status: int = 200, **headers: str) -> Callable[[Request], Response]:
    return lambda _request: Response(body, status, headers)


BOMB = gzip.compress(b"[" + b" " * 30_000_000)


MISBEHAVIOUR: dict[str, tuple[Callable[[Request], Response], str]] = {
    "error": (says("oops", 500), "transient"),
    "refusal": (says("{}", 403), "security"),
    "not json": (says("<html>"), "structure"),
    "not a bundle": (says('{"resourceType":"Patient"}'), "structure"),
    "a list": (says("[]"), "structure"),
    "null": (says("null"), "structure"),
    "deep": (says("[" * 100_000), "structure"),
    "said twice": (says('{"resourceType":"Bundle","entry":[],"entry":[{"resource":{"id":"1"}}]}'), "structure"),
    "two thirds of a million values": (
        says(b'{"resourceType":"Bundle","entry":[' + b"[]," * 666_666 + b"[]]}"),
        "too-costly",
    ),
    "entries not a list": (says('{"resourceType":"Bundle","entry":{}}'), "structure"),
    "huge": (says(b"x" * 5_000_000), "too-costly"),
    "bomb": (says(BOMB, **{"Content-Encoding": "gzip"}), "structure"),
    "redirect": (says("", 302, Location="http://127.0.0.1:1/"), "transient"),
    "more pages": (says(json.dumps(bundle(link=[{"relation": "next", "url": "http://evil.example"}]))), "too-costly"),
}


UNSOUND = {
    "half a character": r'"code": {"text": "\ud800"}',
    "a control character": r'"code": {"text": "\u000b"}',
    "a number beyond all": '"code": 1e999',
    "no number": '"code": NaN',
    "nested too deep": '"code": ' + '{"text": ' * 700 + '""' + "}" * 700,
}


@pytest.mark.parametrize("name", UNSOUND)
def test_what_could_not_be_shown_takes_nothing_else_with_it(world: World, holder: FhirServer, name: str) -> None:
    holder.go_careless()
    bad = allergy(2) | {"code": "BAD"}
    holder.answer = says(json.dumps(bundle(allergy(1), bad)).replace('"code": "BAD"', UNSOUND[name]))
    answer = read(world, grant(world))
    read_ids = [one["resource"]["id"] for one in answer.json["entry"] if one["search"]["mode"] == "match"]
    assert (read_ids, issues(answer)) == (["1"], ["structure"])


@pytest.mark.parametrize("name", MISBEHAVIOUR)
def test_a_misbehaving_holder_is_named_and_harms_nobody(world: World, holder: FhirServer, name: str) -> None:
    holder.go_careless()
    holder.answer, code = MISBEHAVIOUR[name]
    answer = read(world, grant(world))
    assert answer.status_code == 200
    assert issues(answer) == [code]
    outcome = answer.json["entry"][-1]
    assert outcome["search"]["mode"] == "outcome"
    assert "Hospital 00000002" in outcome["resource"]["issue"][0]["details"]["text"]


def test_more_than_can_be_looked_through_is_not_shown_in_part(
    world: World, holder: FhirServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was left could name what is withheld of the rest."""
    monkeypatch.setattr("consent_broker.exchange.gateway.MAX_TOGETHER", 100)
    assert issues(read(world, grant(world))) == ["too-costly"]


def test_a_slow_drip_ends_at_the_deadline(world: World, holder: FhirServer) -> None:
    holder.answer = lambda _request: Response(drip())
    token, started = grant(world), time.monotonic()
    assert issues(read(world, token)) == ["timeout"]
    assert time.monotonic() - started < 30


def test_a_head_that_drips_ends_at_the_deadline(world: World, holder: FhirServer) -> None:
    def dripping(request: Request) -> Response:
        raw = request.environ["werkzeug.socket"]
        raw.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        with suppress(OSError):
            for byte in drip():
                raw.sendall(byte)
        raise ConnectionAbortedError

    holder.go_careless()
    holder.answer = dripping
    token, started = grant(world), time.monotonic()
    assert issues(read(world, token)) == ["timeout"]
    assert time.monotonic() - started < 30


def test_what_was_not_asked_for_is_dropped(world: World, holder: FhirServer) -> None:
    smuggled = bundle({"resourceType": "Observation", "id": "hiv"}, allergy(), "text", None, 5)
    holder.answer = says(json.dumps(smuggled))
    answer = read(world, grant(world))
    assert [entry["resource"]["resourceType"] for entry in answer.json["entry"]] == ["AllergyIntolerance"]


def test_a_holder_that_keeps_failing_is_left_alone(world: World, holder: FhirServer) -> None:
    holder.answer = says("", 500)
    token = grant(world)
    for _ in range(5):
        read(world, token)
    asked = len(holder.requests)
    assert issues(read(world, token)) == ["transient"]
    assert len(holder.requests) == asked


def test_a_holder_without_endpoint_is_named(world: World) -> None:
    mine = update(Establishment).where(Establishment.id == world.holding.establishment_id)
    world.transact(lambda session: session.execute(mine.values(fhir_endpoint=None)))
    try:
        assert issues(read(world, grant(world))) == ["not-supported"]
    finally:
        world.transact(lambda session: session.execute(mine.values(fhir_endpoint=world.holding.endpoint)))
