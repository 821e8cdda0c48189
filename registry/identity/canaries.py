"""Canaries: document numbers that belong to nobody. Whoever searches for one is trying out numbers."""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy.orm import Session

from matching.records import Document, DocumentType
from registry.audit.event import Event
from registry.audit.service import record
from registry.identity.budgets import Searcher
from registry.settings import Settings
from registry.telemetry import SEARCHES

SEARCHED = "identity:canary:searched"


def watch(session: Session, settings: Settings, searcher: Searcher, sought: Collection[Document], who: Event) -> None:
    """Put on record, and count for the alert, that a canary was searched for; the searcher is told nothing of it.

    Commits, so that the alarm stands whatever becomes of the search.
    """
    numbers = {document.number for document in sought if document.type is DocumentType.DNI}
    if numbers & settings.canaries:
        record(session, replace(who, action=SEARCHED, outcome="success", reason=None))
        session.commit()
        SEARCHES.labels(searcher.kind, "canary").inc()
