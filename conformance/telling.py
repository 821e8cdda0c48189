"""What a report says of itself, for a terminal: nothing in it can pass for what `verify` says."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape

from conformance.page import VERDICTS
from conformance.report import VERSION

MAX_SHOWN = 200


def tell(report: Mapping[str, Any]) -> str:
    """Whom a report is about, and its verdict; raises KeyError, TypeError for what is no report."""
    subject, verdict = report["subject"], str(report["verdict"])
    said = "  ".join(map(_one_line, (subject["client_id"], subject["fhir_base"], report["finished_at"])))
    return f"  {said}\n  {verdict}: {escape(VERDICTS[verdict])}"


def made_by_another(report: Mapping[str, Any]) -> str:
    """The version of the kit that made it, where that is not this one; raises KeyError, TypeError."""
    made = str(report["kit"]["version"])
    return "" if made == VERSION else _one_line(made)


def tell_signer(kid: str, *, known: bool) -> str:
    """Who signed it, as far as that is known."""
    if known:
        return f"[green]✓[/] signed by {_one_line(kid)}"
    return (
        f"[yellow]![/] whole, but signed by an unknown key ({_one_line(kid)}, which only the report itself names):\n"
        "  name the keys you trust with --key FILE, got from their owner and not with the report"
    )


def _one_line(said: object) -> str:
    return escape("".join(one if one.isprintable() else "?" for one in str(said)[:MAX_SHOWN]))
