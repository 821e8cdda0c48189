"""The Celery application: each task is one unit of work with the log context of a request."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import Celery, Task

from registry import outbox
from registry.database import Database, session
from registry.settings import Settings
from registry.telemetry import bind_request, configure_logging

OUTBOX_SECONDS = 2
PURGE_EVERY = timedelta(hours=1)


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
        task_default_queue="renhice",
        task_time_limit=300,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": 600},
        timezone="UTC",
    )
    celery.task(name="relay-outbox", shared=False)(relay_outbox)
    celery.conf.beat_schedule = {
        "relay-outbox": {
            "task": "relay-outbox",
            "schedule": timedelta(seconds=OUTBOX_SECONDS),
            "options": {"expires": 10 * OUTBOX_SECONDS},
        }
    }
    schedule(celery, "purge-outbox", purge_outbox, PURGE_EVERY)
    configure_logging(settings.log_level)
    return celery


def schedule(celery: Celery, name: str, task: Callable[[], object], every: timedelta) -> None:
    """Register a periodic task under its kebab-case name."""
    celery.task(name=name, shared=False)(task)
    celery.conf.beat_schedule[name] = {
        "task": name,
        "schedule": every,
        "options": {"expires": every.total_seconds()},
    }


def relay_outbox() -> None:
    """Deliver what is due; asks again at once while batches come back full."""
    batch = 100
    while outbox.relay(session(), batch) == batch:
        session().commit()


def purge_outbox() -> None:
    """Delete what was delivered long enough ago, a transaction a batch."""
    batch = 1000
    while outbox.purge(session(), batch) == batch:
        session().commit()
