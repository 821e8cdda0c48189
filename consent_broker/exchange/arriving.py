"""A reading as it arrives: each holder's answer when it comes, audited before it is released, while the access stands.

No transaction is open while holders are waited for. Each answer is recorded in one of its own, in which its token is
looked at anew: what was revoked meanwhile ends the reading, and what had not been released by then never is.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.exchange.gateway import Answer, ask_holders
from consent_broker.exchange.service import ExchangeResult, Reading, read_event, result_of
from consent_broker.oauth.holder_tokens import Holder, Ticket
from consent_broker.oauth.issued import find_issued
from consent_broker.oauth.standing import stands
from registry.audit.service import record
from registry.database import Database
from registry.telemetry import logger

_log = logger(__name__)
Arrival = tuple[Holder, ExchangeResult]


class Stopped(Exception):
    """Nothing more comes: the access was taken back or changed (`revoked`), or what comes can't be recorded."""

    def __init__(self, *, revoked: bool) -> None:
        super().__init__()
        self.revoked = revoked


class Arrivals:
    """The answers of a reading's holders, once; `close` whatever happens.

    Takes its place among the fetches of the process (Unavailable) when made, and gives it back when closed.
    """

    def __init__(self, database: Database, broker: Broker, reading: Reading) -> None:
        self._database, self._broker, self._reading = database, broker, reading
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
        revoked = False
        try:
            for ticket, answers in asking:
                revoked = not self._release(ticket, answers)
                if revoked:
                    raise Stopped(revoked=True)
                del unread[ticket.holder]
                yield ticket.holder, result_of(answers)
        except SQLAlchemyError:
            _log.exception("reading-not-recorded")
            raise Stopped(revoked=False) from None
        finally:
            asking.close()
            self._note_unread(list(unread.values()), revoked=revoked)

    def _release(self, ticket: Ticket, answers: Sequence[Answer]) -> bool:
        """Record what a holder gave; False, and nothing, where the token no longer stands."""
        with self._database.unit_of_work() as session:
            if not _stands(session, ticket):
                return False
            record(session, read_event(self._reading, ticket, answers))
        return True

    def _note_unread(self, tickets: Sequence[Ticket], *, revoked: bool) -> None:
        """Record the holders that may have been asked and whose answers nobody saw."""
        if not tickets:
            return
        try:
            with self._database.unit_of_work() as session:
                for ticket in tickets:
                    event = read_event(self._reading, ticket, ())
                    event = replace(event, outcome="failure", reason="interrupted")
                    record(session, replace(event, outcome="refused", reason="consent-revoked") if revoked else event)
        except SQLAlchemyError:
            _log.exception("reading-not-recorded")


def _stands(session: Session, ticket: Ticket) -> bool:
    issued = find_issued(session, ticket.token.id, ticket.holder.endpoint or "")
    return issued is not None and stands(session, issued)
