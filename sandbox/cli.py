"""`renhice demo`."""

import click


@click.command()
def demo() -> None:
    """Tell the story."""
    raise click.ClickException("not yet")
