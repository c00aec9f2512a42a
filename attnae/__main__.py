"""`python -m attnae` is the command `attnae`."""

import sys

from attnae.process import exit_on_signals


def main() -> int:
    """The command line; signals during its imports end it with their exit codes."""
    exit_on_signals()
    from attnae.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
