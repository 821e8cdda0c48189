"""One worker of the benchmark: goes on with an import to its end and says what processor time it took."""

import json
import os
import resource
import sys
import time
from pathlib import Path
from uuid import UUID

from sqlalchemy import event

from registry.app import make_parts
from registry.bulk.processing import process
from registry.settings import load_settings

TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """The import's id is the argument; PostgreSQL runs on this machine."""
    parts = make_parts(load_settings())
    backends = set[int]()

    @event.listens_for(parts.database.engine, "connect")
    def note(connection: object, _record: object) -> None:
        backends.add(connection.info.backend_pid)  # type: ignore[attr-defined]  # psycopg's connection

    started = time.process_time()
    process(parts, UUID(sys.argv[1]))
    helper = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = {
        "process": time.process_time() - started,
        "helper": helper.ru_utime + helper.ru_stime,
        "backend": sum(map(cpu, backends)),
    }
    print(json.dumps(said))


def cpu(pid: int) -> float:
    """Seconds of processor time of a process of this machine, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    main()
