"""The Celery application: each task is one unit of work with the log context of a request."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from celery import Celery, Task
from celery.signals import setup_logging
from redis import Redis
from redis.exceptions import RedisError

from registry import outbox
from registry.database import Database, session
from registry.settings import Settings
from registry.telemetry import bind_request, configure_logging

OUTBOX_EVERY = timedelta(seconds=2)
OUTBOX_SECONDS = 1
"""How long a run delivers: half of its time, so that the others in its queue begin before they are asked for again."""

RELAYED_AT_ONCE = 200
"""A fraction of a second's, so that what is urgent goes soon even if it comes while others are being delivered."""

ORDINARY, BULK = "renhice", "bulk"
"""The queues: what takes turns of a minute has one of its own, and workers of its own, so that nobody waits for it.

A worker that is told no queue serves both.
"""

MOST_WAITING = 300
"""Tasks that wait in a queue when nobody serves it: of files seven minutes' worth, which no turn takes."""

BULK_WAITS = timedelta(minutes=3)
"""How long a turn that nobody began stays asked for: longer than any turn, so that imports and exports alternate."""


def make_celery(settings: Settings, database: Database) -> Celery:
    """A Celery app whose tasks run inside a unit of work of `database`; results are not kept."""

    class UnitOfWorkTask(Task):  # type: ignore[misc]  # Celery ships no types
        """Commit on success, roll back and re-raise on error; the next beat runs a periodic task again."""

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            bind_request(self.request.id or "eager")
            with database.unit_of_work():
                return self.run(*args, **kwargs)

    celery = Celery("renhice", broker=settings.broker_url, task_cls=UnitOfWorkTask)
    celery.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_queues={name: {"exchange": name, "routing_key": name} for name in (ORDINARY, BULK)},
        task_default_queue=ORDINARY,
        task_time_limit=300,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,  # our log is written to standard error: sent round to the log it said nothing
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": 600},
        timezone="UTC",
        beat_schedule={},
    )
    schedule(celery, "relay-outbox", relay_outbox, OUTBOX_EVERY)
    configure_logging(settings.log_level)
    return celery


@setup_logging.connect  # type: ignore[untyped-decorator]  # Celery ships no types
def keep_our_log(**_given: object) -> None:
    """Celery leaves the log alone where somebody listens, and else raises its level to its own: ours said nothing."""


def schedule(celery: Celery, name: str, task: Callable[[], object], every: timedelta, *, in_bulk: bool = False) -> None:
    """Register a periodic task under its kebab-case name; `in_bulk` where its turns are long."""
    celery.task(name=name, shared=False)(task)
    waits = BULK_WAITS if in_bulk else every
    celery.conf.beat_schedule[name] = {
        "task": name,
        "schedule": every,
        "options": {"expires": waits.total_seconds(), "queue": BULK if in_bulk else ORDINARY},
    }


def count_waiting(broker_url: str) -> dict[str, int]:
    """How many tasks wait in each queue; nothing of a broker that does not answer, or is no Redis."""
    if not broker_url.startswith("redis"):
        return {}
    try:
        with Redis.from_url(broker_url.replace("redis+socket://", "unix://"), socket_timeout=2) as client:
            return {name: int(cast("int", client.llen(name))) for name in (ORDINARY, BULK)}
    except (RedisError, ValueError):
        return {}


def relay_outbox() -> None:
    """Deliver what is due, set after set, for a while: others wait behind it."""
    deadline = time.monotonic() + OUTBOX_SECONDS
    while outbox.relay(session(), RELAYED_AT_ONCE) and time.monotonic() < deadline:
        session().commit()
