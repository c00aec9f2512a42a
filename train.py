"""Train one attention autoencoder: `python train.py --help`."""

import sys

from attnae.process import exit_on_signals

if __name__ == "__main__":
    exit_on_signals()
    from attnae.cli import train_command

    sys.exit(train_command())
