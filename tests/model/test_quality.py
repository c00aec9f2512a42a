"""Quality metrics against closed forms, and neighbours counted by hand."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal

from attnae.model.quality import active_units, bernoulli_log_likelihood, importance_weighted_nll, knn_accuracy


def noise(samples, shape, seed=0):
    source = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=source, dtype=torch.float64) for _ in range(samples)]


def test_active_units_are_those_that_vary_over_images():
    """Means of +-a have the variance a^2, over images and not over dimensions: 0.04, 0.01 + a bit, 0.01 - a bit, 0."""
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0]).unsqueeze(1)
    mu = signs * torch.tensor([0.2, 0.1001, 0.0999, 0.0]) + torch.tensor([0.0, 7.0, -3.0, 100.0])
    assert active_units(mu) == 2
    assert active_units(mu[:, 2:]) == 0
    assert active_units(mu[:1]) == 0  # one image varies by nothing


def test_bernoulli_log_likelihood_is_summed_over_values():
    logits = torch.tensor([[0.5, -1.0, 2.0], [0.0, 3.0, -2.0]]).view(2, 3, 1, 1)
    x = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]).view(2, 3, 1, 1)
    expected = Independent(Bernoulli(logits=logits), 3).log_prob(x)
    torch.testing.assert_close(bernoulli_log_likelihood(logits, x), expected)
    grey = torch.full((1, 1, 1, 1), 0.25)
    by_hand = 0.25 * math.log(0.5) + 0.75 * math.log(0.5)
    assert bernoulli_log_likelihood(torch.zeros(1, 1, 1, 1), grey).item() == pytest.approx(by_hand)


class LinearGaussian:
    """p(x | z) = N(z, 1/4) and p(z) = N(0, 1): so p(x) = N(0, 5/4) and p(z | x) = N(4/5 x, 1/5); four x, many times."""

    def __init__(self, times):
        self.x = torch.tensor([-2.0, 0.0, 0.3, 1.5], dtype=torch.float64).repeat_interleave(times)
        self.nll = 0.5 * (self.x.square() / 1.25 + math.log(2 * math.pi * 1.25))

    def log_likelihood(self, z):
        return -0.5 * ((self.x - z[:, 0]).square() / 0.25 + math.log(2 * math.pi * 0.25))

    def bound(self, mu, variance, samples):
        log_var = torch.full_like(mu, math.log(variance)).unsqueeze(1)
        return importance_weighted_nll(self.log_likelihood, mu.unsqueeze(1), log_var, noise(samples, (len(self.x), 1)))


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_bound_of_the_true_posterior_is_exact_for_every_sample(samples):
    model = LinearGaussian(3)
    torch.testing.assert_close(model.bound(0.8 * model.x, 0.2, samples), model.nll, atol=1e-12, rtol=0)


def test_bound_of_one_sample_is_the_elbo_on_average():
    """KL and expected log-likelihood in closed form, for a posterior that is off: mean x / 2, variance 1/2."""
    model = LinearGaussian(10_000)
    mu, variance = model.x / 2, 0.5
    kl = 0.5 * (mu.square() + variance - 1 - math.log(variance))
    expected_log_likelihood = model.log_likelihood(mu.unsqueeze(1)) - 0.5 * variance / 0.25
    difference = (model.bound(mu, variance, 1) - (kl - expected_log_likelihood)).view(4, -1)
    assert (difference.mean(1) / (difference.std(1) / 100)).abs().max() < 4  # in standard errors
    assert (difference.std(1) < 3).all()


def test_bound_falls_with_samples_and_ends_at_the_likelihood():
    model = LinearGaussian(1000)
    loose, tighter, close, tight = (model.bound(model.x / 2, 0.5, samples).view(4, -1) for samples in (1, 4, 16, 500))
    assert (loose.mean(1) - tighter.mean(1) > 0.1).all()
    assert (tighter.mean(1) - close.mean(1) > 0.02).all()
    torch.testing.assert_close(tight.mean(1), model.nll.view(4, -1).mean(1), atol=0.01, rtol=0)


@pytest.mark.parametrize("samples", [1, 3])
def test_bound_of_a_decoder_that_ignores_the_code_is_exact(samples):
    """With the prior as posterior, every weight is p(x); in more dimensions than one."""
    log_likelihood = torch.tensor([-3.0, -700.0, -1e5], dtype=torch.float64)
    zeros = torch.zeros(3, 4, dtype=torch.float64)
    bound = importance_weighted_nll(lambda z: log_likelihood, zeros, zeros, noise(samples, (3, 4)))
    torch.testing.assert_close(bound, -log_likelihood, atol=1e-12, rtol=1e-12)


def test_bound_is_the_mean_of_the_weights_as_they_are_defined():
    """Against densities of torch.distributions, without a log-sum-exp."""
    mu, log_var = noise(2, (5, 3), seed=1)
    draws = noise(4, (5, 3), seed=2)
    weights = []
    for eps in draws:
        z = mu + (log_var / 2).exp() * eps
        prior = Normal(0.0, 1.0).log_prob(z).sum(1)
        posterior = Normal(mu, (log_var / 2).exp()).log_prob(z).sum(1)
        weights.append((z.cos().sum(1) + prior - posterior).exp())
    bound = importance_weighted_nll(lambda z: z.cos().sum(1), mu, log_var, iter(draws))
    torch.testing.assert_close(bound, -torch.stack(weights).mean(0).log(), atol=1e-12, rtol=0)


def test_nearest_neighbours_by_hand():
    """Ten training codes at 0 ... 9 and a far one: the ten nearest of each test code are counted."""
    codes = np.array([[0], [1], [2], [3], [4], [5], [6], [7], [8], [9], [100]], dtype=float)
    labels = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0])
    # Of 4 the nearest are 0 ... 9, six ones and four zeros; of 90 they are 1 ... 9 and 100, five and five: a tie.
    test = np.array([[4.0], [90.0]])
    assert knn_accuracy(codes, labels, test, np.array([1, 0])) == 1.0
    assert knn_accuracy(codes, labels, test, np.array([0, 0])) == 0.5
    assert knn_accuracy(codes, labels, test, np.array([0, 1])) == 0.0


def test_neighbours_against_a_sort():
    """Every distance, a stable sort, and a vote."""
    source = np.random.default_rng(0)
    codes, test = source.normal(size=(60, 3)), source.normal(size=(40, 3))
    labels, truth = source.integers(0, 3, 60), source.integers(0, 3, 40)
    votes = [labels[np.argsort(np.linalg.norm(codes - code, axis=1), kind="stable")[:10]] for code in test]
    told = np.array([np.bincount(vote).argmax() for vote in votes])
    assert knn_accuracy(codes, labels, test, truth) == pytest.approx((told == truth).mean(), abs=1e-12)


def test_few_training_codes_are_all_neighbours():
    codes = np.array([[0.0, 0.0], [9.0, 9.0], [9.0, 8.0]])
    assert knn_accuracy(codes, np.array([4, 7, 7]), codes[:1], np.array([7])) == 1.0


def test_codes_that_are_not_finite_have_no_accuracy():
    codes = np.array([[0.0], [np.inf]])
    assert math.isnan(knn_accuracy(codes, np.array([0, 1]), codes[:1], np.array([0])))
    assert math.isnan(knn_accuracy(codes[:1], np.array([0]), codes, np.array([0, 1])))
