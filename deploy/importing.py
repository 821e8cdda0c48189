"""`./renhice import FILE`: an establishment's file of patients, sent and followed from its own machine."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from deploy.calling import Registry, calling, good

PART = 512 * 1024
SCOPE = "bulk-import"


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", required=True, help="The registry's base URL.")
@click.option("--client", "client_file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--refused", type=click.Path(path_type=Path), help="Where to write which lines were refused, and why.")
def import_file(file: Path, url: str, client_file: Path, refused: Path | None) -> None:
    """Send a file of patients (.ndjson or .csv) and wait until it is registered; run it again to go on with it.

    The client file holds the record system's `client_id` and `private_jwk`.
    """
    with calling(url, client_file, SCOPE) as registry:
        manifest = _send(registry, file)
        lines = registry.call("GET", f"{manifest['request']}/refused").text if manifest["error"] else ""
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
    answer = good(registry.call("POST", f"{registry.base}/api/v1/imports", json=wanted))
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
            good(registry.call("PATCH", where, content=part, headers=headers))
            progress.update(sending, completed=offset + len(part))
        registering = progress.add_task("Registering", total=100)
        while (state := good(registry.call("GET", where))).status_code == 202:
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
