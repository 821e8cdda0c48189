"""The Java that Spark runs on."""

import os
import re
import shutil
import subprocess
from pathlib import Path

OLDEST = 17
HOW = f"install Java {OLDEST} or newer (apt-get install openjdk-{OLDEST}-jre-headless), or name it in JAVA_HOME"


def java_missing() -> str:
    """What is wrong with this machine's Java, in words; empty when Spark can run on it."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None or not Path(java).exists():
        return "there is no Java"
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', told)
    if version is None:
        return f"{java} does not say its version"
    return "" if int(version[1]) >= OLDEST else f"Java {version[1]} is too old"
