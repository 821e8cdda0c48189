"""What the commands say while they work: a bar on a terminal, a line a stage elsewhere, always on standard error."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

Advance = Callable[[int], None]
BLANK = "   "
WIDTH_OF_A_FILE = 140


class Teller:
    """Tells stages and notices; says nothing when `quiet`, but for warnings."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.quiet = quiet

    @contextmanager
    def stage(self, doing: str, total: int | None = None) -> Iterator[Advance]:
        """One stage; yields what moves its bar on, in the units of `total`."""
        started = time.monotonic()
        columns = (TextColumn(BLANK + "{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        hidden = self.quiet or not self.console.is_terminal
        with Progress(*columns, console=self.console, transient=True, disable=hidden) as bar:
            task = bar.add_task(doing, total=total)
            yield lambda steps: bar.advance(task, steps)
        self.say(f"{doing}: {time.monotonic() - started:.1f} s")

    def say(self, text: str) -> None:
        """Something good to know."""
        if not self.quiet:
            self.console.print(f"[dim]·[/dim] {escape(text)}")

    def warn(self, text: str) -> None:
        """Something that may need doing; said even when quiet."""
        self.console.print(f"[yellow]![/yellow] {escape(text)}")

    def warn_skipped(self, skipped: Mapping[str, int]) -> None:
        """Blocks too large to compare, which blocking reports and never cuts."""
        for kind, count in sorted(skipped.items()):
            self.warn(f"{count:,} blocks of kind {kind} hold too many records to compare, and were left out")


def results() -> Console:
    """Where results go: standard output, in lines that don't fold when it is no terminal."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = WIDTH_OF_A_FILE
    return console
