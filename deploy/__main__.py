"""The command line behind `./renhice`; some commands need nothing of the product, whose import takes seconds."""

import sys
from importlib import import_module

INTERRUPTED = 130
ALONE = {"match": "matching.cli.main", "conformance": "conformance.cli"}
"""Commands that stand alone, and the module that has each under its own name."""


def main() -> None:
    """Run the command named by the arguments."""
    try:
        name = next(iter(sys.argv[1:]), "")
        if name in ALONE:
            getattr(import_module(ALONE[name]), name)(sys.argv[2:], prog_name=f"renhice {name}")
        import_module("deploy.commandline").main(prog_name="renhice")
    except KeyboardInterrupt:  # while modules load; the commands see to it themselves
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
