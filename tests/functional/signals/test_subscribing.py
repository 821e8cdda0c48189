"""What may be asked to be told, by whom, for how long; each version of it can be read again."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from consent_broker.signals.models import Signal, Subscription
from consent_broker.signals.service import purge
from registry import outbox
from registry.identity.notices import MERGED
from tests.functional.oauth.world import World, claims_of
from tests.functional.signals.subscribing import MONTH, PATH, SCOPE, Receiver, asked, call, deliver, happen, subscribe

pytestmark = pytest.mark.usefixtures("fresh")


def test_the_same_again_is_the_same_and_the_end_is_the_end(world: World, receiver: Receiver) -> None:
    subscription = subscribe(world, world.holding, "merge", receiver)
    same = call(world.holding, "POST", PATH, json=asked("merge", receiver.url))
    assert (same.status_code, same.json["id"]) == (200, subscription)
    found = call(world.holding, "GET", f"{PATH}?status=active").json
    assert [one["resource"]["id"] for one in found["entry"]] == [subscription]
    assert call(world.asking, "DELETE", f"{PATH}/{subscription}").status_code == 404
    assert call(world.holding, "DELETE", f"{PATH}/{subscription}").status_code == 204
    receiver.arrived.clear()
    happen(world, MERGED)
    deliver(world)
    assert receiver.arrived == []
    off = call(world.holding, "GET", f"{PATH}/{subscription}").json
    assert call(world.holding, "PUT", f"{PATH}/{subscription}", json=off | {"status": "requested"}).status_code == 409


def test_what_rests_for_a_month_is_over(world: World, receiver: Receiver) -> None:
    made = call(world.holding, "POST", PATH, json=asked("merge", receiver.url)).json["id"]
    long_ago = (
        update(Subscription).where(Subscription.id == UUID(made)).values(changed_at=Subscription.changed_at - MONTH)
    )
    world.transact(lambda session: session.execute(long_ago))
    world.transact(purge)
    waiting = select(Signal).where(Signal.subscription_id == UUID(made), Signal.delivered_at.is_(None))
    assert call(world.holding, "GET", f"{PATH}/{made}").json["status"] == "off"
    assert world.transact(lambda session: session.scalars(waiting).all()) == []


def test_what_was_due_for_a_month_is_not_kept(world: World, receiver: Receiver) -> None:
    """Of a subscription that is served, whose system is not: what waits is no more waited for."""
    subscription = UUID(subscribe(world, world.holding, "merge", receiver))
    for _ in range(2):
        happen(world, MERGED)
        world.transact(outbox.relay)
    waiting = select(Signal.number).where(Signal.subscription_id == subscription, Signal.delivered_at.is_(None))
    first = update(Signal).where(Signal.subscription_id == subscription, Signal.number == 1)
    world.transact(lambda session: session.execute(first.values(available_at=Signal.available_at - MONTH)))
    world.transact(purge)
    assert world.transact(lambda session: session.scalars(waiting).all()) == [2]
    assert call(world.holding, "GET", f"{PATH}/{subscription}").json["status"] == "active"


def test_each_version_can_be_read_again(world: World, receiver: Receiver) -> None:
    path = f"{PATH}/{subscribe(world, world.holding, 'merge', receiver)}"
    newest = call(world.holding, "GET", path)
    stale = call(world.holding, "PUT", path, json=newest.json | {"status": "off"}, headers={"If-Match": 'W/"1"'})
    assert stale.status_code == 412
    ended = call(world.holding, "PUT", path, json=newest.json | {"status": "off"}, headers={"If-Match": 'W/"2"'})
    assert ended.headers["Location"].endswith(f"{path}/_history/3")
    history = call(world.holding, "GET", f"{path}/_history").json
    said = [(one["resource"]["meta"]["versionId"], one["resource"]["status"]) for one in history["entry"]]
    assert said == [("3", "off"), ("2", "active"), ("1", "requested")]
    assert [one["request"]["method"] for one in history["entry"]] == ["PUT", "PUT", "POST"]
    page = call(world.holding, "GET", f"{path}/_history?_count=2").json
    assert (page["total"], [one["relation"] for one in page["link"]]) == (3, ["self", "next"])
    token = page["link"][1]["url"].partition("_page=")[2]
    rest = call(world.holding, "GET", f"{path}/_history?_page={token}").json
    assert [one["resource"] for one in rest["entry"]] == [history["entry"][2]["resource"]]
    second = call(world.holding, "GET", f"{path}/_history/2")
    assert (second.json, second.headers["ETag"]) == (newest.json, 'W/"2"')
    assert call(world.holding, "GET", f"{path}/_history/4").status_code == 404
    assert call(world.asking, "GET", f"{path}/_history").status_code == 404
    assert call(world.asking, "GET", f"{path}/_history/1").status_code == 404


def test_the_same_asked_many_times_at_once_is_one(world: World, receiver: Receiver) -> None:
    token = world.holding.client_token(SCOPE)
    with ThreadPoolExecutor(6) as pool:
        made = list(
            pool.map(
                lambda _: world.holding.call("POST", PATH, token, json=asked("split", f"{receiver.url}/once")), range(6)
            )
        )
    assert sorted(one.status_code for one in made) == [200] * 5 + [201]
    assert len({one.json["id"] for one in made}) == 1


@pytest.mark.parametrize(
    ("endpoint", "code"),
    [
        ("http://hooks.example.pe/", 422),
        ("https://10.0.0.7/hook", 422),
        ("https://169.254.169.254/latest", 422),
        ("https://[::ffff:10.0.0.7]/", 422),
        ("ftp://hooks.example.pe/", 422),
        ("https://u:p@hooks.example.pe/", 400),
        ("https://hooks.example.pe/#x", 400),
        ("not an address", 400),
        ("https://[x", 400),
        ("https://[10.0.0.7]/", 400),
        ("https://hooks.example.pe:99999/", 400),
        ("https://hooks.example.pe:0/", 400),
        ("", 400),
    ],
)
def test_an_address_that_leads_inside_is_refused(world: World, endpoint: str, code: int) -> None:
    answer = call(world.holding, "POST", PATH, json=asked("merge", endpoint))
    assert answer.status_code == code, answer.text
    assert answer.json["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "changes",
    [
        {"criteria": "Patient?name=a"},
        {"status": "active"},
        {"channel": {"type": "email"}},
        {"channel": {"header": ["Authorization: x"]}},
        {"channel": {"payload": "application/xml"}},
        {"end": "2020-01-01T00:00:00Z"},
        {"end": "mañana"},
        {"end": "9999-12-31T23:59:59-14:00"},
        {"surprise": 1},
        {"channel": 7},
    ],
    ids=[
        "query",
        "status",
        "channel",
        "header",
        "payload",
        "past",
        "no-instant",
        "no-year",
        "unknown-element",
        "no-channel",
    ],
)
def test_what_is_not_offered_is_said(world: World, receiver: Receiver, changes: dict[str, Any]) -> None:
    body = asked("merge", receiver.url)
    channel = changes.get("channel")
    body |= changes | ({"channel": body["channel"] | channel} if isinstance(channel, dict) else {})
    answer = call(world.holding, "POST", PATH, json=body)
    assert answer.status_code in {400, 422}, answer.text


def test_without_the_scope_nobody_asks(world: World, receiver: Receiver) -> None:
    token = world.holding.client_token("system/Patient.rs")
    assert claims_of(token)["scope"] == "system/Patient.rs"
    assert world.holding.call("POST", PATH, token, json=asked("merge", receiver.url)).status_code == 403
