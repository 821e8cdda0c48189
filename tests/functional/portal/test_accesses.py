"""The list of accesses is complete: page by page on the screen, and whole in the file."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert

from portal.accesses import BATCH, PAGE
from registry.audit.models import AuditEvent
from registry.database import new_id, now
from sandbox import story
from sandbox.demo.browser import Page
from tests.functional.portal.world import Visitor, World

MANY = 2 * BATCH + PAGE + 7
PATH = "/mi-historia/accesos"


def read(world: World, times: list[datetime], outcome: str = "success", **more: object) -> None:
    """Let her records have been read at those times by the holding establishment."""
    place = world.place(story.HOLDING.renipress).id
    facts = {"action": "exchange:records:read", "person_id": world.person_id, "establishment_id": place}
    rows = [facts | {"id": new_id(), "recorded_at": at, "outcome": outcome, "detail": {}} | more for at in times]
    with world.renhice.database.unit_of_work() as session:
        session.execute(insert(AuditEvent), rows)


@pytest.fixture(scope="module", autouse=True)
def _history(world: World) -> None:
    """Readings in threes at one moment, so that a page ends among equals."""
    start = now() - timedelta(days=60)
    read(world, [start + timedelta(minutes=number // 3) for number in range(MANY)])
    read(world, [start] * 20, action="consent:access:decided")
    read(world, [start], person_id=new_id(), outcome="refused")


def rows(page: Page) -> list[str]:
    return page.body.split("<tr>")[2:]


def follow(patient: Visitor, page: Page, word: str) -> Page | None:
    link = next((link for link in page.links if f"{word}=" in link), None)
    return patient.open(link) if link else None


def walk(patient: Visitor, page: Page | None, word: str) -> Iterator[Page]:
    while page is not None:
        yield page
        page = follow(patient, page, word)


def test_every_access_is_on_exactly_one_page_and_there_is_a_way_back(patient: Visitor, world: World) -> None:
    older = list(walk(patient, patient.open(PATH), "antes"))
    assert [len(rows(page)) for page in older] == [PAGE] * (MANY // PAGE) + [MANY % PAGE]
    newer = list(walk(patient, older[-1], "despues"))
    assert [page.text for page in reversed(newer[1:-1])] == [page.text for page in older[1:-1]]
    assert rows(newer[-1]) == rows(older[0])


def test_what_comes_meanwhile_moves_no_page(patient: Visitor, world: World) -> None:
    first = patient.open(PATH)
    second = follow(patient, first, "antes")
    assert second is not None
    read(world, [now()] * 3)
    again = follow(patient, first, "antes")
    assert again is not None
    assert rows(again) == rows(second)
    back = follow(patient, second, "despues")
    assert back is not None
    assert len(rows(back)) == PAGE


def test_the_file_is_whole(patient: Visitor, world: World) -> None:
    answer = patient.browser.download(f"{world.base_url}{PATH}.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = list(csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))))[1:]
    assert len(lines) >= MANY
    moments = [line[0] for line in lines]
    assert moments == sorted(moments, reverse=True)
    narrowed = patient.browser.download(f"{world.base_url}{PATH}.csv?establecimiento={story.ASKING.renipress}")
    assert len(narrowed.text.splitlines()) == 1


def test_filters_stay_from_page_to_page(patient: Visitor) -> None:
    day = (now() - timedelta(days=60)).date()
    query = f"?desde={day - timedelta(days=1)}&establecimiento={story.HOLDING.renipress}"
    second = follow(patient, patient.open(PATH + query), "antes")
    assert second is not None
    links = [link for link in second.links if "antes=" in link or "despues=" in link or ".csv" in link]
    assert len(links) == 3
    assert all(f"establecimiento={story.HOLDING.renipress}" in link and "desde=" in link for link in links)


@pytest.mark.parametrize("word", ["antes", "despues"])
@pytest.mark.parametrize("value", ["01a21584-0000-7000-8000-000000000000", "x", "%00", "0" * 5000])
def test_a_page_that_begins_nowhere_is_the_first(patient: Visitor, word: str, value: str) -> None:
    page = patient.open(f"{PATH}?{word}={value}")
    assert page.status in {200, 400}
    assert page.status == 400 or rows(page) == rows(patient.open(PATH))


def test_anothers_event_is_no_place_to_begin_at(patient: Visitor, world: World) -> None:
    somebody, mark = new_id(), UUID(int=7)
    read(world, [now() - timedelta(days=30)], person_id=somebody, id=mark)
    assert rows(patient.open(f"{PATH}?antes={mark}")) == rows(patient.open(PATH))
