"""Tokens and introspections a second of a running system, beside node-oidc-provider in the same run.

`./renhice up --detach`, then `python -m benchmarks.tokens.run [--count 2000] [--connections 8]`; Node.js for the peer.
What is measured of ours is the whole path: private_key_jwt and DPoP verified and used up, the grant's consents decided
anew, audit and token rows committed to PostgreSQL. The peer keeps everything in memory, and decides nothing.
"""

import argparse
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
from flask import Flask
from joserfc.jwk import ECKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.permitting import permit
from benchmarks.tokens.load import Outcome, drive
from benchmarks.tokens.signing import Signer
from consent_broker.broker import Broker
from consent_broker.consents.models import Consent
from consent_broker.consents.vocabulary import scope_of
from consent_broker.oauth.grants import Reader, decide_reading
from consent_broker.oauth.holder_tokens import find_holders, issue_ticket
from consent_broker.oauth.models import RefreshToken
from consent_broker.oauth.opaque import digest, new_secret
from deploy.layout import Layout
from deploy.vault import read_object
from registry.app import Renhice
from registry.directory.models import Affiliation, RecordSystem
from registry.identity.models import Membership, SourceRecord
from wsgi import create_app

CATEGORIES = frozenset({"allergies", "medications", "encounters"})
PEER = Path(__file__).parent / "peer"
PEER_PORT = 9117


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a grant of the running system needs to be used: a refresh token, a holder's token, and whose they are."""

    refresh_token: str
    holder_token: str
    asking: str
    holding: str


def prepare(app: Flask, summary: dict[str, Any], jkt: str) -> Prepared:
    """A grant as a patient would have given it, made through the product's own services."""
    parts: Renhice = app.extensions["renhice"]
    broker: Broker = app.extensions["consent-broker"]
    asking, holding = (summary["story"][role]["renipress"] for role in ("asking", "holding"))
    clients = {place["renipress"]: place["client"]["client_id"] for place in summary["establishments"]}
    with app.app_context(), parts.database.unit_of_work() as session:
        reader = _reader(session, clients[asking])
        person_id = _person(session, clients[holding])
        scopes = {*map(scope_of, CATEGORIES), "offline_access"}
        given = permit(session, reader, person_id, CATEGORIES, scopes)
        grant = given.grant
        secret = new_secret()
        session.add(
            RefreshToken(
                token_hash=digest(secret), grant_id=grant.id, client_id=grant.client_id, jkt=jkt,
                expires_at=grant.expires_at,
            )
        )  # fmt: skip
        decision = decide_reading(session, given.reader, person_id, CATEGORIES)
        holder = next(one for one in find_holders(session, person_id) if one.endpoint)
        ticket = issue_ticket(session, broker, given.access, decision, holder)
        held_by = _client_of(session, holder.establishment_id)
    return Prepared(secret, ticket.token.value, clients[asking], held_by)


def _reader(session: Session, client_id: str) -> Reader:
    system = session.scalars(select(RecordSystem).where(RecordSystem.client_id == client_id)).one()
    professional = session.scalars(
        select(Affiliation.professional_id).where(Affiliation.establishment_id == system.establishment_id)
    ).first()
    return Reader(
        establishment_id=system.establishment_id, professional_id=professional, purpose="TREAT", client_id=client_id
    )


def _person(session: Session, client_id: str) -> Any:
    holding = select(RecordSystem.establishment_id).where(RecordSystem.client_id == client_id).scalar_subquery()
    asked_before = select(Consent.id).where(Consent.person_id == Membership.person_id)
    query = (
        select(Membership.person_id)
        .join(SourceRecord, SourceRecord.id == Membership.source_record_id)
        .where(SourceRecord.establishment_id == holding, ~asked_before.exists())
    )
    return session.scalars(query.limit(1)).one()


def _client_of(session: Session, establishment_id: Any) -> str:
    query = select(RecordSystem.client_id).where(RecordSystem.establishment_id == establishment_id)
    return session.scalars(query).first() or ""


def web_processes(base: str) -> list[psutil.Process]:
    """gunicorn and its workers, of the system that is served there and of no other."""
    bound = {"wsgi:create_app()", urlsplit(base).netloc}
    found = [one for one in psutil.process_iter(["cmdline"]) if bound <= set(one.info["cmdline"] or [])]
    if not found:
        raise SystemExit("Nothing is running. Start it first: ./renhice up --detach")
    return found


def nonce_of(url: str, signer: Signer, form: dict[str, str]) -> str | None:
    """The nonce the server wants in proofs, learnt from a proof without one."""
    proof = {"DPoP": signer.proof(url, None)}
    nonce: str | None = httpx.post(url, data=signer.form(**form), headers=proof, timeout=10).headers.get("DPoP-Nonce")
    return nonce


@contextmanager
def peer(private_jwk: dict[str, Any], *, opaque: bool) -> Iterator[psutil.Process]:
    """The peer, installed and served."""
    if not (PEER / "node_modules").exists():
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=PEER, check=True)
    public = json.dumps(ECKey.import_key(private_jwk).as_dict(private=False))
    environment = os.environ | ({"OPAQUE": "1"} if opaque else {})
    command = ["node", "server.mjs", str(PEER_PORT), public, "https://holder.example/fhir"]
    with subprocess.Popen(
        command, cwd=PEER, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait(f"http://127.0.0.1:{PEER_PORT}/.well-known/openid-configuration")
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


def _wait(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            httpx.get(url, timeout=1).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{url} does not answer")


def main() -> None:
    """Measure ours, then the peer, and print both with their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    layout = Layout()
    for name, value in read_object(layout.environment).items():
        os.environ.setdefault(name, value)
    summary = read_object(layout.var / "sandbox.json")
    keys = {place["client"]["client_id"]: place["client"]["private_jwk"] for place in summary["establishments"]}
    base = summary["base_url"]
    signer = Signer("", {}, base)
    prepared = prepare(create_app(), summary, signer.possession.thumbprint())
    ours = Signer(prepared.asking, keys[prepared.asking], base, signer.possession)
    holder = Signer(prepared.holding, keys[prepared.holding], base)
    show_head()
    token_url, introspection_url = f"{base}/oauth/token", f"{base}/oauth/introspect"
    refresh = {"grant_type": "refresh_token", "refresh_token": prepared.refresh_token}
    nonce = nonce_of(token_url, ours, refresh)
    tokens = measure(
        "ours: refresh, consent decided, audited", token_url, options,
        [ours.request(token_url, nonce, refresh) for _ in range(options.count)], web_processes(base),
    )  # fmt: skip
    looked_up = [
        holder.request(introspection_url, None, {"token": prepared.holder_token}, proved=False)
        for _ in range(options.count)
    ]
    answers = measure(
        "ours: introspection, consent decided", introspection_url, options, looked_up, web_processes(base)
    )
    measure_peer(keys[prepared.asking], options, tokens, answers)


def measure_peer(key: dict[str, Any], options: argparse.Namespace, tokens: Outcome, answers: Outcome) -> None:
    """The peer's client credentials to a bound JWT, and its introspection of opaque tokens."""
    issuer = f"http://127.0.0.1:{PEER_PORT}"
    client = Signer("bench", key, issuer)
    form = {"grant_type": "client_credentials", "scope": "read"}
    with peer(key, opaque=False) as process:
        theirs = measure(
            "peer: client credentials, in memory", f"{issuer}/token", options,
            [client.request(f"{issuer}/token", None, form) for _ in range(options.count)], [process],
        )  # fmt: skip
    with peer(key, opaque=True) as process:
        opaque = httpx.post(
            f"{issuer}/token", data=client.form(**form), headers={"DPoP": client.proof(f"{issuer}/token", None)}
        ).json()["access_token"]
        looked_up = measure(
            "peer: introspection, opaque, in memory", f"{issuer}/token/introspection", options,
            [client.request(f"{issuer}/token/introspection", None, {"token": opaque}, proved=False)
             for _ in range(options.count)], [process],
        )  # fmt: skip
    print(
        f"\nprocessor time, ours / peer: token {tokens.cpu_ms / theirs.cpu_ms:.2f}, "
        f"introspection {answers.cpu_ms / looked_up.cpu_ms:.2f}"
    )


def show_head() -> None:
    """The head of the table."""
    print(f"load average {', '.join(f'{one:.1f}' for one in psutil.getloadavg())} on {psutil.cpu_count()} cores")
    print(f"{'what':<44}{'req/s':>8}{'p50 ms':>9}{'p99 ms':>9}{'app CPU ms':>12}  answers")


def measure(
    name: str, url: str, options: argparse.Namespace, requests: list[bytes], server: list[psutil.Process]
) -> Outcome:
    """Drive one load and print its row."""
    found = drive(url, requests, options.connections, server)
    row = f"{name:<44}{found.per_second:>8.0f}{found.median_ms:>9.1f}{found.p99_ms:>9.1f}{found.cpu_ms:>12.2f}"
    print(f"{row}  {found.statuses}", flush=True)
    return found


if __name__ == "__main__":
    main()
