"""The HL7 v2 process of the composed product: `python -m deploy.mllp`."""

import sys

from registry.hl7v2.server import serve
from registry.sealing import SealError
from registry.settings import SettingsError, load_settings


def main() -> int:
    """Serve the HL7 v2 port until told to stop."""
    try:
        serve(load_settings())
    except (SettingsError, SealError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
