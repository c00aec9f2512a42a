"""Efficient channel attention by hand, and against a loop written from the paper."""

import math

import pytest
import torch

from attnae.model.attention.eca import EfficientChannelAttention, eca_kernel_size


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    ("channels", "size"),
    # The paper: 3 for few channels, 5 for 128 and more; the article's blocks have 15 and 25.
    [(1, 1), (2, 1), (7, 1), (8, 3), (15, 3), (25, 3), (64, 3), (128, 5), (256, 5), (512, 5), (2048, 7)],
)
def test_kernel_size(channels, size):
    assert eca_kernel_size(channels) == size
    assert EfficientChannelAttention(channels).conv.weight.shape == (1, 1, size)


def test_by_hand():
    """Eight channels of the means 0 to 7, and the kernel (1, 0, -1): the channel before less the one behind."""
    layer = EfficientChannelAttention(8)
    with torch.no_grad():
        layer.conv.weight.copy_(torch.tensor([1.0, 0.0, -1.0]).view(1, 1, 3))
    means = torch.arange(8.0)
    x = means.view(1, 8, 1, 1) + torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2)
    expected = [sigmoid(0 - 1), *[sigmoid(-2)] * 6, sigmoid(6)]
    assert layer.attention_map(x).flatten().tolist() == pytest.approx(expected)
    assert layer(x)[0, :, 0, 1].tolist() == pytest.approx(
        [s * (m + 1) for s, m in zip(expected, range(8), strict=True)]
    )


@pytest.mark.parametrize("channels", [5, 15, 130])
def test_against_a_loop(channels):
    """The paper's equation: the weight of channel i is sigmoid(sum_j w_j y_(i + j)) over its k neighbours."""
    torch.manual_seed(4)
    layer = EfficientChannelAttention(channels).double()
    x = torch.randn(3, channels, 4, 5, dtype=torch.float64)
    kernel = layer.conv.weight.flatten().tolist()
    reach = len(kernel) // 2
    for image, scales in zip(x, layer.attention_map(x), strict=True):
        y = [channel.mean().item() for channel in image]
        for i in range(channels):
            near = {j: y[i + j] for j in range(-reach, reach + 1) if 0 <= i + j < channels}
            expected = sigmoid(sum(kernel[j + reach] * value for j, value in near.items()))
            assert scales[i].item() == pytest.approx(expected, abs=1e-12)
