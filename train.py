"""Train one attention autoencoder: `python train.py --help`."""

import sys

from attnae.cli import train_command

if __name__ == "__main__":
    sys.exit(train_command())
