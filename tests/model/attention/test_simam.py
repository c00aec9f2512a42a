"""SimAM by hand, and against a loop written from the paper."""

import math

import pytest
import torch

from attnae.model.attention.simam import SimAM


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_by_hand():
    """A channel 0, 0, 0, 4: mean 1, squared distances 1, 1, 1, 9, and so v = 12 / 3 = 4."""
    x = torch.tensor([0.0, 0.0, 0.0, 4.0], dtype=torch.float64).view(1, 1, 2, 2)
    expected = [sigmoid(d / (4 * (4 + 1e-4)) + 0.5) for d in (1, 1, 1, 9)]
    assert SimAM().attention_map(x).flatten().tolist() == pytest.approx(expected, abs=1e-12)
    assert SimAM()(x).flatten().tolist() == pytest.approx([0, 0, 0, 4 * expected[3]], abs=1e-12)


def test_the_values_far_from_the_mean_count_most():
    x = torch.tensor([-3.0, -1.0, 0.0, 4.0]).view(1, 1, 2, 2)
    scales = SimAM().attention_map(x).flatten()
    assert scales.argsort().tolist() == [2, 1, 0, 3]


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 1, 1)])
@pytest.mark.parametrize("value", [0.0, -7.0, 1e4])
def test_a_constant_map_is_scaled_by_a_known_factor(value, shape):
    x = torch.full(shape, value)
    torch.testing.assert_close(SimAM()(x), x * sigmoid(0.5), atol=0, rtol=1e-6)


def test_scaling_the_input_does_not_change_the_weights():
    """As far as the regularization does not count."""
    x = 100 * torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(SimAM().attention_map(x), SimAM().attention_map(-5 * x + 3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("regularization", [1e-4, 1.0])
def test_against_a_loop(regularization):
    """The minimal energy of a neuron t is e = 4 (v + r) / ((t - m)^2 + 2 v + 2 r); the weight is sigmoid(1 / e)."""
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    scales = SimAM(regularization).attention_map(x)
    for image, weights in zip(x, scales, strict=True):
        for channel, found in zip(image, weights, strict=True):
            values = channel.flatten().tolist()
            mean = sum(values) / len(values)
            v = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
            for t, weight in zip(values, found.flatten().tolist(), strict=True):
                energy = 4 * (v + regularization) / ((t - mean) ** 2 + 2 * v + 2 * regularization)
                assert weight == pytest.approx(sigmoid(1 / energy), abs=1e-12)


def test_it_has_nothing_to_learn():
    assert SimAM().state_dict() == {}
