"""Checks of the machine: Python, room, permissions, ports, clock, browser."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from deploy.browser import HOW, find_chromium
from deploy.findings import Finding, judge
from deploy.layout import Layout
from deploy.lifecycle import DEFAULT_PORT, SANDBOX_PORTS_ABOVE
from deploy.readiness import holder, is_free
from deploy.supervision import Supervisor

GIGABYTE = 1024**3
LEAST_DISK = 1.0
LEAST_MEMORY = 0.7


def check_python(_layout: Layout) -> Iterator[Finding]:
    """Python 3.11 or newer."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield judge("Python", version, fine=sys.version_info >= (3, 11), mend="install Python 3.11 or newer")


def check_room(layout: Layout) -> Iterator[Finding]:
    """Room on the disk and in memory."""
    disk = shutil.disk_usage(layout.root).free / GIGABYTE
    yield judge("Disk", f"{disk:.1f} GB free", fine=disk >= LEAST_DISK, mend=f"free some space below {layout.root}")
    memory = psutil.virtual_memory().available / GIGABYTE
    mend = "close other programs, or add memory"
    yield judge("Memory", f"{memory:.1f} GB available", fine=memory >= LEAST_MEMORY, mend=mend)


def check_permissions(layout: Layout) -> Iterator[Finding]:
    """The checkout can be written, and its secrets are their owner's alone."""
    mend = f"it can't be written: chown -R {os.geteuid()} '{layout.root}'"
    yield judge("Checkout", str(layout.root), fine=os.access(layout.root, os.W_OK), mend=mend)
    if layout.secrets.exists():
        exposed = [str(path) for path in (layout.secrets, *layout.secrets.rglob("*")) if _others_may(path)]
        seen = f"open to others: {', '.join(exposed)}" if exposed else "private"
        yield judge("Secrets", seen, fine=not exposed, mend=f"chmod -R go= '{layout.secrets}'")


def _others_may(path: Path) -> bool:
    """Passing through a directory that can't be listed shows nothing."""
    return bool(path.stat().st_mode & (0o066 if path.is_dir() else 0o077))


def check_ports(layout: Layout) -> Iterator[Finding]:
    """The default ports are free, unless this very system holds them."""
    if Supervisor(layout).running():
        yield Finding("Ports", "ok", "held by this system, which is running")
        return
    for port in (DEFAULT_PORT, DEFAULT_PORT + SANDBOX_PORTS_ABOVE):
        free = is_free(port)
        mend = "stop that program, or ./renhice up --port 8200"
        yield judge(f"Port {port}", "free" if free else f"taken{holder(port)}", fine=free, mend=mend)


def check_clock(layout: Layout) -> Iterator[Finding]:
    """Tokens live for minutes: a clock behind the files of the checkout is wrong."""
    behind = max(path.stat().st_mtime for path in layout.root.iterdir()) - time.time()
    mend = "set the clock (timedatectl set-ntp true)"
    yield judge("Clock", time.strftime("%F %T UTC", time.gmtime()), fine=behind < 60, mend=mend)


def check_browser(_layout: Layout) -> Iterator[Finding]:
    """Chromium, which only the browser tests need."""
    found = find_chromium()
    yield Finding("Chromium", "ok", found) if found else Finding("Chromium", "note", "missing", f"for the tests: {HOW}")
