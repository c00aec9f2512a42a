"""The bounds that this model reaches on MNIST with two latent dimensions and beta 1, beside published ones.

    python benchmarks/published.py --data-dir data --images 5000 --epochs 30

It trains one model for each kind of pixels asked for. Numbers of grey pixels and of black and white ones are different
likelihoods: compare only numbers of the same kind, and mind the number of training images and of epochs.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from attnae.config import RunConfig
from attnae.model.attention import ATTENTIONS
from attnae.tags import scalar
from attnae.training.run import train


class Published(NamedTuple):
    """A published number, in nats per image, lower is better."""

    source: str
    pixels: str
    bound: float | None = None  # the negative ELBO
    nll: float | None = None  # the importance-weighted estimate of the negative log-likelihood


PUBLISHED = (
    Published("Davidson et al. 2018 (1804.00891): Gaussian VAE, d = 2, 500 samples", "dynamic", nll=135.73),
    Published("Mathieu et al. 2019: Gaussian VAE, d = 2", "see the paper", bound=144.5),
    Published("a public benchmark of 5,000 images and 30 epochs (147.70 + 6.08)", "not stated", bound=153.77),
)


def measure(options: argparse.Namespace, binarize: str, directory: str) -> dict[str, float]:
    """The test metrics of one model, by tag."""
    config = RunConfig(
        dataset="mnist",
        data_dir=options.data_dir,
        beta=1.0,
        binarize=binarize,
        attention=options.attention,
        act="elu",
        epochs=options.epochs,
        limit_train=options.images,
        limit_test=options.test_images,
        val_size=0,
        iw_samples=options.samples,
        seed=options.seed,
        picture_every=0,
        log_dir=directory,
    )
    return train(config, console=Console()).metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--images", type=int, default=5000, help="number of training images")
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--samples", type=int, default=500, help="samples of the importance-weighted bound; 0: none")
    parser.add_argument("--binarize", nargs="+", choices=["none", "dynamic", "static"], default=["none", "dynamic"])
    parser.add_argument("--attention", choices=list(ATTENTIONS), default="none")
    parser.add_argument("--seed", type=int, default=768)
    options = parser.parse_args()
    table = Table("model", "pixels", "-ELBO", "kl", "nll", title="MNIST, nats per image, lower is better")
    for binarize in options.binarize:
        with tempfile.TemporaryDirectory() as directory:
            found = measure(options, binarize, directory)
        ours = f"ours: attention {options.attention}, {options.images:,} images, {options.epochs} epochs"
        numbers = (-found[scalar("test", "elbo")], found[scalar("test", "kl")], found.get(scalar("test", "nll")))
        table.add_row(ours, {"none": "grey"}.get(binarize, binarize), *map(shown, numbers))
    for row in PUBLISHED:
        table.add_row(row.source, row.pixels, shown(row.bound), "", shown(row.nll))
    Console(width=140).print(table)


def shown(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
