"""The analyst's figures: page, picture, file; for analysts only."""

import xml.etree.ElementTree as ET

import pytest
from sqlalchemy import select

from registry.audit.models import AuditEvent
from registry.statistics.tasks import rebuild_facts
from sandbox import story
from tests.functional.portal.world import Visitor, World


@pytest.fixture
def analyst(world: World) -> Visitor:
    visitor = world.visitor()
    visitor.sign_in("/ingresar?como=analista", story.ANALYST.person)
    return visitor


def test_a_figure_is_a_chart_a_table_and_a_file(world: World, analyst: Visitor) -> None:
    rebuild_facts(world.renhice)
    page = analyst.open("/estadisticas")
    assert analyst.status == 200
    assert "*" in page.text
    assert "Menos de 8 personas" in page.text
    picture = analyst.browser.download(f"{world.base_url}/estadisticas/region.svg?tema=oscuro")
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert ET.fromstring(picture.text).tag.endswith("svg")  # our own output
    file = analyst.browser.download(f"{world.base_url}/estadisticas/region.csv")
    assert file.text.splitlines()[0].startswith("region")
    with world.renhice.database.unit_of_work() as session:
        exported = session.scalars(
            select(AuditEvent.detail).where(AuditEvent.action == "statistics:table:exported")
        ).all()
    assert {"dimensions": ["region"]} in exported


@pytest.mark.parametrize(
    "path",
    ["/estadisticas?por=dni", "/estadisticas/dni.csv", "/estadisticas/dni.svg", "/estadisticas/region.svg?tema=x"],
)
def test_there_is_no_other_figure(analyst: Visitor, path: str) -> None:
    analyst.open(path)
    assert analyst.status in {400, 404}
