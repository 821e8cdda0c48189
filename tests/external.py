"""Where other projects' test files are: in RENHICE_EXTERNAL_TESTS, or in `shared/external` beside this project."""

import os
from pathlib import Path

EXTERNAL = Path(os.environ.get("RENHICE_EXTERNAL_TESTS", Path(__file__).parents[2] / "shared" / "external"))
