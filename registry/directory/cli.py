"""Commands that administer the directory; every change is audited with the operator's account."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO, get_args
from uuid import UUID

import click
from pydantic import TypeAdapter, ValidationError

from matching.records import Document
from registry.database import now
from registry.directory import administration, certificates
from registry.directory.administration import Desk, Keys
from registry.directory.conformance import MAX_REPORT, MAX_SIGNATURE, SignedReport, latest_reports
from registry.directory.loading import KINDS, MAX_BYTES, Report, load, parse
from registry.directory.options import document_option, establishment_option, until_option
from registry.directory.schemas import OF_A_PLACE, Address, CertificateItem, Role
from registry.directory.service import get_establishment, list_establishments, list_record_systems
from registry.operating import command_parts, operator

SHOWN_FAULTS = 50
ROLES = click.Choice(get_args(Role))


class _Address(click.ParamType[str]):
    """An https address (http on loopback)."""

    name = "address"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            address: str = TypeAdapter(Address).validate_python(value)
        except ValidationError as error:
            self.fail(error.errors()[0]["msg"].removeprefix("Value error, "), param, ctx)
        return address


@click.group()
def directory() -> None:
    """Establishments, record systems, professionals and staff roles."""


@directory.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--skip-invalid", is_flag=True, help="Import what holds and leave out what does not.")
def import_file(file: Path, *, skip_invalid: bool) -> None:
    """Bring a directory file (JSON) into the registry; the same file twice changes nothing.

    Unless --skip-invalid is given, one fault anywhere leaves the directory as it was.
    """
    with _desk() as desk:
        entries, faults = parse(_content(file))
        report = load(desk, entries)
        report.faults[:0] = faults
        _show_faults(report.faults)
        if report.faults and not skip_invalid:
            raise click.ClickException("Nothing was changed. Mend the file, or leave the faults out: --skip-invalid")
    _show_counts(report)
    if report.faults:
        raise click.ClickException(f"{len(report.faults)} faults were left out; the rest was imported.")


@directory.command("list")
def list_all() -> None:
    """Show establishments and record systems, and whether each may be served now."""
    moment = now()
    with _desk() as desk:
        for place in list_establishments(desk.session):
            state = "active" if place.active else "inactive"
            click.echo(f"{place.renipress}  {state:10} {place.category:6} {place.name}")
        reports = latest_reports(desk.session)
        for system in list_record_systems(desk.session):
            state = system.unusable(moment) or "usable"
            until = system.accredited_until.date().isoformat()
            report = reports.get(system.id)
            tested = f"report of {report.finished_at.date().isoformat()}" if report else "no report"
            click.echo(
                f"{system.client_id}  {state}  until {until}  {system.establishment.renipress}  {tested}  {system.name}"
            )


@directory.command()
@click.argument("client_id")
@click.option("--reason", required=True, help="Why; kept in the audit.")
def suspend(client_id: str, reason: str) -> None:
    """Stop serving a record system at once."""
    with _desk() as desk:
        administration.suspend(desk, client_id, reason)
    click.echo(f"{client_id} is suspended. Serve it again with: directory reinstate {client_id} --reason …")


@directory.command()
@click.argument("client_id")
@click.option("--reason", required=True, help="Why; kept in the audit.")
def reinstate(client_id: str, reason: str) -> None:
    """Lift a suspension."""
    with _desk() as desk:
        system = administration.reinstate(desk, client_id, reason)
        click.echo(f"{client_id} is no longer suspended; now: {system.unusable(now()) or 'usable'}.")


@directory.command()
@click.argument("client_id")
@until_option
@click.option("--authority", help="Who accredits, when it changes.")
@click.option(
    "--report",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A conformance report (report.json, its signature beside it) the accreditation rests on.",
)
@click.option("--signed-by", type=click.File(), help="Whose signature on the report counts (a JWK Set).")
def accredit(
    client_id: str, until: datetime, authority: str | None, report: Path | None, signed_by: TextIO | None
) -> None:
    """Renew the accreditation of a record system."""
    signed = _signed(report, signed_by)
    with _desk() as desk:
        system = administration.accredit(desk, client_id, until, authority, signed)
        click.echo(f"{client_id} is accredited until {until.isoformat()}; now: {system.unusable(now()) or 'usable'}.")


@directory.command("register-keys")
@click.argument("client_id")
@click.option("--jwks", type=click.File(), help="A file with its public keys (a JWK Set).")
@click.option("--jwks-uri", type=_Address(), help="Where it publishes them, over https.")
@click.option("--profile", type=click.Choice(["fapi2", "smart"]), help="fapi2 for a record system, smart for an app.")
def register_keys(client_id: str, jwks: TextIO | None, jwks_uri: str | None, profile: str | None) -> None:
    """Give a record system or app other keys: a file, or the address where it publishes them."""
    keys = Keys(jwks=_read_json(jwks) if jwks else None, jwks_uri=jwks_uri, profile=profile)
    with _desk() as desk:
        system = administration.register_keys(desk, client_id, keys)
        click.echo(f"{client_id} signs as a {system.profile} client, with {system.jwks_uri or 'the keys registered'}.")


@directory.command("register-certificate")
@click.argument("client_id")
@click.option("--certificate", type=click.File("rb"), required=True, help="The TLS client certificate (PEM or DER).")
@click.option("--application", required=True, help="What its messages say in MSH-3.")
@click.option("--facility", required=True, help="What its messages say in MSH-4.")
def register_certificate(client_id: str, certificate: BinaryIO, application: str, facility: str) -> None:
    """Let a record system come to the HL7 v2 port with this certificate, beside those it has."""
    with _desk() as desk:
        sha256 = certificates.fingerprint(certificate.read(MAX_BYTES)).hex()
        try:
            item = CertificateItem(sha256=sha256, application=application, facility=facility)
        except ValidationError:
            raise click.ClickException("MSH-3 and MSH-4 are letters, digits, spaces, points and dashes.") from None
        certificates.register_certificate(desk, client_id, item)
    click.echo(f"{client_id} is known by the certificate {sha256} as {application}|{facility}.")


@directory.command("end-certificate")
@click.argument("sha256")
@click.option("--reason", required=True, help="Why; kept in the audit.")
def end_certificate(sha256: str, reason: str) -> None:
    """Stop knowing a record system by a certificate, at once."""
    with _desk() as desk:
        ended = certificates.end_certificate(desk, sha256, reason)
        click.echo(f"{ended.record_system.client_id} is no longer known by {sha256}.")


@directory.command("grant-role")
@click.argument("role", type=ROLES)
@document_option
@until_option
@establishment_option
def grant_role(role: str, document: Document, until: datetime, establishment: str | None) -> None:
    """Give a person a staff role until a date."""
    with _desk() as desk:
        changed = administration.grant_role(desk, document, role, until, _place(desk, role, establishment))
    click.echo(f"The role {role} is held until {until.isoformat()}." + ("" if changed else " It stood so already."))


@directory.command("end-role")
@click.argument("role", type=ROLES)
@document_option
@click.option("--reason", required=True, help="Why; kept in the audit.")
@establishment_option
def end_role(role: str, document: Document, reason: str, establishment: str | None) -> None:
    """End a person's staff role now."""
    with _desk() as desk:
        administration.end_role(desk, document, role, reason, _place(desk, role, establishment))
    click.echo(f"The role {role} has ended.")


def _place(desk: Desk, role: str, renipress: str | None) -> UUID | None:
    """The establishment that goes with the role; raises UsageError where one is missing or is too much."""
    if (role == OF_A_PLACE) != (renipress is not None):
        raise click.UsageError(f"--establishment goes with the role {OF_A_PLACE}, and with no other.")
    return get_establishment(desk.session, renipress).id if renipress else None


@contextmanager
def _desk() -> Iterator[Desk]:
    """A unit of work with the operator's account."""
    with command_parts() as parts, parts.database.unit_of_work() as session:
        yield Desk(session, parts.sealer, operator())


def _signed(report: Path | None, signed_by: TextIO | None) -> SignedReport | None:
    if report is None:
        return None
    if signed_by is None:
        raise click.UsageError("Say whose signature counts: --signed-by FILE, your evaluators' public keys.")
    try:
        with report.open("rb") as stream, Path(f"{report}.jws").open("rb") as beside:
            content, signature = stream.read(MAX_REPORT + 1), beside.read(MAX_SIGNATURE + 1)
    except OSError:
        raise click.ClickException(f"The signature {report}.jws can't be read.") from None
    return SignedReport(content, signature.decode("ascii", "replace"), _read_json(signed_by))


def _read_json(file: TextIO) -> Any:
    try:
        return json.loads(file.read(MAX_BYTES))
    except (ValueError, RecursionError):
        raise click.ClickException("The file is not JSON in UTF-8.") from None


def _content(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _show_faults(faults: list[str]) -> None:
    for fault in faults[:SHOWN_FAULTS]:
        click.echo(fault, err=True)
    if len(faults) > SHOWN_FAULTS:
        click.echo(f"… and {len(faults) - SHOWN_FAULTS} more", err=True)


def _show_counts(report: Report) -> None:
    for kind in KINDS:
        counts = {outcome: number for (of, outcome), number in report.counts.items() if of == kind}
        if counts:
            click.echo(f"{kind}: " + ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items())))
