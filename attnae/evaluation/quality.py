"""Metrics of a trained model beyond the loss: computed once, after the test, on all test images.

A new metric is one entry of `MODEL_METRICS`. Its value is then logged to TensorBoard and metrics.json as `test/<name>`,
shown with its unit at the end of a run, and offered to the analysis as a response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from attnae.config import RunConfig
from attnae.data.module import EVALUATION_BATCH, ImageData
from attnae.data.types import hash_order
from attnae.evaluation.apply import codes, evaluating, scaled
from attnae.model.quality import active_units, bernoulli_log_likelihood, importance_weighted_nll, knn_accuracy
from attnae.model.vae import VAE
from attnae.seeding import IMPORTANCE, generator
from attnae.tags import scalar

# At most so many training images vote on the labels of the test images.
KNN_IMAGES = 5000


@dataclass(frozen=True)
class TrainedModel:
    """What a metric is computed from: a model in evaluation mode, its options, its images, and their codes.

    `mu` and `log_var`, float32 (N, latent), are the codes of the N test images; `log_var` is None in a plain
    autoencoder.
    """

    vae: VAE
    config: RunConfig
    data: ImageData
    mu: np.ndarray
    log_var: np.ndarray | None


@dataclass(frozen=True)
class Metric:
    """A metric of a trained model.

    `name` makes its tag, `test/<name>`; `unit` is shown beside its value; `compute` gives the value, without gradients
    and without drawing from torch's global generator; `applies` tells whether it is defined for these options and
    images.
    """

    name: str
    unit: str
    compute: Callable[[TrainedModel], float]
    applies: Callable[[RunConfig, ImageData], bool] = lambda config, data: True

    @property
    def tag(self) -> str:
        """Its name in TensorBoard, metrics.json and the analysis."""
        return scalar("test", self.name)


def quality_tags(config: RunConfig, data: ImageData) -> tuple[str, ...]:
    """The tags of the metrics that `quality_metrics` computes for these options and images."""
    return tuple(metric.tag for metric in MODEL_METRICS if metric.applies(config, data))


def quality_metrics(vae: VAE, data: ImageData, config: RunConfig) -> dict[str, float]:
    """{tag: value} of every metric that applies, over all test images, which are encoded once.

    The mode of the model and torch's random state are left as they were.
    """
    with evaluating(vae):
        mu, log_var = codes(vae, data.images["test"], torch.arange(data.sizes["test"]))
        trained = TrainedModel(vae, config, data, mu, log_var)
        return {metric.tag: metric.compute(trained) for metric in MODEL_METRICS if metric.applies(config, data)}


def _active_units(trained: TrainedModel) -> float:
    return float(active_units(torch.from_numpy(trained.mu)))


def _has_bound(config: RunConfig, data: ImageData) -> bool:
    return config.variational and config.iw_samples > 0


def _nll(trained: TrainedModel) -> float:
    """The mean of the importance-weighted bound; its noise depends on the seed, the sample and the image only."""
    assert trained.log_var is not None
    mu, log_var = torch.from_numpy(trained.mu), torch.from_numpy(trained.log_var)
    log_likelihood = log_likelihood_of(trained.vae, trained.data.images["test"])
    noise = importance_noise(trained.config, mu)
    return importance_weighted_nll(log_likelihood, mu, log_var, noise).double().mean().item()


def log_likelihood_of(vae: VAE, images: Tensor) -> Callable[[Tensor], Tensor]:
    """For images (N, C, H, W), uint8: codes (N, latent) -> log p(x | z) of each image under its code, in nats: (N,)."""
    positions = torch.arange(len(images)).split(EVALUATION_BATCH)
    like = next(vae.parameters())

    def log_likelihood(z: Tensor) -> Tensor:
        return torch.cat(
            [
                bernoulli_log_likelihood(vae.decode_logits(part.to(like)).float(), scaled(vae, images, index).float())
                for part, index in zip(z.split(EVALUATION_BATCH), positions, strict=True)
            ]
        ).cpu()

    return log_likelihood


def importance_noise(config: RunConfig, mu: Tensor) -> Iterator[Tensor]:
    """The standard normal noise of each of the `iw_samples` samples, each of the shape of mu, (N, latent)."""
    for sample in range(config.iw_samples):
        yield torch.randn(mu.shape, generator=generator(config.seed, IMPORTANCE, sample))


def _all_labelled(config: RunConfig, data: ImageData) -> bool:
    return all((data.labels[split] >= 0).all() for split in ("train", "test"))


def _knn_accuracy(trained: TrainedModel) -> float:
    data = trained.data
    voters = np.array(hash_order(range(data.sizes["train"]))[:KNN_IMAGES])
    voting, _ = codes(trained.vae, data.images["train"], torch.from_numpy(voters))
    return knn_accuracy(
        voting.astype(float), data.labels["train"][voters], trained.mu.astype(float), data.labels["test"]
    )


MODEL_METRICS = [
    Metric("active_units", "latent dimensions in use", _active_units),
    Metric("nll", "nats per image, an upper bound", _nll, applies=_has_bound),
    Metric("knn_accuracy", "10-nearest-neighbour accuracy of the latent code", _knn_accuracy, applies=_all_labelled),
]
