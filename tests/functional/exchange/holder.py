"""A holder's FHIR server behind the published guard, which can be told to misbehave."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from werkzeug.wrappers import Request, Response

from consent_broker.resource_server import Guard, GuardMiddleware
from tests.functional.oauth.world import World


def bundle(*resources: Any, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]} | more


def allergy(number: int = 1) -> dict[str, Any]:
    return {"resourceType": "AllergyIntolerance", "id": str(number), "code": {"text": "Penicilina"}}


def drip() -> Iterator[bytes]:
    for _ in range(600):
        yield b" "
        time.sleep(0.1)


class FhirServer:
    """Answers searches with what it holds, or with what a test wants it to say."""

    def __init__(self) -> None:
        self.answer: Callable[[Request], Response] = self.searchset
        self.requests: list[Request] = []
        self.guard: Any = None
        self.guarded: Any = None

    def protect(self, world: World, *, cache_seconds: float = 0) -> None:
        """Put the guard in front, with the record system's own credentials."""
        party = world.holding
        key = party.key.as_dict(private=True)
        guard = Guard(party.issuer, party.endpoint, party.client_id, key, cache_seconds=cache_seconds)
        self.guard = self.guarded = GuardMiddleware(self.respond, guard, prefix="/fhir", events_path="/events")

    def behave(self) -> None:
        self.answer, self.guarded = self.searchset, self.guard
        self.requests.clear()

    def go_careless(self) -> None:
        """Answer as the application does, with no guard to check or withhold anything."""
        self.guarded = self.respond

    def searchset(self, request: Request) -> Response:
        kind = request.path.rpartition("/")[2]
        held = bundle(allergy()) if kind == "AllergyIntolerance" else bundle()
        return Response(json.dumps(held), mimetype="application/fhir+json")

    def respond(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        self.requests.append(request)
        return self.answer(request)(environ, start_response)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        return self.guarded(environ, start_response)  # type: ignore[no-any-return]
