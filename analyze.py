"""Say which choices helped, from TensorBoard logs: `python analyze.py --help`."""

import sys

from attnae.cli import analyze_command

if __name__ == "__main__":
    sys.exit(analyze_command())
