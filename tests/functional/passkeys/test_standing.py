"""Passkeys of staff rest on a standing: who loses it loses them, with the sessions, at once and for good."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from werkzeug.wrappers import Response as Answer

from matching.records import Document, DocumentType
from portal.entering import enter
from portal.leaving import send_away_whoever_left
from portal.models import Passkey, PortalSession
from portal.session import Identity
from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.database import now
from registry.directory.administration import Desk, end_role, grant_role
from registry.directory.documents import document_token
from registry.directory.entries import put_professional
from registry.directory.models import Professional, StaffRole
from registry.directory.schemas import ProfessionalItem
from registry.outbox import relay
from tests.functional.passkeys.authenticator import Authenticator
from tests.functional.passkeys.world import ANALYST, HOST, ORIGIN, PAGE, Person, row_of

LEAVING = Identity(document="40718295", name="X", acr=3, auth_time=now(), staff=True)
DNI = Document(DocumentType.DNI, LEAVING.document)
LATER = now().replace(year=2099)
Change = Callable[[Desk], object]


def practising(able: bool) -> ProfessionalItem:
    return ProfessionalItem.model_validate({
        "college": "CMP", "number": "077001", "document": {"type": "DNI", "number": LEAVING.document},
        "able_to_practise": able, "names": "X", "paternal_surname": "Y", "affiliations": [],
    })  # fmt: skip


@pytest.fixture
def change(renhice: Renhice) -> Iterator[Callable[[Change], None]]:
    """Change the directory as an operator does, and tell who listens; afterwards the one who leaves has left."""

    def act(change: Change) -> None:
        with renhice.database.unit_of_work() as work:
            change(Desk(work, renhice.sealer, "tests"))
        with renhice.database.unit_of_work() as work:
            while relay(work):
                pass

    yield act
    with renhice.database.unit_of_work() as work:
        roles = update(StaffRole).where(StaffRole.document_token == token_of(renhice), StaffRole.ended_at.is_(None))
        work.execute(roles.values(ended_at=now(), end_reason="test"))
        work.execute(update(Professional).where(Professional.number == "077001").values(able_to_practise=False))


def token_of(renhice: Renhice) -> bytes:
    return document_token(renhice.sealer, DNI)


def left(renhice: Renhice) -> tuple[int, int]:
    """The living sessions and the passkeys of the one who leaves."""
    with renhice.database.unit_of_work() as work:
        mine = token_of(renhice)
        alive = (PortalSession.member == mine) & PortalSession.ended_at.is_(None)
        counted = select(func.count()).select_from(PortalSession).where(alive).scalar_subquery()
        keys = select(func.count()).select_from(Passkey).where(Passkey.member == mine).scalar_subquery()
        sessions, passkeys = work.execute(select(counted, keys)).one()
        return sessions, passkeys


GIVEN: list[tuple[Change, Change]] = [
    (lambda desk: grant_role(desk, DNI, "analyst", LATER), lambda desk: end_role(desk, DNI, "analyst", "left")),
    (lambda desk: put_professional(desk, practising(True)), lambda desk: put_professional(desk, practising(False))),
]


@pytest.mark.parametrize(("give", "take"), GIVEN, ids=["role-ended", "professional-suspended"])
def test_who_loses_their_standing_loses_sessions_and_passkeys_at_once_and_for_good(
    somebody: Callable[[], Person], renhice: Renhice, change: Callable[[Change], None], give: Change, take: Change
) -> None:
    change(give)
    key, open_elsewhere = Authenticator(ORIGIN, HOST), somebody().signed_in(LEAVING)
    somebody().signed_in(LEAVING).add(key)
    assert left(renhice) == (2, 1)
    change(take)
    assert left(renhice) == (0, 0)
    change(give)
    assert open_elsewhere.open("/cuenta/llaves").status_code == 303, "the session is over"
    assert somebody().prove(key).status_code == 400, "the passkey is gone"


def test_who_still_has_a_role_stays(
    somebody: Callable[[], Person], renhice: Renhice, change: Callable[[Change], None]
) -> None:
    for give, _ in GIVEN:
        change(give)
    somebody().signed_in(LEAVING).add(Authenticator(ORIGIN, HOST))
    change(GIVEN[1][1])
    assert left(renhice) == (1, 1)
    change(GIVEN[0][1])
    assert left(renhice) == (0, 0)


@pytest.mark.parametrize(
    ("by", "first", "end"),
    [("click", -2, -1), ("passkey", -2, -1), ("passkey", 1, 2)],
    ids=["click", "passkey", "early"],
)
def test_a_role_that_ran_out_or_has_not_begun_is_noticed_when_it_is_used(
    somebody: Callable[[], Person], renhice: Renhice, change: Callable[[Change], None], by: str, first: int, end: int
) -> None:
    """Nothing happens when a date passes: nobody is told, and nobody gets in."""
    change(GIVEN[0][0])
    key, leaving = Authenticator(ORIGIN, HOST), somebody().signed_in(LEAVING)
    leaving.add(key)
    with renhice.database.unit_of_work() as work:
        mine = update(StaffRole).where(StaffRole.document_token == token_of(renhice))
        work.execute(mine.values(granted_at=now() + timedelta(days=first), valid_until=now() + timedelta(days=end)))
    refused = leaving.open(PAGE) if by == "click" else somebody().prove(key)
    assert refused.status_code == 403
    assert left(renhice) == (0, 0)
    with renhice.database.unit_of_work() as work:
        query = select(AuditEvent).where(AuditEvent.action == "portal:work:ended").order_by(AuditEvent.id.desc())
        event = work.scalars(query).first()
        assert event is not None
        assert (event.reason, event.detail["passkeys"]) == ("no-role-left", 1)


def run_out(renhice: Renhice) -> None:
    """The role ended by its date eight hours ago; nobody looked."""
    with renhice.database.unit_of_work() as work:
        mine = update(StaffRole).where(StaffRole.document_token == token_of(renhice), StaffRole.ended_at.is_(None))
        work.execute(mine.values(granted_at=now() - timedelta(days=9), valid_until=now() - timedelta(hours=8)))
        work.execute(update(Passkey).values(confirmed_at=now() - timedelta(hours=12)))


@pytest.mark.parametrize("by", ["passkey", "provider"])
def test_a_role_given_back_after_one_that_ran_out_does_not_bring_the_passkeys_back(
    app: Flask, somebody: Callable[[], Person], renhice: Renhice, change: Callable[[Change], None], by: str
) -> None:
    change(GIVEN[0][0])
    key = Authenticator(ORIGIN, HOST)
    somebody().signed_in(LEAVING).add(key)
    run_out(renhice)
    change(GIVEN[0][0])
    if by == "provider":
        with app.test_request_context("/ingresar", base_url=ORIGIN), renhice.database.unit_of_work():
            enter(Answer(), replace(LEAVING, auth_time=now()))
    assert left(renhice)[1] == (1 if by == "passkey" else 0)
    assert somebody().prove(key).status_code == 400
    assert left(renhice)[1] == 0


def test_a_role_prolonged_in_time_keeps_them(
    somebody: Callable[[], Person], renhice: Renhice, change: Callable[[Change], None]
) -> None:
    change(GIVEN[0][0])
    key = Authenticator(ORIGIN, HOST)
    somebody().signed_in(LEAVING).add(key)
    run_out(renhice)
    with renhice.database.unit_of_work() as work:
        role = {"document_token": token_of(renhice), "sealed": b"-", "role": "steward", "valid_until": LATER}
        work.add(StaffRole(**role, granted_at=now() - timedelta(hours=10)))
    back = somebody()
    back.prove(key)
    assert back.open("/gestion").status_code == 200


def test_whoever_left_by_date_and_never_comes_again_is_forgotten_by_the_clock(
    somebody: Callable[[], Person], renhice: Renhice, change: Callable[[Change], None], key: Authenticator
) -> None:
    change(GIVEN[0][0])
    somebody().signed_in(LEAVING).add(Authenticator(ORIGIN, HOST))
    run_out(renhice)
    assert min(left(renhice)) == 1
    with renhice.database.unit_of_work() as work:
        assert send_away_whoever_left(work, now()) == 1
    assert left(renhice) == (0, 0)
    assert row_of(renhice, key), "a colleague's stays"


def test_a_passkey_rests_on_a_sign_in_at_the_provider_of_the_last_days(
    app: Flask, somebody: Callable[[], Person], key: Authenticator, renhice: Renhice
) -> None:
    """An account that the provider has disabled opens nothing a day later, whatever the directory says."""
    with renhice.database.unit_of_work() as work:
        work.execute(update(Passkey).values(confirmed_at=now() - timedelta(days=1, seconds=1)))
    led = somebody().prove(key)
    assert led.status_code == 303
    assert "proveedor=1" in led.location
    assert "renhice_session" not in led.headers.get("Set-Cookie", "")
    with app.test_request_context("/ingresar", base_url=ORIGIN), renhice.database.unit_of_work():
        enter(Answer(), replace(ANALYST, auth_time=now()))
    back = somebody()
    assert back.prove(key).status_code == 303
    assert back.inside
