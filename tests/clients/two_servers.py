"""Two authorization servers one can talk to alike: ours in this process, and a peer in Node at the same paths."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import httpx
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from registry.database import Base, now, table_of
from tests.functional.oauth.proofs import Prover
from tests.functional.oauth.world import RECORDS, Party, World, answer_of, pkce

HERE = Path(__file__).parent
SCOPES = [*RECORDS, "offline_access"]


class Answer:
    """A response of the peer's as Flask's test client would give it."""

    def __init__(self, response: httpx.Response) -> None:
        self.status_code, self.headers, self.text = response.status_code, response.headers, response.text
        self.location = response.headers.get("location", "")
        self.mimetype = response.headers.get("content-type", "").partition(";")[0]

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    def get_data(self) -> bytes:
        return self.text.encode()


class Browser:
    """What of Flask's test client a `Party` uses, over HTTP."""

    def __init__(self, base_url: str, connections: httpx.BaseTransport) -> None:
        self._http = httpx.Client(base_url=base_url, transport=connections, timeout=10)

    def open(self, path: str, *, method: str, data: Any = None, query_string: Any = None, **kwargs: Any) -> Answer:
        body = {} if data is None else {"content": urlencode(data, doseq=True)}
        headers = dict(kwargs.get("headers") or {})
        if body:
            headers.setdefault("Content-Type", kwargs.get("content_type", "application/x-www-form-urlencoded"))
        url = f"{path}?{urlencode(query_string, doseq=True)}" if query_string else path
        return Answer(self._http.request(method, url, headers=headers, **body))  # type: ignore[arg-type]

    def get(self, path: str, **kwargs: Any) -> Answer:
        return self.open(path, method="GET", **kwargs)

    def post(self, path: str, **kwargs: Any) -> Answer:
        return self.open(path, method="POST", **kwargs)


@dataclass(frozen=True)
class Side:
    """One of the two servers, with two clients of it."""

    party: Party
    other: Party
    world: World
    connections: httpx.BaseTransport | None = None
    """Those to the peer; None for ours."""

    def _browser(self) -> Browser:
        assert self.connections is not None
        return Browser(self.party.issuer, self.connections)

    def asked(self, **changes: Any) -> dict[str, Any]:
        return self.world.asked(self.party, **changes)

    def push(self, **changes: Any) -> TestResponse:
        return self.party.post("/oauth/par", self.asked(**changes))

    def pushed(self, **changes: Any) -> str:
        answer = self.push(**changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json["request_uri"])

    def open(self, party: Party | None = None, **query: Any) -> TestResponse:
        """A browser of its own arrives at the authorization endpoint."""
        http: Any = self._browser() if self.connections else self.world.app.test_client()
        query = {"client_id": (party or self.party).client_id} | query
        given = {name: value for name, value in query.items() if value is not None}
        return cast("TestResponse", http.get("/oauth/authorize", query_string=given))

    def consent(self, request_uri: str) -> str:
        """The address the browser is sent back to, once somebody consented."""
        if self.connections is None:
            page = self.open(request_uri=request_uri)
            return self.world.accept(page.location.rpartition("/")[2])
        http, url = self._browser(), f"/oauth/authorize?client_id={self.party.client_id}"
        answer = http.get(f"{url}&{urlencode({'request_uri': request_uri})}")
        while not answer.location.startswith(self.party.redirect_uri):
            assert answer.status_code in {302, 303}, answer.text
            answer = http.get(urlsplit(answer.location).path)
        return str(answer.location)

    @contextmanager
    def after(self, model: type[Base], column: str, seconds: int) -> Iterator[None]:
        """When what was made last is over: of ours it is said to be, the peer's clock is set forward."""
        if self.connections:
            self._browser().get(f"/later/{seconds}")
            yield
            self._browser().get("/later/0")
            return
        table = table_of(model)
        over = table.c[column] == select(func.max(table.c[column])).scalar_subquery()
        self.world.transact(lambda session: session.execute(update(table).where(over).values({column: now()})))
        yield

    def code(self, **changes: Any) -> tuple[str, str]:
        verifier, challenge = pkce()
        back = self.consent(self.pushed(code_challenge=challenge, **changes))
        return answer_of(back)["code"], verifier


def ours(world: World) -> Side:
    return Side(world.asking, world.holding, world)


@contextmanager
def peer(node: str, world: World) -> Iterator[Side]:
    """The peer, with clients that have our clients' keys."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    issuer = f"http://127.0.0.1:{port}"
    connections = httpx.HTTPTransport()
    http = cast("FlaskClient", Browser(issuer, connections))
    parties = [replace(one, http=http, issuer=issuer, prover=Prover()) for one in (world.asking, world.holding)]
    clients = [
        {
            "client_id": one.client_id,
            "redirect_uris": [one.redirect_uri],
            "jwks": {"keys": [one.key.as_dict(private=False)]},
        }
        for one in parties
    ]
    told = json.dumps({"port": port, "scopes": SCOPES, "clients": clients})
    with (
        connections,
        subprocess.Popen(
            [node, str(HERE / "peer.mjs")],
            env={"PEER": told, "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield Side(*parties, world, connections)
        finally:
            process.terminate()
