"""An export whose process is killed: whoever comes after its lease goes on with it."""

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select, update

from registry.bulk.export.models import Export, ExportPart
from registry.bulk.export.writing import take_due, write
from registry.database import now
from registry.settings import Settings
from tests.functional.bulk.exporting import Json, begin, key_of, lines_of, sorted_by_id
from tests.functional.oauth.world import World

ROOT = Path(__file__).parents[3]

KILLED = """
import sys, time
from uuid import UUID
import wsgi  # every table
from registry.app import make_parts
from registry.bulk.export import writing
from registry.settings import load_settings

real, added = writing._add_part, []

def add(*arguments):
    real(*arguments)
    added.extend(arguments[-1])  # a page may have nothing to say
    time.sleep(600 if len(added) == 3 else 0)

writing._add_part = add
parts = make_parts(load_settings())
with parts.database.unit_of_work() as session:
    assert writing.take_due(session) == UUID(sys.argv[1])
writing.write(parts, UUID(sys.argv[1]), page=1)
"""


def test_one_whose_process_is_killed_is_gone_on_with(world: World, records: list[Json], settings: Settings) -> None:
    """In the middle of its third page: two are kept, and the rest is written by whoever comes after its lease."""
    path = begin(world)
    key = key_of(path)
    environment = os.environ | {
        "RENHICE_ENVIRONMENT": "test",
        "RENHICE_DATABASE_URL": str(settings.database_url),
        "RENHICE_BROKER_URL": settings.broker_url,
        "RENHICE_KEYS_DIR": str(settings.keys_dir),
    }
    written = select(func.count()).select_from(ExportPart).where(ExportPart.export_id == key)
    with subprocess.Popen([sys.executable, "-c", KILLED, str(key)], cwd=ROOT, env=environment) as process:
        try:
            deadline = time.monotonic() + 90
            while world.transact(lambda session: session.scalar(written)) < 2:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            process.kill()
    assert world.transact(take_due) is None
    over = update(Export).where(Export.id == key).values(leased_until=now() - timedelta(seconds=1))
    world.transact(lambda session: session.execute(over))
    assert world.transact(take_due) == key
    assert write(world.renhice, key, page=1)
    assert sorted_by_id(lines_of(world, path)) == sorted_by_id(records)
