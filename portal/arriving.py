"""The records of a person on a page, each establishment's when it answers, so that a slow one keeps no other waiting.

No script is needed: the page is one answer sent piece by piece, and each piece names the slot of a declarative shadow
root where it belongs. A browser that knows no such roots shows the pieces in the order they came, each with its title.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from flask import Response

from consent_broker.broker import current_broker
from consent_broker.consents.vocabulary import FHIR_TYPES
from consent_broker.exchange.arriving import Arrivals, Stopped
from consent_broker.exchange.service import ExchangeResult, Reading, Record, open_reading
from consent_broker.oauth.holder_tokens import Access
from portal import layout
from portal.guard import signed_in
from portal.reading import alert_lines, missing_lines, sections_of
from portal.session import lives
from registry.app import parts
from registry.database import session


def records_page(template: str, access: Access, categories: Sequence[str], **context: Any) -> Response:
    """A page with the records of those categories; raises what `open_reading` raises, and Unavailable."""
    broker = current_broker()
    reading = open_reading(session(), broker, access, [FHIR_TYPES[code] for code in categories])
    goes_on = partial(lives, session_id=signed_in().session_id)
    arrivals = Arrivals(parts().database, broker, reading, goes_on)
    try:
        response = layout.arriving(
            template,
            _pieces(arrivals, reading, categories),
            asked=[ticket.holder.name for ticket in reading.tickets],
            missing=missing_lines(reading.missing),
            read_categories=categories,
            **context,
        )
    except BaseException:
        arrivals.close()
        raise
    response.call_on_close(arrivals.close)
    return response


def _pieces(arrivals: Arrivals, reading: Reading, categories: Sequence[str]) -> Iterator[str]:
    """A piece for each establishment, then the last one."""
    waiting = {ticket.holder: position for position, ticket in enumerate(reading.tickets)}
    records = list[Record]()
    told = list[str]()
    stopped: Stopped | None = None
    try:
        for holder, result in arrivals:
            records.extend(result.records)
            alerts = [text for text in alert_lines(records) if text not in told]
            yield _piece(result, categories, holder.name, waiting.pop(holder), alerts, begins=not told)
            told.extend(alerts)
    except Stopped as reason:
        stopped = reason
    found = {one.resource_type for one in records}
    yield layout.render(
        "record_end.html",
        empty=[] if stopped else [code for code in categories if FHIR_TYPES[code] not in found],
        stopped=stopped,
        waiting=[(position, holder.name) for holder, position in waiting.items()],
    )


def _piece(
    result: ExchangeResult,
    categories: Sequence[str],
    holder: str,
    position: int,
    alerts: Sequence[str],
    *,
    begins: bool,
) -> str:
    return layout.render(
        "record_arrival.html",
        holder=holder,
        position=position,
        sections=sections_of(result.records, categories),
        missing=missing_lines(result.missing),
        alerts=alerts,
        begins=begins,
    )
