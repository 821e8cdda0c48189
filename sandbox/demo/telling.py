"""How the story is told: numbered steps, each HTTP call in one line, and what each step shows."""

import re
from collections.abc import Iterable

import click
import httpx

SECRETS = re.compile(r"\b(code|state|code_challenge|nonce|launch|iss|redirect_uri|client_id|request_uri)=[^&]*")
WIDTH = 150


class NotAsTold(Exception):
    """Something differs from the story; the message says what was expected and what was seen."""


class Teller:
    """Prints the story; `check` ends it at the first thing that is not as told."""

    def __init__(self) -> None:
        self._step = 0

    def step(self, title: str) -> None:
        """Begin a step."""
        self._step += 1
        click.echo()
        click.secho(f"{self._step:2}. {title}", bold=True)

    def shows(self, sentence: str) -> None:
        """Say in plain words what the calls above have shown."""
        click.secho(f"    → {sentence}", fg="green")

    def note(self, line: str) -> None:
        """Print a detail."""
        click.echo(f"      {line}")

    def heard(self, response: httpx.Response) -> None:
        """Print one call and its result; an httpx response hook."""
        request = response.request
        target = SECRETS.sub(r"\1=…", httpx.URL(request.url).copy_with(userinfo=b"").__str__())
        line = f"{request.method} {target}"
        line = line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
        click.echo(f"      {line}")
        click.secho(f"        {response.status_code} {response.reason_phrase}", dim=True)

    def check(self, condition: bool, expected: str, seen: object = "") -> None:
        """Raise NotAsTold unless the condition holds."""
        if not condition:
            raise NotAsTold(f"expected {expected}" + (f"; saw {str(seen)[:600]}" if seen else ""))

    def check_status(self, response: httpx.Response, *wanted: int) -> httpx.Response:
        """Check a response's status and return the response."""
        expected = f"{response.request.method} {response.request.url.path} to answer {_either(wanted)}"
        self.check(response.status_code in wanted, expected, f"{response.status_code} {response.text}")
        return response

    def check_words(self, text: str, words: Iterable[str], where: str) -> None:
        """Check that a page says each of the words."""
        missing = [word for word in words if word not in text]
        self.check(not missing, f"{where} to say {missing}", text)


def _either(statuses: Iterable[int]) -> str:
    return " or ".join(map(str, statuses))
