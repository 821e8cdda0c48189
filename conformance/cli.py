"""`./renhice conformance`: tests a candidate and writes the signed report; `verify` checks one."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import httpx
from joserfc.jwk import KeySet
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from conformance.bench import Act, Plan
from conformance.lines import Result, Status
from conformance.page import VERDICTS, render
from conformance.registry.keys import read_public_keys
from conformance.report import MAX_BYTES, Report
from conformance.running import count_lines, new_state, playing, run
from conformance.signing import MAX_SIGNATURE, Untrusted, find_key, sign, verify, verify_whole
from conformance.telling import made_by_another, tell, tell_signer
from conformance.trust import trust

UNKNOWN_SIGNER = 3
EXITS = {"passed": 0, "failed": 1, "incomplete": 3}
MARKS = {
    Status.PASSED: "[green]✓[/]",
    Status.FAILED: "[red]✗[/]",
    Status.WARNING: "[yellow]![/]",
    Status.SKIPPED: "[dim]–[/]",
}
ACTS = {
    "register": "Registre ahora sus pacientes de prueba (dos o más) en el kit.",
    "correct": "Corrija ahora un dato de un paciente de prueba ya registrado, y deje que se envíe.",
    "resolve-duplicate": "Registre a un paciente de prueba bajo un segundo número, y resuelva el duplicado.",
}
console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())


class _Default(click.Group):
    """A group whose first word may be an address: then it is `run`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Let `conformance URL` mean `conformance run URL`."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["run", *args])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The same where an option comes first."""
        known = args and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if known or not args else ["run", *args])


class _Url(click.ParamType[str]):
    """An http or https address without a slash at its end."""

    name = "url"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).rstrip("/")
        parts = urlsplit(text)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            self.fail("write an address such as https://hce.example.pe/fhir", param, ctx)
        return text


class _Keys(click.ParamType[KeySet]):
    """A file with public keys."""

    name = "file"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> KeySet:
        if isinstance(value, KeySet):
            return value
        try:
            return read_public_keys(Path(str(value)).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.fail(f"{value} holds no JWK Set and no JWK", param, ctx)


class _Listen(click.ParamType[tuple[str, int]]):
    """HOST:PORT."""

    name = "host:port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            self.fail("write HOST:PORT, such as 127.0.0.1:8990", param, ctx)
        return host, int(port)


@click.group(cls=_Default)
def conformance() -> None:
    """Test a record system as the registry would use it, and write a signed report.

    \b
    ./renhice conformance URL --client-id ID --jwks FILE    test the FHIR server at URL and its feed
    ./renhice conformance verify REPORT                     check a report's signature
    """


@conformance.command("run")
@click.argument("url", type=_Url())
@click.option("--client-id", required=True, help="The candidate's OAuth client.")
@click.option("--jwks", type=_Keys(), required=True, help="Its public keys: a JWK Set or a JWK.")
@click.option(
    "--listen", type=_Listen(), default="127.0.0.1:8990", show_default=True, help="Where the kit plays the registry."
)
@click.option("--issuer", type=_Url(), help="The address by which the candidate reaches that, where it is another.")
@click.option(
    "--patient", "patients", multiple=True, help="A test patient's id, twice: tests the server without the feed."
)
@click.option(
    "--trigger", type=_Url(), help='An address of the candidate that does what a person would: POST {"act": …}.'
)
@click.option("--trigger-token", envvar="RENHICE_CONFORMANCE_TRIGGER_TOKEN", help="Bearer token for it.")
@click.option("--events", type=_Url(), help="Where the candidate takes security events (RFC 8935).")
@click.option("--ca", type=click.Path(exists=True, dir_okay=False), help="More certificate authorities (PEM).")
@click.option("--samples", type=click.IntRange(2, 10_000), default=40, show_default=True, help="Searches to time.")
@click.option(
    "--p95", type=click.IntRange(1), default=2000, show_default=True, help="Limit of the 95th percentile, in ms."
)
@click.option(
    "--wait",
    type=click.FloatRange(1),
    default=120,
    show_default=True,
    help="Seconds the candidate has for an act of the feed.",
)
@click.option(
    "--settle",
    type=click.FloatRange(0.1),
    default=3,
    show_default=True,
    help="Seconds without a call after which the test patients count as registered.",
)
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    default="conformance-key.jwk",
    show_default=True,
    help="The private P-256 key (JWK) that signs; made where there is none.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default="conformance-report", show_default=True
)
def run_session(**options: Any) -> None:
    """Test the record system whose FHIR base is URL; exit 0 passed, 1 failed, 3 incomplete."""
    plan = _plan(options)
    host, port = options["listen"]
    issuer = options["issuer"] or f"http://{host}:{port}"
    try:
        key = find_key(options["key"])
        trust(plan.ca)
        state = new_state(plan, issuer, options["client_id"], options["jwks"])
        with playing(state, host, port):
            _introduce(plan, issuer, options["client_id"])
            report = _follow(plan, lambda tell: run(plan, state, _act(options), tell))
        content = report.as_json({**key.as_dict(private=False), "kid": key.kid})
        _write(options["out"], content, sign(content, key))
    except (Untrusted, OSError) as error:
        raise click.ClickException(str(error)) from error
    _conclude(report, options["out"], str(key.kid))
    sys.exit(EXITS[report.verdict])


@conformance.command("verify")
@click.argument("report", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key",
    "keys",
    type=_Keys(),
    help="The public keys you trust. Whoever made a report can sign it with one of theirs.",
)
def verify_report(report: Path, keys: KeySet | None) -> None:
    """Check the signature beside REPORT (REPORT.jws), and the page (report.html) where it is there.

    Exit 0: signed by a key you trust; 3: whole, but signed by a key you did not name.
    """
    try:
        content = _read(report, MAX_BYTES)
        signature = _read(Path(f"{report}.jws"), MAX_SIGNATURE).decode("ascii", "replace")
        found = verify(content, signature, keys) if keys is not None else verify_whole(content, signature)
    except FileNotFoundError as error:
        raise click.ClickException(f"{error.filename} is missing: a report counts only with its signature") from error
    except (Untrusted, OSError) as error:
        raise click.ClickException(str(error)) from error
    page = report.with_suffix(".html")
    shown = page.read_text(encoding="utf-8", errors="replace") if page.exists() else None
    try:
        said = tell(found)
        other = made_by_another(found)
        is_its_page = shown is None or bool(other) or shown == render(content)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise click.ClickException("this is no report of the kit") from None
    if not is_its_page:
        raise click.ClickException(f"{page} is not the page of this report")
    if other:
        console.print(f"[yellow]![/] made by version {other} of the kit: its page can't be compared by this one")
    console.print(tell_signer(str(found["signer"].get("kid")), known=keys is not None))
    console.print(said)
    if keys is None:
        raise SystemExit(UNKNOWN_SIGNER)


def _plan(options: dict[str, Any]) -> Plan:
    if len(options["patients"]) not in {0, 2}:
        raise click.UsageError("Give --patient twice, or not at all: then the feed tells them.")
    return Plan(
        base=options["url"],
        events=options["events"],
        ca=options["ca"],
        patients=options["patients"],
        samples=options["samples"],
        p95_ms=options["p95"],
        wait=options["wait"],
        quiet=options["settle"],
    )


def _introduce(plan: Plan, issuer: str, client_id: str) -> None:
    console.print(f"El kit hace de registro en [bold]{issuer}[/]. Durante la prueba configure su sistema así:")
    console.print(f"  emisor y registro: {issuer}   cliente: {client_id}   audiencia (su dirección FHIR): {plan.base}")


def _act(options: dict[str, Any]) -> Act:
    """Ask the candidate's program where it has one to ask, else its people."""

    def act(name: str) -> None:
        if not options["trigger"]:
            console.print(f"[bold yellow]→ {ACTS[name]}[/] (hay {options['wait']:.0f} s)")
            return
        headers = {"Authorization": f"Bearer {options['trigger_token']}"} if options["trigger_token"] else {}
        try:
            answer = httpx.post(options["trigger"], json={"act": name}, headers=headers, timeout=options["wait"])
            if not answer.is_success:
                console.print(f"[yellow]  {name}: HTTP {answer.status_code}[/]")
        except httpx.HTTPError as error:
            console.print(f"[yellow]  {name}: {type(error).__name__}[/]")

    return act


def _follow(plan: Plan, session: Callable[[Callable[[Result], None]], Report]) -> Report:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("líneas", total=count_lines(plan))
        sections: list[str] = []

        def tell(result: Result) -> None:
            if result.section not in sections:
                sections.append(result.section)
                console.print(f"\n[bold]{escape(result.section)}[/]")
            line, finding = result.line, result.finding
            console.print(f"{MARKS[finding.status]} {line.id:24} {escape(line.asked)}")
            if finding.status is not Status.PASSED:
                console.print(
                    f"    [dim]se esperaba:[/] {escape(line.expected)}\n    [dim]se vio:[/] {escape(finding.seen)}"
                )
            if finding.status in {Status.FAILED, Status.WARNING}:
                console.print(f"    [dim]mejorar:[/] {escape(line.mend)}")
            bar.advance(task)

        return session(tell)


def _write(folder: Path, content: bytes, signature: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_bytes(content)
    (folder / "report.json.jws").write_text(signature, encoding="ascii")
    (folder / "report.html").write_text(render(content), encoding="utf-8")


def _conclude(report: Report, folder: Path, kid: str) -> None:
    colour = "green" if report.verdict == "passed" else "red"
    console.print(f"\n[bold {colour}]{VERDICTS[report.verdict]}[/]")
    console.print(f"{folder / 'report.html'}   firmado con {kid}")


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise Untrusted(f"{path} is too large")
    return content
