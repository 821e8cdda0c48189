"""How much memory there is to use: the machine's, or what a container or a service is held to."""

from pathlib import Path

import psutil

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")
MEGABYTE = 1024**2


def usable_memory() -> int:
    """Megabytes that this process and what it starts may take."""
    return min([int(psutil.virtual_memory().total), *_limits()]) // MEGABYTE


def _limits() -> list[int]:
    """What the control groups allow that this process is in, of either version of them."""
    found = [GROUPS / "memory" / "memory.limit_in_bytes"]
    group = GROUPS / _own_group()
    found += [folder / "memory.max" for folder in (group, *group.parents) if folder.is_relative_to(GROUPS)]
    return [limit for path in found if (limit := _number(path)) is not None]


def _own_group() -> str:
    try:
        lines = OWN_GROUP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")


def _number(path: Path) -> int | None:
    """What a file holds; None where there is none, or it says that there is no limit."""
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
