"""Commands about the access to RENIEC over PIDE."""

import click
from pydantic import SecretStr

from matching.records import Document, DocumentType
from registry.operating import command_parts
from registry.pide.credentials import change_password
from registry.pide.port import Status
from registry.pide.reniec import ReniecOverPide, make_identity_registry

MISSING = "No access to PIDE is configured: set RENHICE_PIDE_URL, _OFFICIAL_DNI, _ENTITY_RUC and _PASSWORD."


@click.group()
def pide() -> None:
    """The identity registry of the State (RENIEC over PIDE)."""


@pide.command()
@click.option("--dni", prompt="DNI (not shown)", hide_input=True, help="Asked for when left out.")
def check(dni: str) -> None:
    """Ask for one DNI and tell whether the service answers; no name is shown."""
    with command_parts() as parts:
        answer = make_identity_registry(parts.settings).lookup(Document(DocumentType.DNI, dni))
    click.echo(f"{answer.status}" + (f" ({answer.reason})" if answer.reason else ""))
    if answer.status is Status.UNVERIFIED:
        raise click.ClickException(MISSING if answer.reason == "not-configured" else "RENIEC gave no usable answer.")


@pide.command("change-password")
@click.password_option("--new", prompt="New password")
def change(new: str) -> None:
    """Change the official's password at PIDE; then set RENHICE_PIDE_PASSWORD and restart the processes."""
    with command_parts() as parts:
        registry = make_identity_registry(parts.settings)
        if not isinstance(registry, ReniecOverPide):
            raise click.ClickException(MISSING)
        change_password(registry.http, registry.account, SecretStr(new))
    click.echo("Changed. Set RENHICE_PIDE_PASSWORD to the new password and restart the processes.")
