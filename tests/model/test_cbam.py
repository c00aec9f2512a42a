"""The parts of CBAM that the article leaves out: channel attention, and the norm of the spatial one."""

import math

import pytest
import torch

from attnae.model.blocks import ChannelAttention, ConvBlock, SpatialAttention


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def slow_channel_attention(x, first, second):
    """CBAM's equation 2, one image, channel and hidden unit at a time."""
    batch, channels, _, _ = x.shape
    result = torch.empty(batch, channels, 1, 1, dtype=x.dtype)
    for b in range(batch):
        total = [0.0] * channels
        for pool in (torch.mean, torch.max):
            pooled = [pool(x[b, c]).item() for c in range(channels)]
            for unit in range(len(first)):
                hidden = max(0.0, sum(first[unit, c].item() * pooled[c] for c in range(channels)))
                for c in range(channels):
                    total[c] += second[c, unit].item() * hidden
        result[b, :, 0, 0] = torch.tensor([sigmoid(t) for t in total], dtype=x.dtype)
    return result


@pytest.mark.parametrize("reduction", [1, 2, 3, 100])
def test_channel_attention_against_a_loop(reduction):
    torch.manual_seed(4)
    layer = ChannelAttention(7, reduction).double()
    x = torch.randn(3, 7, 4, 5, dtype=torch.float64)
    expected = slow_channel_attention(x, layer.mlp.fc0.weight, layer.mlp.fc1.weight)
    torch.testing.assert_close(layer.attention_map(x), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(layer(x), x * expected, atol=1e-12, rtol=0)
    assert expected.std() > 0.01  # the channels do differ


def test_channel_attention_by_hand():
    """Two channels, one hidden unit: means 2 and 0, maxima 3 and 4; the unit reads c0 - c1 / 2."""
    layer = ChannelAttention(2, 2)
    with torch.no_grad():
        layer.mlp.fc0.weight.copy_(torch.tensor([[1.0, -0.5]]))
        layer.mlp.fc1.weight.copy_(torch.tensor([[0.5], [-1.0]]))
    x = torch.tensor([[1.0, 3.0], [-4.0, 4.0]]).view(1, 2, 1, 2)
    # relu(2 - 0) + relu(3 - 2) = 3, and then 0.5 * 3 and -1 * 3.
    scales = [sigmoid(1.5), sigmoid(-3.0)]
    assert layer.attention_map(x).flatten().tolist() == pytest.approx(scales)
    assert layer(x).flatten().tolist() == pytest.approx([scales[0], 3 * scales[0], -4 * scales[1], 4 * scales[1]])


def test_the_perceptron_rectifies_each_pooling_by_itself():
    """The sum is of its outputs (equation 2): the maximum cannot make up for a mean below zero."""
    layer = ChannelAttention(1, 1)
    with torch.no_grad():
        layer.mlp.fc0.weight.fill_(1)
        layer.mlp.fc1.weight.fill_(1)
    x = torch.tensor([-9.0, 1.0]).view(1, 1, 1, 2)  # mean -4, maximum 1
    assert layer.attention_map(x).item() == pytest.approx(sigmoid(1.0))


@pytest.mark.parametrize(("channels", "reduction", "hidden"), [(35, 4, 8), (15, 4, 3), (15, 16, 1), (5, 1, 5)])
def test_hidden_units_and_no_biases(channels, reduction, hidden):
    layer = ChannelAttention(channels, reduction)
    assert {name: tuple(weight.shape) for name, weight in layer.named_parameters()} == {
        "mlp.fc0.weight": (hidden, channels),
        "mlp.fc1.weight": (channels, hidden),
    }
    for weight in layer.parameters():
        limit = math.sqrt(6 / (channels + hidden))  # Glorot-uniform
        assert 0.5 * limit < weight.abs().max() <= limit


def test_channel_attention_lies_between_0_and_1_and_keeps_the_shape():
    torch.manual_seed(1)
    x = 5 * torch.randn(4, 15, 7, 7)
    layer = ChannelAttention(15)
    scales = layer.attention_map(x)
    assert scales.shape == (4, 15, 1, 1)
    assert 0 < scales.min() < 0.4 < 0.6 < scales.max() < 1
    assert layer(x).shape == x.shape


def test_channel_attention_gradient():
    torch.manual_seed(2)
    x = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ChannelAttention(3, 1).double(), x)


def test_reduction_must_be_positive():
    with pytest.raises(ValueError, match="reduction 0 must be at least 1"):
        ChannelAttention(4, 0)


def test_attention_norm_by_hand():
    """Four positions of one channel, and a kernel that reads the maximum: the scores 0, 2, 4, 6 of mean 3."""
    layer = SpatialAttention(1, norm=True).double()
    with torch.no_grad():
        layer.conv.weight.copy_(torch.tensor([2.0, 0.0]).view(1, 2, 1, 1))
        layer.norm.weight.fill_(0.5)
        layer.norm.bias.fill_(-1.0)
    x = torch.arange(4.0, dtype=torch.float64).view(1, 1, 2, 2)
    deviation = math.sqrt(5 + 1e-3)  # of the four scores, biased
    expected = [sigmoid(0.5 * (score - 3) / deviation - 1) for score in (0, 2, 4, 6)]
    assert layer.train().attention_map(x).flatten().tolist() == pytest.approx(expected, abs=1e-12)
    mean, variance = 0.01 * 3, 0.99 + 0.01 * 20 / 3  # the running statistics after that one pass
    expected = [sigmoid(0.5 * (score - mean) / math.sqrt(variance + 1e-3) - 1) for score in (0, 2, 4, 6)]
    assert layer.eval().attention_map(x).flatten().tolist() == pytest.approx(expected, abs=1e-12)


def test_attention_norm_takes_the_place_of_the_bias():
    assert {name: tuple(weight.shape) for name, weight in SpatialAttention(7, norm=True).named_parameters()} == {
        "conv.weight": (1, 2, 7, 7),
        "norm.weight": (1,),
        "norm.bias": (1,),
    }
    assert list(SpatialAttention().state_dict()) == ["conv.weight", "conv.bias"]


def test_channel_attention_comes_before_the_spatial_one():
    """CBAM, equation 1, in the middle of a block: each scales what the other left."""
    block = ConvBlock(3, 6, channel_attention=True, spatial_attention=True, attention_norm=True, channel_reduction=3)
    names = [name for name, _ in block.named_children()]
    assert names == ["conv", "channel_attention", "attention", "norm", "dropout", "act"]
    torch.manual_seed(3)
    block = ConvBlock(3, 6, channel_attention=True, spatial_attention=True, batch_norm=False, dropout=0.0).double()
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64)
    y = block.conv(x)
    y = y * slow_channel_attention(y, block.channel_attention.mlp.fc0.weight, block.channel_attention.mlp.fc1.weight)
    y = y * block.attention.attention_map(y)
    torch.testing.assert_close(block(x), torch.relu(y), atol=1e-12, rtol=0)
