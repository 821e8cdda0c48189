"""The product's own processes, the account and the settings they run with."""

import functools
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from consent_broker.oauth.rfc7517_keys import ensure_signing_key
from deploy.account import Account, application_account, caller
from deploy.layout import Layout
from deploy.supervision import Program
from deploy.vault import read_list, read_object
from registry.sealing import create_keys
from registry.worker import BULK, ORDINARY

WEB_PROCESSES = 2
WEB_WORKER = "deploy.keeping.KeepingWorker"
WEB_THREADS = 24
"""Several times the fetches one process allows at once: the holders' introspections need the rest."""
KEEP_ALIVE_SECONDS = 75
"""Longer than clients and proxies keep an idle connection: we must not close it under a request on its way."""


def programs(layout: Layout, port: int, account: Account, *, hl7v2: bool = False) -> list[Program]:
    """Web, workers and beat, and the HL7 v2 port where there is one, as a supervisor runs them under `account`."""
    celery = [sys.executable, "-m", "celery", "--app", "deploy.worker", "--quiet"]
    working = ["worker", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    beating = ["beat", "--schedule", str(layout.schedule / "beat"), "--loglevel", "WARNING"]
    commands = {
        "web": web_command(f"127.0.0.1:{port}"),
        "worker": [*celery, *working, "--queues", ORDINARY, "--concurrency", "2"],
        "bulk": [*celery, *working, "--queues", BULK, "--pool", "solo"],  # one process, where another pool takes two
        "beat": [*celery, *beating],
    }
    if hl7v2:
        commands["mllp"] = [sys.executable, "-m", "deploy.mllp"]
    return [
        Program(name, argv, "application", user=account.name if account.drop else None, stop_seconds=30, settings=True)
        for name, argv in commands.items()
    ]


@functools.cache
def account_for(layout: Layout, keys: Path) -> Account:
    """Who web, worker and beat run as: when root starts them an account without rights, if it can read what it must.

    It can't where Python or the checkout lies in a directory of root's own, or the keys are the caller's to guard.
    """
    wanted = application_account()
    guarded = keys.is_relative_to(layout.var) or wanted.reaches(keys)
    starts = [sys.executable, "-I", "-c", f"import flask, psycopg; open({str(layout.root / 'wsgi.py')!r})"]
    return wanted if wanted.drop and guarded and wanted.runs(starts) else caller()


def hand_over(layout: Layout, keys: Path) -> None:
    """Give their account what web, worker and beat write and the keys they read; other secrets stay their owner's."""
    account = account_for(layout, keys)
    account.own(layout.metrics)
    account.own(layout.schedule)
    if layout.tls.is_dir():
        account.own_files(layout.tls)
    if keys.is_relative_to(layout.var):
        account.own_files(keys)
        if account.drop:
            layout.secrets.chmod(0o711)


def web_command(bind: str) -> list[str]:
    """gunicorn with threads: requests wait for the database and for other establishments, not for the processor."""
    command = [sys.executable, "-m", "gunicorn", "wsgi:create_app()", "--config", "python:deploy.web", "--preload"]
    command += ["--bind", bind]
    command += ["--workers", str(WEB_PROCESSES), "--worker-class", WEB_WORKER, "--threads", str(WEB_THREADS)]
    command += ["--keep-alive", str(KEEP_ALIVE_SECONDS)]
    return [*command, "--timeout", "60", "--graceful-timeout", "20", "--no-control-socket", "--log-level", "warning"]


def sandbox_programs(layout: Layout) -> list[Program]:
    """The processes of the outside world, as `sandbox prepare` listed them."""
    listed = read_list(layout.var / "sandbox" / "programs.json")
    return [Program(f"sandbox-{entry['name']}", entry["argv"], "sandbox") for entry in listed]


def sandbox_ports(layout: Layout) -> dict[int, str]:
    """The ports those processes listen on."""
    listed = read_list(layout.var / "sandbox" / "programs.json")
    return {int(entry["port"]): f"sandbox-{entry['name']}" for entry in listed if entry.get("port")}


def settings(layout: Layout, port: int, backing: Mapping[str, str], *, sandbox: bool) -> dict[str, str]:
    """The `RENHICE_` variables of every process; what the caller's environment sets wins."""
    chosen = {
        "RENHICE_ENVIRONMENT": "sandbox" if sandbox else "production",
        "RENHICE_BASE_URL": f"http://127.0.0.1:{port}",
        "RENHICE_KEYS_DIR": str(layout.secrets / "keys"),
    }
    if sandbox:
        chosen |= read_object(layout.var / "sandbox" / "environment.json")
    given = {name: value for name, value in os.environ.items() if name.startswith("RENHICE_")}
    given.pop("RENHICE_MIGRATION_DATABASE_URL", None)
    return {**chosen, **given, **backing}


def mllp_ports(environment: Mapping[str, str]) -> dict[int, str]:
    """The port of the HL7 v2 process, where the settings name one that can be; another is its own to refuse."""
    port = environment.get("RENHICE_MLLP_PORT", "")
    return {int(port): "mllp"} if re.fullmatch(r"[1-9][0-9]{0,4}", port) else {}


def counting(layout: Layout) -> dict[str, str]:
    """Where web and worker count together; the operator's commands count nothing there."""
    return {"PROMETHEUS_MULTIPROC_DIR": str(layout.metrics)}


def make_keys(layout: Layout, environment: Mapping[str, str]) -> None:
    """Make the keys that are missing, before several processes would; in production only in this checkout's own `var/`.

    Elsewhere a missing key is the operator's to bring back, and the processes say so.
    """
    directory = keys_directory(environment)
    if environment["RENHICE_ENVIRONMENT"] != "production" or directory.is_relative_to(layout.var):
        create_keys(directory)
        ensure_signing_key(directory)


def keys_directory(environment: Mapping[str, str]) -> Path:
    """Where the processes look for master, blind and signing keys."""
    return Path(environment["RENHICE_KEYS_DIR"])
