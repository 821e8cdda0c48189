"""The database server killed under an import, three times, and started again: `python -m benchmarks.bulk.crash`.

Killed is its first process, so that all its others end without writing what they held: what was committed and is not on
the disk yet is gone, as if the machine had lost its current.
"""

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

from sqlalchemy import URL, text

from benchmarks.bulk.run import check, environment_of, upload, work, write_file
from benchmarks.online.run import migrate
from deploy import postgres
from deploy.account import database_account, scratch_directory
from registry.app import Renhice, make_parts
from registry.bulk.models import COMPLETED, Import
from registry.settings import Settings

KILLED_AT = (0.22, 0.45, 0.68)
SEEN = "SELECT line, pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn() FROM imports"
WITHOUT = {
    "membership": "source_records LEFT JOIN memberships ON source_record_id = id WHERE since IS NULL",
    "key": "source_records LEFT JOIN data_keys ON owner_id = id WHERE owner_id IS NULL",
    "tokens": "source_records WHERE NOT EXISTS (SELECT FROM blocking_tokens WHERE source_record_id = id)",
    "record": "persons WHERE NOT EXISTS (SELECT FROM memberships WHERE person_id = id)",
}


class Server:
    """A server with the installed settings that can be killed."""

    def __init__(self) -> None:
        account = database_account()
        self.home = scratch_directory(account, None)
        self.cluster = postgres.Cluster(self.home, self.home, account, postgres.find_programs(account))
        password = secrets.token_urlsafe(24)
        postgres.create_cluster(self.cluster, password, postgres.DURABLE)
        self._administration = self.cluster.url(postgres.SUPERUSER, password, "postgres")
        self.start()
        postgres.create_database(self._administration, "renhice")

    @property
    def url(self) -> URL:
        """The database."""
        return self._administration.set(database="renhice")

    def start(self) -> None:
        """Begin, or begin again with what is on the disk."""
        (self.cluster.data / "postmaster.pid").unlink(missing_ok=True)
        self.process = postgres.start(self.cluster)
        postgres.wait_for(self._administration)

    def kill(self) -> None:
        """No process of it writes anything more."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """End it and leave nothing."""
        postgres.stop(self.process)
        shutil.rmtree(self.home, ignore_errors=True)

    def ask(self, query: str) -> tuple[int, ...]:
        """The one row of a query."""
        with postgres.connect(self.url) as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return tuple(map(int, row))


def fall(server: Server, worker: "subprocess.Popen[bytes]", line: int) -> None:
    """Kill the server when the file is registered up to that line; say what it had, and what is left."""
    while (seen := server.ask(SEEN))[0] < line and worker.poll() is None:
        time.sleep(0.01)
    server.kill()
    worker.wait()
    time.sleep(2)  # until its other processes have noticed
    server.start()
    print(f"killed at line {seen[0]:,}, {seen[1]:,} bytes not on the disk; after it line {server.ask(SEEN)[0]:,}")


def report(parts: Renhice, import_id: UUID, count: int) -> bool:
    """Whether everything is there once."""
    with parts.database.unit_of_work() as session:
        found, done = check(session, count), session.get_one(Import, import_id)
        lacking = {name: session.scalar(text(f"SELECT count(*) FROM {what}")) for name, what in WITHOUT.items()}
        print(f"{done.status}; {found}; {done.counts}; without {lacking}")
        whole = found["records"] == found["memberships"] == count and not found["doubled"]
        return whole and done.status == COMPLETED and not any(lacking.values())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    count = parser.parse_args().records
    server = Server()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            home, url = Path(scratch), server.url.render_as_string(hide_password=False)
            migrate(url)
            settings = Settings(environment="test", database_url=url, broker_url="memory://", keys_dir=home / "keys")
            parts = make_parts(settings)
            size = write_file(home / "file.ndjson", 505, count)
            import_id = upload(parts, home / "file.ndjson", size)
            parts.database.engine.dispose()
            for share in KILLED_AT:
                fall(server, work(environment_of(settings), import_id, home / "said"), int(share * count))
            work(environment_of(settings), import_id, home / "said").wait()
            whole = report(parts, import_id, count)
            parts.database.engine.dispose()
    finally:
        server.close()
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    main()
