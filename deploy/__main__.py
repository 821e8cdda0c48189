"""The command line behind `./renhice`; `match` needs nothing of the product, whose import takes seconds."""

import sys
from importlib import import_module

INTERRUPTED = 130


def main() -> None:
    """Run the command named by the arguments."""
    try:
        if sys.argv[1:2] == ["match"]:
            import_module("matching.cli.main").match(sys.argv[2:], prog_name="renhice match")
        import_module("deploy.commandline").main(prog_name="renhice")
    except KeyboardInterrupt:  # while modules load; the commands see to it themselves
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
