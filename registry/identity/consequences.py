"""The port through which a preview learns what a merge would do to consents, which are a room above."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from flask import Flask, current_app
from sqlalchemy.orm import Session

EXTENSION = "identity-consequences"


class ConsentEffects(Protocol):
    """Filled in by the consent broker."""

    def __call__(self, session: Session, survivor: UUID | None, replaced: UUID | None) -> Sequence[object]:
        """The directives that would change if `replaced` were merged into `survivor`; none where nobody is replaced."""


def install_consequences(app: Flask, effects: ConsentEffects) -> None:
    """Let the application being made foretell consents."""
    app.extensions[EXTENSION] = effects


def consent_effects() -> ConsentEffects:
    """The port of the application being served."""
    found: ConsentEffects = current_app.extensions[EXTENSION]
    return found
