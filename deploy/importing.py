"""`./renhice import FILE`: an establishment's file of patients, sent and followed from its own machine."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

PART = 512 * 1024
PATIENCE = (1, 2, 4, 8, 16, 32, 64)
"""Seconds between tries while the registry can't be reached."""

SCOPE = "bulk-import"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Registry:
    """The registry as a record system calls it: tokens bound to a key of this process (RFC 9449), renewed in time."""

    def __init__(self, base: str, client_id: str, key: ECKey, http: httpx.Client) -> None:
        self.base, self._client_id, self._key, self._http = base, client_id, key, http
        self._own = ECKey.generate_key("P-256")
        self._nonce: str | None = None
        self._token, self._until = "", 0.0

    def call(self, method: str, url: str, **more: Any) -> httpx.Response:
        """A call with a token; network errors are tried again for two minutes."""
        for wait in (*PATIENCE, None):
            try:
                answer = self._proven(method, url, self._current(), **more)
                if answer.status_code < 500:
                    return answer
            except httpx.TransportError:
                if wait is None:
                    raise
            if wait is None:
                break
            time.sleep(wait)
        return answer

    def _current(self) -> str:
        if time.monotonic() > self._until:
            form = {"grant_type": "client_credentials", "scope": SCOPE, "client_id": self._client_id}
            form |= {"client_assertion_type": ASSERTION, "client_assertion": self._assertion()}
            answer = self._proven("POST", f"{self.base}/oauth/token", None, data=form)
            if answer.status_code != 200:
                raise click.ClickException(f"The registry gives no token: {_why(answer)}")
            self._token = answer.json()["access_token"]
            self._until = time.monotonic() + answer.json()["expires_in"] - 30
        return self._token

    def _assertion(self) -> str:
        moment = int(time.time())
        who = {"iss": self._client_id, "sub": self._client_id, "aud": self.base}
        claims = who | {"iat": moment, "exp": moment + 60, "jti": str(uuid.uuid4())}
        return jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key)

    def _proven(self, method: str, url: str, token: str | None, **more: Any) -> httpx.Response:
        """The call with a proof, and once more with the nonce the registry asks for."""
        headers = more.pop("headers", {})
        for _ in range(2):
            proof = {"DPoP": self._proof(method, url, token)} | ({"Authorization": f"DPoP {token}"} if token else {})
            answer = self._http.request(method, url, headers=headers | proof, **more)
            offered = answer.headers.get("DPoP-Nonce")
            asked = answer.status_code in {400, 401} and offered is not None and offered != self._nonce
            self._nonce = offered or self._nonce
            if not asked:
                break
            if "data" in more and "client_assertion" in more["data"]:
                more["data"] |= {"client_assertion": self._assertion()}
        return answer

    def _proof(self, method: str, url: str, token: str | None) -> str:
        claims = {"jti": str(uuid.uuid4()), "htm": method, "htu": url, "iat": int(time.time())}
        if token is not None:
            digest = hashlib.sha256(token.encode()).digest()
            claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if self._nonce is not None:
            claims["nonce"] = self._nonce
        header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": self._own.as_dict(private=False)}
        return jwt.encode(header, claims, self._own)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", required=True, help="The registry's base URL.")
@click.option("--client", "client_file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--refused", type=click.Path(path_type=Path), help="Where to write which lines were refused, and why.")
def import_file(file: Path, url: str, client_file: Path, refused: Path | None) -> None:
    """Send a file of patients (.ndjson or .csv) and wait until it is registered; run it again to go on with it.

    The client file holds the record system's `client_id` and `private_jwk`.
    """
    client_id, key = _read_client(client_file)
    with httpx.Client(timeout=60) as http:
        registry = Registry(url.rstrip("/"), client_id, key, http)
        try:
            manifest = _send(registry, file)
            lines = registry.call("GET", f"{manifest['request']}/refused").text if manifest["error"] else ""
        except httpx.TransportError as error:
            raise click.ClickException(f"The registry can't be reached ({type(error).__name__}); try again.") from None
    said = manifest["import"]
    if refused is not None:
        refused.write_text(lines)
    for name, count in sorted(said["counts"].items()):
        click.echo(f"{name:>10}  {count:,}")
    if said["status"] != "completed":
        raise click.ClickException(f"The import is {said['status']}: {said['error'] or 'called off'}.")
    if lines:
        raise click.ClickException("Some lines were refused." + ("" if refused else " See which with --refused PATH."))


def _send(registry: Registry, file: Path) -> dict[str, Any]:
    with file.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    form = "csv" if file.suffix.lower() == ".csv" else "ndjson"
    size = file.stat().st_size
    wanted = {"format": form, "size": size, "sha256": digest}
    answer = _good(registry.call("POST", f"{registry.base}/api/v1/imports", json=wanted))
    where = f"{registry.base}/api/v1/imports/{answer.json()['id']}"
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        sending = progress.add_task("Sending", total=size, completed=answer.json()["received"])
        for offset, part in _parts(file, answer.json()["received"]):
            headers = {"Upload-Offset": str(offset), "Content-Type": "application/octet-stream"}
            _good(registry.call("PATCH", where, content=part, headers=headers))
            progress.update(sending, completed=offset + len(part))
        registering = progress.add_task("Registering", total=100)
        while (state := _good(registry.call("GET", where))).status_code == 202:
            done = state.headers.get("X-Progress", "").partition(" %")[0]
            progress.update(registering, completed=int(done) if done.isdecimal() else 0)
            time.sleep(int(state.headers.get("Retry-After", "2")))
        progress.update(registering, completed=100)
    found: dict[str, Any] = state.json()
    return found


def _parts(file: Path, start: int) -> Iterator[tuple[int, bytes]]:
    with file.open("rb") as source:
        source.seek(start)
        while part := source.read(PART):
            yield source.tell() - len(part), part


def _read_client(path: Path) -> tuple[str, ECKey]:
    try:
        said = json.loads(path.read_text())
        return str(said["client_id"]), ECKey.import_key(said["private_jwk"])
    except (ValueError, KeyError, TypeError, JoseError, OSError):
        raise click.ClickException(f"{path} holds no client_id and private_jwk (an EC key).") from None


def _good(answer: httpx.Response) -> httpx.Response:
    if answer.status_code >= 400:
        raise click.ClickException(f"The registry answers {answer.status_code}: {_why(answer)}")
    return answer


def _why(answer: httpx.Response) -> str:
    try:
        said = answer.json()
    except ValueError:
        return "no more is known"
    parts = (said.get(name) for name in ("title", "detail", "hint", "error_description", "error"))
    return " ".join(str(part) for part in parts if part)
