"""`python -m attnae` is the command `attnae`."""

import sys

from attnae.cli import main

if __name__ == "__main__":
    sys.exit(main())
