"""Say which choices helped, from training logs: `python analyze.py --help`."""

import sys

from attnae.process import exit_on_signals

if __name__ == "__main__":
    exit_on_signals()
    from attnae.cli import analyze_command

    sys.exit(analyze_command())
