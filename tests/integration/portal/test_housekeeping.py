"""A session that is over goes, with the key of the name sealed in it; one that lives, or just ended, stays."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.models import PortalSession
from portal.session import KEPT_AFTER_END, Identity, Life, find_session, life_of, open_session, purge_sessions
from portal.tasks import purge_ended_sessions
from registry.app import Renhice
from registry.database import now
from registry.sealing import DataKey

Change = Callable[[PortalSession], None]
USUAL = Life(timedelta(hours=8), timedelta(minutes=30))
OVER = KEPT_AFTER_END + timedelta(seconds=1)


def signed_in(session: Session, renhice: Renhice, life: Life = USUAL) -> tuple[PortalSession, str]:
    identity = Identity(document="40718293", name="ROSA", acr=2, auth_time=now())
    secret = open_session(session, renhice.sealer, identity, "Firefox/1", life)
    session.flush()
    row = session.scalars(select(PortalSession).order_by(PortalSession.id.desc()).limit(1)).one()
    return row, secret


@pytest.mark.parametrize(
    "change",
    [
        lambda row: setattr(row, "ended_at", now() - OVER),
        lambda row: setattr(row, "expires_at", now() - OVER),
        lambda row: setattr(row, "last_seen_at", now() - OVER - USUAL.idle),
    ],
    ids=["signed out", "expired", "idle"],
)
def test_what_is_over_goes_with_its_key(session: Session, renhice: Renhice, change: Change) -> None:
    (over, _), (living, secret) = signed_in(session, renhice), signed_in(session, renhice)
    change(over)
    session.flush()
    assert purge_sessions(session) == 1
    kept = set(session.scalars(select(DataKey.owner_id).where(DataKey.owner_id.in_([over.id, living.id]))))
    assert kept == {living.id}
    assert find_session(session, renhice.sealer, secret)


def test_one_that_ended_a_moment_ago_stays_for_the_requests_under_way(session: Session, renhice: Renhice) -> None:
    row, _ = signed_in(session, renhice)
    row.last_seen_at = now() - USUAL.idle - timedelta(seconds=1)
    session.flush()
    assert purge_sessions(session) == 0


@pytest.mark.parametrize(("staff", "hours", "idle"), [(True, 2, 10), (False, 1, 5)], ids=["staff", "patient"])
def test_patients_and_staff_have_sessions_of_their_own_life(
    session: Session, renhice: Renhice, staff: bool, hours: int, idle: int
) -> None:
    said = {"staff_session_hours": 2, "staff_idle_minutes": 10, "session_hours": 1, "session_idle_minutes": 5}
    row, secret = signed_in(session, renhice, life_of(renhice.settings.model_copy(update=said), staff=staff))
    assert abs(row.expires_at - now() - timedelta(hours=hours)) < timedelta(seconds=5)
    for ago, lives in ((timedelta(minutes=idle, seconds=-2), True), (timedelta(minutes=idle), False)):
        row.last_seen_at = now() - ago
        session.flush()
        assert (find_session(session, renhice.sealer, secret) is not None) == lives
        row.last_seen_at = now()


def test_the_portal_keeps_house_on_its_own(renhice: Renhice) -> None:
    with renhice.database.unit_of_work() as session:
        row, secret = signed_in(session, renhice)
        row.expires_at = now() - OVER
    with renhice.database.unit_of_work():
        purge_ended_sessions()
    with renhice.database.unit_of_work() as session:
        assert session.get(PortalSession, row.id) is None
        assert session.get(DataKey, row.id) is None
        assert find_session(session, renhice.sealer, secret) is None
    assert "purge-portal-sessions" in renhice.celery.conf.beat_schedule
