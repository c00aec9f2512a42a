"""How good a trained model is beyond its loss: pure functions of codes, likelihoods and labels."""

import math
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

ACTIVE_VARIANCE = 0.01
NEIGHBOURS = 10


def active_units(mu: Tensor) -> int:
    """How many latent dimensions say something about the image: (N, latent) posterior means -> a count.

    Those whose mean has a variance over the images above 0.01 (Burda et al. 2016, section 5.2).
    """
    return int((mu.double().var(dim=0, correction=0) > ACTIVE_VARIANCE).sum())


def bernoulli_log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """log p(x | z) of images x in [0, 1], in nats, summed over values: two (B, C, H, W) -> (B,).

    Grey values count as probabilities, as in the training loss.
    """
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(dim=1)


def importance_weighted_nll(
    log_likelihood: Callable[[Tensor], Tensor], mu: Tensor, log_var: Tensor, noise: Iterable[Tensor]
) -> Tensor:
    """An upper bound, in expectation, of the negative log-likelihood of each image, in nats: (N,).

    -log(1/K sum_k p(x | z_k) p(z_k) / q(z_k | x)), z_k drawn from q = N(mu, exp(log_var)), with the prior N(0, 1)
    (Burda et al. 2016, equation 8, with its sign turned). On average it falls with K, from -ELBO at K = 1 towards
    -log p(x). The KL term counts whole here, whatever its weight was in training.

    Args:
        log_likelihood: codes (N, latent) -> log p(x | z) of each image under its code, in nats: (N,).
        mu, log_var: (N, latent).
        noise: K standard normal tensors, (N, latent) each.
    """
    weights, samples = torch.full_like(mu[:, 0], -torch.inf), 0
    for eps in noise:
        z = mu + torch.exp(log_var / 2) * eps
        log_ratio = 0.5 * (eps.square() - z.square() + log_var).sum(dim=1)  # log p(z) - log q(z | x)
        weights = torch.logaddexp(weights, log_likelihood(z) + log_ratio)
        samples += 1
    return math.log(samples) - weights


def knn_accuracy(
    train_codes: np.ndarray, train_labels: np.ndarray, test_codes: np.ndarray, test_labels: np.ndarray
) -> float:
    """The share of test codes (M, latent) whose label is the commonest among their 10 nearest training codes.

    Distances are Euclidean, neighbours count alike, and of equally common labels the smallest is taken; fewer than 10
    training codes are all neighbours. NaN where a code is not finite.
    """
    from sklearn.neighbors import KNeighborsClassifier

    if not (np.isfinite(train_codes).all() and np.isfinite(test_codes).all()):
        return float("nan")
    classifier = KNeighborsClassifier(min(NEIGHBOURS, len(train_codes)))
    return float(classifier.fit(train_codes, train_labels).score(test_codes, test_labels))
