"""A reading as it arrives: each holder's answer when it comes, audited before it is released, while the access stands.

No transaction is open while holders are waited for. Each answer is recorded in one of its own, in which its token is
looked at anew: what was revoked meanwhile ends the reading, and what had not been released by then never is. So does
the end of the reader's session.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from enum import StrEnum

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.exchange.gateway import Answer, ask_holders
from consent_broker.exchange.service import ExchangeResult, Reading, read_event, result_of
from consent_broker.oauth.holder_tokens import Holder, Ticket
from consent_broker.oauth.issued import find_issued
from consent_broker.oauth.standing import stands
from registry.audit.event import Outcome
from registry.audit.service import record_now
from registry.database import Database
from registry.telemetry import logger

_log = logger(__name__)
Arrival = tuple[Holder, ExchangeResult]


class Why(StrEnum):
    """Why nothing more comes, as the log says it of those whose answers nobody saw."""

    REVOKED = "consent-revoked"
    """The access was taken back, or changed."""
    SIGNED_OUT = "session-ended"
    INTERRUPTED = "interrupted"
    """What comes can't be recorded, or the reader left."""


class Stopped(Exception):
    """Nothing more comes."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class Arrivals:
    """The answers of a reading's holders, once, while `goes_on` says that the reader may read; `close` in any case.

    Takes its place among the fetches of the process (Unavailable) when made, and gives it back when closed.
    """

    def __init__(
        self, database: Database, broker: Broker, reading: Reading, goes_on: Callable[[Session], bool]
    ) -> None:
        self._database, self._broker, self._reading, self._goes_on = database, broker, reading, goes_on
        self._place = ExitStack()
        self._place.enter_context(broker.slots.hold(reading.access.client_id, reading.access.professional_id))
        self._arriving = self._arrive()

    def __iter__(self) -> Iterator[Arrival]:
        """Each holder with what it gave; raises Stopped."""
        return self._arriving

    def close(self) -> None:
        """Ask nobody any more and give the place back; doing it twice changes nothing."""
        self._arriving.close()
        self._place.close()

    def _arrive(self) -> Generator[Arrival]:
        unread = {ticket.holder: ticket for ticket in self._reading.tickets}
        asking = ask_holders(self._broker, self._reading.tickets)
        why = Why.INTERRUPTED
        try:
            for ticket, answers in asking:
                refused = self._release(ticket, answers)
                if refused:
                    why = refused
                    raise Stopped(why)
                del unread[ticket.holder]
                yield ticket.holder, result_of(answers)
        except SQLAlchemyError:
            _log.exception("reading-not-recorded")
            raise Stopped(why) from None
        finally:
            asking.close()
            self._note_unread(list(unread.values()), why)

    def _release(self, ticket: Ticket, answers: Sequence[Answer]) -> Why | None:
        """Record what a holder gave; why not, and nothing, where the token or the reader's session has ended."""
        with self._database.unit_of_work() as session:
            if not self._goes_on(session):
                return Why.SIGNED_OUT
            if not _stands(session, ticket):
                return Why.REVOKED
            record_now(session, read_event(self._reading, ticket, answers))
        return None

    def _note_unread(self, tickets: Sequence[Ticket], why: Why) -> None:
        """Record the holders that may have been asked and whose answers nobody saw."""
        if not tickets:
            return
        try:
            with self._database.unit_of_work() as session:
                outcome: Outcome = "failure" if why is Why.INTERRUPTED else "refused"
                unread = (read_event(self._reading, ticket, ()) for ticket in tickets)
                record_now(session, *(replace(event, outcome=outcome, reason=why.value) for event in unread))
        except SQLAlchemyError:
            _log.exception("reading-not-recorded")


def _stands(session: Session, ticket: Ticket) -> bool:
    issued = find_issued(session, ticket.token.id, ticket.holder.endpoint or "")
    return issued is not None and stands(session, issued)
