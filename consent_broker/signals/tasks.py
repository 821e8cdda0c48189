"""Periodic tasks of signals: push what is due, forget what arrived long ago."""

from datetime import timedelta

from consent_broker.broker import Broker
from consent_broker.signals.rfc8935_push import push_all
from consent_broker.signals.service import lend_due, purge, settle
from registry.database import session

DELIVER_EVERY = timedelta(seconds=2)
PURGE_EVERY = timedelta(hours=6)
BATCH = 100


def deliver_signals(broker: Broker) -> None:
    """Push what is due, batch after batch; no transaction is open while establishments are asked."""
    while parcels := lend_due(session(), BATCH):
        session().commit()
        for parcel, error in zip(parcels, push_all(broker, parcels), strict=True):
            settle(session(), parcel.signal_id, error)
        session().commit()


def purge_signals() -> None:
    """Once a run."""
    purge(session())
