"""The operator of text messages: who may send, what is a message, and what is kept."""

from collections.abc import Iterator

import httpx
import pytest

from sandbox.sms import KEPT, Carrier, create_app
from tests.functional.sandbox.conftest import serving

MESSAGE = {"to": "+51987654321", "from": "RENHICE", "text": "Hola"}


@pytest.fixture
def url() -> Iterator[str]:
    with serving(create_app(Carrier("s3cret", "control"))) as found:
        yield found


def send(url: str, key: str = "k1", token: str = "s3cret", **message: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    return httpx.post(f"{url}/v1/messages", json=MESSAGE | message, headers=headers)


def test_a_message_is_kept_once_and_shown(url: str) -> None:
    assert send(url).status_code == 202
    assert send(url).status_code == 200
    assert send(url, "k2", to="+51900000000").status_code == 202
    assert [one["to"] for one in httpx.get(f"{url}/messages.json").json()["messages"]] == [
        "+51900000000",
        MESSAGE["to"],
    ]
    assert len(httpx.get(f"{url}/messages.json", params={"to": MESSAGE["to"]}).json()["messages"]) == 1
    page = httpx.get(url)
    assert MESSAGE["to"] in page.text
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "message", [{"to": "987654321"}, {"to": ""}, {"text": ""}, {"text": "x" * 2000}, {"to": 1}, {"more": "x"}]
)
def test_what_is_no_message_is_refused(url: str, message: dict[str, object]) -> None:
    assert send(url, **message).status_code == 422


def test_nobody_sends_without_the_secret_or_a_key(url: str) -> None:
    assert send(url, token="other").status_code == 401
    assert send(url, key="").status_code == 422
    assert httpx.get(f"{url}/v1/messages").status_code == 405
    assert httpx.get(f"{url}/messages.json").json() == {"messages": []}


def test_it_fails_when_told_to(url: str) -> None:
    def control(mode: str, token: str = "control") -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.post(f"{url}/control", json={"mode": mode}, headers=headers).status_code

    assert (control("down", "other"), control("nope")) == (403, 403)
    assert control("down") == 200
    assert send(url).status_code == 503
    assert control("refusing") == 200
    assert send(url).status_code == 422
    assert control("normal") == 200
    assert send(url).status_code == 202


def test_the_oldest_makes_room() -> None:
    carrier = Carrier("s", "c")
    for number in range(KEPT + 1):
        carrier.take(str(number), MESSAGE)
    assert len(carrier.newest_first()) == KEPT
