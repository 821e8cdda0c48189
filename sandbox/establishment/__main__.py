"""`python -m sandbox.establishment RENIPRESS`: runs one establishment."""

from pathlib import Path

import click

from sandbox.establishment.app import Configuration, create_app
from sandbox.serving import out_option, read_summary, serve


@click.command()
@click.argument("renipress")
@out_option
def main(renipress: str, out: Path) -> None:
    """Run one establishment's FHIR server and record system."""
    layout, summary = read_summary(out)
    known = next((e for e in summary["establishments"] if e["renipress"] == renipress), None)
    if known is None:
        raise click.BadParameter(f"no establishment {renipress} in {layout.summary}")
    app = create_app(
        Configuration(
            renipress=renipress,
            registry=summary["base_url"],
            fhir_endpoint=known["fhir_endpoint"],
            client_id=known["client"]["client_id"],
            private_jwk=known["client"]["private_jwk"],
            control_token=summary["control_token"],
            database=layout.database(renipress),
        )
    )
    app.extensions["sandbox"]["queue"].start()
    serve(app, known["port"])


if __name__ == "__main__":
    main()
