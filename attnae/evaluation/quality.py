"""What a run measures of its trained model once, with the test: metrics beyond the loss."""

from __future__ import annotations

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
from attnae.tags import ACTIVE_UNITS, KNN_ACCURACY, NLL

# Training images whose codes vote on the labels of the test images.
KNN_IMAGES = 5000


def quality_tags(config: RunConfig, data: ImageData) -> tuple[str, ...]:
    """The tags that `quality_metrics` gives: NLL where asked for and defined, accuracy where all images have labels."""
    labelled = all((data.labels[split] >= 0).all() for split in ("train", "test"))
    return (
        ACTIVE_UNITS,
        *([NLL] if config.variational and config.iw_samples else []),
        *([KNN_ACCURACY] if labelled else []),
    )


def quality_metrics(vae: VAE, data: ImageData, config: RunConfig) -> dict[str, float]:
    """{tag: value} over all test images, which are encoded once; the model is left as it was.

    The noise of the bound is a function of seed, sample and image alone.
    """
    tags = quality_tags(config, data)
    with evaluating(vae):
        mu, log_var = codes(vae, data.images["test"], torch.arange(data.sizes["test"]))
        metrics = {ACTIVE_UNITS: float(active_units(torch.from_numpy(mu)))}
        if NLL in tags:
            assert log_var is not None
            metrics[NLL] = _nll(vae, data.images["test"], torch.from_numpy(mu), torch.from_numpy(log_var), config)
        if KNN_ACCURACY in tags:
            voters = np.array(hash_order(range(data.sizes["train"]))[:KNN_IMAGES])
            voting, _ = codes(vae, data.images["train"], torch.from_numpy(voters))
            metrics[KNN_ACCURACY] = knn_accuracy(
                voting.astype(float), data.labels["train"][voters], mu.astype(float), data.labels["test"]
            )
    return metrics


def _nll(vae: VAE, images: Tensor, mu: Tensor, log_var: Tensor, config: RunConfig) -> float:
    """The mean bound over the images, with `config.iw_samples` samples, in nats per image."""
    positions = torch.arange(len(images)).split(EVALUATION_BATCH)
    like = next(vae.parameters())

    def log_likelihood(z: Tensor) -> Tensor:
        return torch.cat(
            [
                bernoulli_log_likelihood(vae.decode_logits(part.to(like)).float(), scaled(vae, images, index).float())
                for part, index in zip(z.split(EVALUATION_BATCH), positions, strict=True)
            ]
        ).cpu()

    noise = (
        torch.randn(mu.shape, generator=generator(config.seed, IMPORTANCE, sample))
        for sample in range(config.iw_samples)
    )
    return importance_weighted_nll(log_likelihood, mu, log_var, noise).double().mean().item()
