"""Arguments and options that several commands share."""

import os
from collections.abc import Callable
from pathlib import Path

import click

from matching.model import MODELS, Model, ModelError

Command = Callable[..., None]


class ModelChoice(click.ParamType[Model]):
    """A model file, or the name of a model that comes with the engine."""

    name = "model"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Model:
        """The loaded model; what is wrong with it ends the command."""
        if isinstance(value, Model):
            return value
        try:
            return Model.shipped(str(value)) if value in shipped_models() else Model.load(str(value))
        except ModelError as error:
            self.fail(f"{error}; models that come with the engine: {', '.join(shipped_models())}", param, ctx)


def shipped_models() -> list[str]:
    """Names of the models that come with the engine."""
    return sorted(Path(file.name).stem for file in MODELS.iterdir() if file.name.endswith(".json"))


model_option = click.option(
    "--model",
    type=ModelChoice(),
    default="peru-1",
    show_default=True,
    help="A model file, or the name of one that comes with the engine (see: match models).",
)
population_option = click.option(
    "--population",
    type=click.FloatRange(min=2),
    help="How many people the records may be about.  [default: as the model's training found, or 2 for 3 records]",
)
skip_option = click.option(
    "--skip-bad-rows", is_flag=True, help="Go on without rows that can't be read, and name them."
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Say nothing but warnings and errors.")
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=lambda: os.cpu_count() or 1,
    help="Processes that read large files.  [default: one a processor]",
)
out_option = click.option(
    "--out", required=True, type=click.Path(dir_okay=False, allow_dash=True), help="The result; - is standard output."
)


def reading_options(*, required: bool = True) -> Callable[[Command], Command]:
    """What every command that reads records takes."""
    path = click.Path(exists=True, dir_okay=False, allow_dash=True)
    argument = click.argument("records", nargs=-1, required=required, type=path)

    def decorate(command: Command) -> Command:
        for option in (quiet_option, jobs_option, skip_option, population_option, model_option, argument):
            command = option(command)
        return command

    return decorate
