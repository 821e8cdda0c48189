"""Chromium for the browser tests: found, or installed from Debian when this account may, or else left out aloud."""

import os
import shutil
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW = "install Debian's package chromium (apt-get install chromium)"


def find_chromium() -> str | None:
    """The path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install_chromium() -> bool:
    """Install Debian's package; False when this account may not, or it failed."""
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = [apt, "install", "-qq", "-y", "--no-install-recommends", "chromium"]
    commands = ([apt, "update", "-qq"], install)
    return all(
        subprocess.run(c, check=False, env=environment, stdout=subprocess.DEVNULL).returncode == 0 for c in commands
    )
