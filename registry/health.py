"""Liveness, readiness and metrics."""

from collections.abc import Mapping
from datetime import datetime

from flask import Blueprint, Response, jsonify
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from matching.key_scheme import key_scheme
from registry.app import parts
from registry.audit.chaining import end_of_chain, oldest_waiting
from registry.bulk.export.models import Export
from registry.bulk.models import Import
from registry.bulk.transfers import count_troubled
from registry.database import now, session
from registry.identity.candidates import scheme_in_force
from registry.outbox import backlog
from registry.telemetry import metrics_page
from registry.worker import count_waiting

blueprint = Blueprint("health", __name__)


@blueprint.get("/health/live")
def live() -> Response:
    """The process answers."""
    return jsonify(status="ok")


@blueprint.get("/health/ready")
def ready() -> tuple[Response, int]:
    """The database and the broker answer, and the index goes by this version's keys; 503 and which one when not."""
    checks = {"database": _database(), "broker": _broker(), "index": _index()}
    usable = all(checks.values())
    body = {
        "status": "ok" if usable else "unavailable",
        "checks": {k: "ok" if v else "down" for k, v in checks.items()},
    }
    return jsonify(body), 200 if usable else 503


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus exposition; no label names a person."""
    body, content_type = metrics_page([*_backlog(), _queues()])
    return Response(body, content_type=content_type)


def _backlog() -> list[Metric]:
    """How far the outbox and the audit are behind, and transfers in trouble; nothing while the database is silent."""
    count = GaugeMetricFamily("renhice_outbox_undelivered", "Outbox messages not delivered", labels=["state"])
    age = GaugeMetricFamily("renhice_outbox_oldest_seconds", "Age of the oldest of them", labels=["state"])
    try:
        with parts().database.unit_of_work() as session:
            found = backlog(session)
            last = end_of_chain(session)
            chain = _chain(last.head.number, oldest_waiting(session, last))
            troubled = {"import": count_troubled(session, Import), "export": count_troubled(session, Export)}
    except SQLAlchemyError:
        return []
    for state, waiting in found.items():
        count.add_metric([state], waiting.count)
        age.add_metric([state], (now() - waiting.oldest).total_seconds() if waiting.oldest else 0)
    return [count, age, _transfers(troubled), *chain]


def _chain(number: int, waiting: datetime | None) -> list[Metric]:
    seconds = max((now() - waiting).total_seconds(), 0) if waiting else 0
    return [
        GaugeMetricFamily("renhice_audit_segments", "Number of the audit's last segment", value=number),
        GaugeMetricFamily("renhice_audit_waiting_seconds", "Age of the oldest event newer than it", value=seconds),
    ]


def _queues() -> Metric:
    gauge = GaugeMetricFamily("renhice_tasks_waiting", "Tasks no worker has taken yet", labels=["queue"])
    for queue, number in count_waiting(parts().settings.broker_url).items():
        gauge.add_metric([queue], number)
    return gauge


def _transfers(troubled: Mapping[str, Mapping[str, int]]) -> Metric:
    gauge = GaugeMetricFamily("renhice_transfers", "Imports and exports in trouble", labels=["kind", "state"])
    for kind, states in troubled.items():
        for state, number in states.items():
            gauge.add_metric([kind, state], number)
    return gauge


def _database() -> bool:
    try:
        parts().database.ping()
    except SQLAlchemyError:
        return False
    return True


def _index() -> bool:
    try:
        return scheme_in_force(session()) == key_scheme()
    except SQLAlchemyError:
        return False


def _broker() -> bool:
    url = parts().settings.broker_url
    if not url.startswith("redis"):
        return True
    try:
        with Redis.from_url(url.replace("redis+socket://", "unix://"), socket_timeout=2) as client:
            return bool(client.ping())
    except RedisError:
        return False
