"""Keeping the facts current: identity's messages, and deriving all of them anew."""

from uuid import UUID

from sqlalchemy.orm import Session

from registry.app import Renhice
from registry.database import now
from registry.outbox import Payloads, subscriber
from registry.sealing import Sealer
from registry.statistics.facts import drop_stale, list_persons, refresh_facts

BATCH = 500
_sealers: list[Sealer] = []


def follow_identity(parts: Renhice) -> None:
    """Let this process's relay keep the facts current with these keys; the last call counts."""
    _sealers[:] = [parts.sealer]


@subscriber("identity:record:received")
@subscriber("identity:person:changed")
def update_facts(session: Session, payloads: Payloads) -> None:
    """Derive the facts of the persons the messages are about; LookupError where `follow_identity` was not called."""
    refresh_facts(session, _sealers[0], {UUID(payload["person_id"]) for payload in payloads})


def rebuild_facts(parts: Renhice, batch: int = BATCH) -> int:
    """Derive every fact anew, a transaction a batch, then drop those of persons that are no more; returns how many."""
    started, last, done = now(), None, 0
    while True:
        with parts.database.unit_of_work() as session:
            persons = list_persons(session, last, batch)
            if not persons:
                drop_stale(session, started)
                return done
            refresh_facts(session, parts.sealer, persons)
        last, done = persons[-1], done + len(persons)
