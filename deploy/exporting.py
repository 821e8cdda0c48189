"""`./renhice export FILE`: an establishment's own records and whom each is about, fetched to its own machine."""

import json
import time
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, Progress, TextColumn

from deploy.calling import Registry, calling, good

SCOPE = "system/Patient.rs"


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--url", required=True, help="The registry's base URL.")
@click.option("--client", "client_file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--since", help="Only what changed since a moment: the one the last export told.")
def export_file(file: Path, url: str, client_file: Path, since: str | None) -> None:
    """Fetch your own records with the person each is about, as NDJSON; tells the moment to ask from the next time.

    The client file holds the record system's `client_id` and `private_jwk`.
    """
    draft = file.with_name(f"{file.name}.part")
    with calling(url, client_file, SCOPE) as registry:
        where, manifest = _wait(registry, since)
        count = _fetch(registry, manifest, draft)
        damaged = [
            line for one in manifest["error"] for line in good(registry.call("GET", one["url"])).text.splitlines()
        ]
        good(registry.call("DELETE", where))
    draft.replace(file)
    click.echo(f"{count:,} records in {file}")
    click.echo(f"next time: --since {manifest['transactionTime']}")
    if damaged:
        said = [json.loads(line)["issue"][0]["details"]["text"] for line in damaged]
        raise click.ClickException("\n".join(["The file lacks some records.", *said]))


def _wait(registry: Registry, since: str | None) -> tuple[str, dict[str, Any]]:
    headers, query = {"Prefer": "respond-async", "Accept": "application/fhir+json"}, {"_since": since} if since else {}
    asked = good(registry.call("GET", f"{registry.base}/fhir/Patient/$export", params=query, headers=headers))
    where = asked.headers["Content-Location"]
    with Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %")) as progress:
        making = progress.add_task("Waiting", total=100)
        while (state := good(registry.call("GET", where))).status_code == 202:
            done = state.headers.get("X-Progress", "").partition(" %")[0]
            progress.update(making, completed=int(done) if done.isdecimal() else 0)
            time.sleep(int(state.headers.get("Retry-After", "5")))
        progress.update(making, completed=100)
    return where, state.json()


def _fetch(registry: Registry, manifest: dict[str, Any], draft: Path) -> int:
    """A file at a time; the count is checked, so that a stream that broke off is not taken for all of it."""
    count = 0
    with draft.open("wb") as target:
        for one in manifest["output"]:
            content = good(registry.call("GET", one["url"])).content
            if content.count(b"\n") != one["count"]:
                raise click.ClickException("A file came incomplete; run it again.")
            target.write(content)
            count += one["count"]
    return count
