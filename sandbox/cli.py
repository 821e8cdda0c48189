"""The command that tells the story, mounted by `renhice` as `demo`."""

from pathlib import Path

import click
import httpx

from sandbox.demo.browser import NoSuchForm
from sandbox.demo.tale import Tale
from sandbox.demo.telling import NotAsTold, Teller
from sandbox.files import read_json
from sandbox.layout import DEFAULT_VAR, Layout

out_option = click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=DEFAULT_VAR)


@click.command()
@out_option
def demo(out: Path) -> None:
    """Tell the story of the main job on the running system; exit non-zero at the first thing not as told."""
    try:
        summary = read_json(Layout(out).summary)
        Tale(summary, Teller()).tell()
    except FileNotFoundError:
        raise click.ClickException("There is no sandbox here: start one with ./renhice up --detach") from None
    except (NotAsTold, NoSuchForm) as error:
        raise click.ClickException(f"Not as told: {error}") from None
    except (LookupError, ValueError, StopIteration) as error:
        raise click.ClickException(f"Not as told: an answer has another shape ({error!r})") from None
    except httpx.TransportError as error:
        raise click.ClickException(f"The system does not answer ({error}): ./renhice status says what runs") from None
    click.secho("\nAll as told.", bold=True)
