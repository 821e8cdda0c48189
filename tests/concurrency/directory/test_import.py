"""Several imports of one file at once add each item once."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

from registry.app import Renhice
from registry.directory.administration import Desk
from registry.directory.loading import Report, load, parse
from registry.directory.models import Affiliation, Establishment, Professional, RecordSystem, StaffRole
from tests.integration.directory.conftest import directory_file


def test_imports_take_turns(renhice: Renhice) -> None:
    content = json.dumps(directory_file()).encode()

    def run(_: int) -> Report:
        with renhice.database.unit_of_work() as session:
            return load(Desk(session, renhice.sealer, "operator-1"), parse(content)[0])

    with ThreadPoolExecutor(6) as pool:
        reports = list(pool.map(run, range(6)))
    outcomes = Counter(outcome for report in reports for (kind, outcome) in report.counts if kind == "establishments")
    assert outcomes == {"added": 1, "same": 5}
    assert not any(report.faults for report in reports)
    with renhice.database.unit_of_work() as session:
        tables = (Establishment, RecordSystem, Professional, Affiliation, StaffRole)
        assert [session.scalar(select(func.count()).select_from(table)) for table in tables] == [2, 1, 1, 1, 1]
