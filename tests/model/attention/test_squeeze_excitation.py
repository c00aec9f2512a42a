"""Squeeze-and-excitation by hand, and against a loop written from the paper."""

import math

import pytest
import torch

from attnae.model.attention.squeeze_excitation import SqueezeExcitation


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def slow_scales(x, first, second):
    """Equations 2 and 3 of the paper for one image: z_c is the mean, s = sigmoid(W2 relu(W1 z))."""
    channels, height, width = len(x), len(x[0]), len(x[0][0])
    z = [sum(x[c][i][j] for i in range(height) for j in range(width)) / (height * width) for c in range(channels)]
    hidden = [max(0.0, sum(weight * value for weight, value in zip(row, z, strict=True))) for row in first]
    return [sigmoid(sum(weight * value for weight, value in zip(row, hidden, strict=True))) for row in second]


def test_by_hand():
    """Two channels of the means 2 and 0; the hidden unit reads 2 c0 - c1 = 4, and the outputs 0.5 and -1 times it."""
    layer = SqueezeExcitation(2, 2)
    with torch.no_grad():
        layer.fc0.weight.copy_(torch.tensor([[2.0, -1.0]]))
        layer.fc1.weight.copy_(torch.tensor([[0.5], [-1.0]]))
    x = torch.tensor([[1.0, 3.0], [-4.0, 4.0]]).view(1, 2, 1, 2)
    scales = [sigmoid(2.0), sigmoid(-4.0)]
    assert layer.attention_map(x).flatten().tolist() == pytest.approx(scales)
    assert layer(x).flatten().tolist() == pytest.approx([scales[0], 3 * scales[0], -4 * scales[1], 4 * scales[1]])


def test_the_maximum_does_not_matter():
    """Unlike the channel attention of CBAM: two maps of one mean have one scale."""
    layer = SqueezeExcitation(1, 1)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.fill_(1)
    flat, peaked = torch.full((1, 1, 2, 2), 1.0), torch.tensor([0.0, 0.0, 0.0, 4.0]).view(1, 1, 2, 2)
    assert layer.attention_map(flat).item() == layer.attention_map(peaked).item() == pytest.approx(sigmoid(1.0))


@pytest.mark.parametrize("reduction", [1, 2, 4, 100])
def test_against_a_loop(reduction):
    torch.manual_seed(4)
    layer = SqueezeExcitation(7, reduction).double()
    x = 20 * torch.randn(3, 7, 4, 5, dtype=torch.float64)
    expected = torch.tensor(
        [slow_scales(image.tolist(), layer.fc0.weight.tolist(), layer.fc1.weight.tolist()) for image in x],
        dtype=torch.float64,
    )
    torch.testing.assert_close(layer.attention_map(x), expected[..., None, None], atol=1e-12, rtol=0)
    assert expected.std() > 0.01
