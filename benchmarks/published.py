"""The bounds that this model reaches on MNIST with two latent dimensions and beta 1, beside published ones.

    python benchmarks/published.py --data-dir data --log-dir logs/published

It trains one model for each kind of pixels asked for, as a run in --log-dir, and then tests it. The same command again
goes on where it was stopped: it continues an unfinished run, and only tests a finished one. Numbers of grey pixels and
of black and white ones are different likelihoods: compare only numbers of the same kind, and mind the number of
training images and of epochs (docs/attention.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from attnae.config import RunConfig, read_config
from attnae.evaluation.apply import codes, evaluating
from attnae.evaluation.quality import importance_noise, log_likelihood_of
from attnae.model.attention import ATTENTIONS
from attnae.model.quality import importance_weighted_nll
from attnae.rundir.checkpoint import load
from attnae.rundir.directory import CONFIG, read_metrics, read_unfinished
from attnae.tags import FINISHED
from attnae.training.prepare import load_images, split_images
from attnae.training.run import train


class Published(NamedTuple):
    """A published number of a Gaussian VAE with two latent dimensions, in nats per image; lower is better.

    A star: taken from others who quote it, since the paper itself could not be read (docs/attention.md).
    """

    source: str
    trained_on: str
    pixels: str
    bound: str = ""  # the negative ELBO
    kl: str = ""
    nll: str = ""  # the importance-weighted estimate of the negative log-likelihood
    samples: str = ""


PUBLISHED = (
    Published(
        "soveshmohapatra.com/projects/vaes-benchmark", "5,000 images, 30 epochs", "grey", bound="153.77", kl="6.08"
    ),
    Published(
        "Mathieu et al. 2019 (1901.06033)", "60,000 images, 80 epochs", "grey", nll="144.5 ± 0.4 *", samples="5000"
    ),
    Published("Davidson et al. 2018 (1804.00891)", "", "dynamic", nll="135.73 *", samples="500"),
)

# The test images that follow the training, once an epoch; all of them would take longer than the training.
FOLLOWED = 2000


def trained(options: argparse.Namespace, binarize: str) -> Path:
    """The directory of the finished run with this kind of pixels, which is trained first where there is none."""
    config = RunConfig(
        dataset="mnist",
        data_dir=options.data_dir,
        beta=1.0,
        binarize=binarize,
        attention=options.attention,
        act="elu",
        epochs=options.epochs,
        limit_train=options.images,
        limit_test=FOLLOWED,
        val_size=0,
        seed=options.seed,
        threads=1,
        picture_every=0,
        log_dir=options.log_dir,
        name=f"{binarize},attention={options.attention},images={options.images},epochs={options.epochs}"
        f",seed={options.seed}",
    )
    directory = options.log_dir / config.name
    if read_metrics(directory).get("status") != FINISHED:
        resume = directory if (directory / CONFIG).exists() else None
        result = train(read_unfinished(resume) if resume else config, resume=resume, console=Console())
        if result.status != FINISHED:
            raise SystemExit(f"{directory} diverged: try another --seed")
    return directory


class Bounds(NamedTuple):
    """Of each test image, in nats: (N,) each."""

    negative_elbo: Tensor
    kl: Tensor
    nll: Tensor


def bounds(directory: Path, options: argparse.Namespace) -> Bounds:
    """The bounds of a trained model, from `samples` codes of each test image."""
    config = read_config(directory / CONFIG).replace(
        data_dir=options.data_dir, limit_test=options.test_images, iw_samples=options.samples
    )
    vae, images = load(directory), split_images(load_images(config), config).images["test"]
    with evaluating(vae):
        mu, log_var = map(torch.from_numpy, codes(vae, images, torch.arange(len(images))))
        of_codes, total = log_likelihood_of(vae, images), torch.zeros(len(images))

        def log_likelihood(z: Tensor) -> Tensor:
            found = of_codes(z)
            total.add_(found)
            return found

        nll = importance_weighted_nll(log_likelihood, mu, log_var, importance_noise(config, mu))
    kl = -0.5 * (1 + log_var - mu.square() - log_var.exp()).sum(dim=1)
    return Bounds(kl - total / options.samples, kl, nll)


def with_error(values: Tensor) -> str:
    """The mean, and its standard error as the mean of a sample of images."""
    values = values.double()
    return f"{values.mean():.2f} ± {values.std() / len(values) ** 0.5:.2f}"


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--log-dir", type=Path, default=Path("logs/published"))
    parser.add_argument("--images", type=int, default=5000, help="number of training images")
    parser.add_argument("--test-images", type=int, default=1000, help="number of test images of the bounds")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--samples", type=int, default=500, help="codes of each test image, at least 1")
    parser.add_argument("--binarize", nargs="+", choices=["none", "dynamic", "static"], default=["none", "dynamic"])
    parser.add_argument("--attention", choices=list(ATTENTIONS), default="none")
    parser.add_argument("--seed", type=int, default=768)
    return parser.parse_args(words)


def main() -> None:
    options = arguments()
    torch.set_num_threads(1)
    table = Table(
        "model",
        "trained on",
        "pixels",
        "-ELBO",
        "KL",
        "NLL",
        "samples",
        title="MNIST, two latent dimensions: nats per image, lower is better",
        caption=f"Ours: one seed, means over {options.test_images:,} of the 10,000 test images, ± their standard error "
        "due to the choice of images.\n* quoted by others; the paper itself was not read.",
    )
    for binarize in options.binarize:
        found = bounds(trained(options, binarize), options)
        table.add_row(
            f"ours: attention {options.attention}",
            f"{options.images:,} images, {options.epochs} epochs",
            {"none": "grey"}.get(binarize, binarize),
            *map(with_error, found),
            str(options.samples),
        )
    for row in PUBLISHED:
        table.add_row(*row)
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
