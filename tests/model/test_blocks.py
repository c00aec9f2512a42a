"""Layers against closed forms and slow references."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from attnae.model.activations import ACTIVATIONS
from attnae.model.blocks import ConvBlock, DenseBlock, DownConv, SpatialAttention, UpConv, activation

FORMULAS = {
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "relu": lambda x: max(x, 0.0),
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "gelu": lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2))),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "tanh": math.tanh,
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_is_its_formula(name):
    points = [-3.0, -0.5, 0.0, 0.7, 2.5]
    values = activation(name)(torch.tensor(points, dtype=torch.float64))
    assert values.tolist() == pytest.approx([FORMULAS[name](x) for x in points], abs=1e-12)


def test_unknown_activation_lists_the_valid_ones():
    with pytest.raises(ValueError, match="elu, relu, selu, sigmoid, gelu, silu, leaky_relu, tanh, mish"):
        activation("swish")


def slow_attention_map(x, weight, bias):
    """One position at a time: sigmoid of the 5x5 window of (max, mean) times the kernel."""
    batch, _, height, width = x.shape
    size = weight.shape[-1]
    result = torch.empty(batch, 1, height, width, dtype=x.dtype)
    for b in range(batch):
        for row in range(height):
            for column in range(width):
                total = bias.item()
                for i in range(size):
                    for j in range(size):
                        r, c = row + i - size // 2, column + j - size // 2
                        if 0 <= r < height and 0 <= c < width:
                            values = x[b, :, r, c]
                            total += weight[0, 0, i, j].item() * values.max().item()
                            total += weight[0, 1, i, j].item() * values.mean().item()
                result[b, 0, row, column] = 1 / (1 + math.exp(-total))
    return result


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
def test_spatial_attention_against_a_loop(kernel_size):
    torch.manual_seed(0)
    layer = SpatialAttention(kernel_size).double()
    nn.init.normal_(layer.conv.bias)
    x = torch.randn(2, 3, 6, 5, dtype=torch.float64)
    expected = slow_attention_map(x, layer.conv.weight, layer.conv.bias)
    torch.testing.assert_close(layer.attention_map(x), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(layer(x), x * expected, atol=1e-12, rtol=0)


def test_spatial_attention_by_hand():
    """One channel of ones, and a kernel that only reads the maximum at its centre."""
    layer = SpatialAttention()
    with torch.no_grad():
        layer.conv.weight.zero_()
        layer.conv.weight[0, 0, 2, 2] = 1
        layer.conv.bias.fill_(0.5)
    x = torch.tensor([1.0, -3.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4)
    assert layer(x)[0, :, 2, 2].tolist() == pytest.approx([1 / (1 + math.exp(-1.5)), -3 / (1 + math.exp(-1.5))])


def test_spatial_attention_has_a_bias_and_no_norm():
    assert {name: tuple(p.shape) for name, p in SpatialAttention().named_parameters()} == {
        "conv.weight": (1, 2, 5, 5),
        "conv.bias": (1,),
    }


def test_spatial_attention_gradient():
    torch.manual_seed(1)
    layer = SpatialAttention(3).double()
    x = torch.randn(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)


def test_gradient_of_a_tie_is_shared():
    """As in the original: where channels tie for the maximum, each gets an equal part."""
    layer = SpatialAttention(1).double()
    with torch.no_grad():
        layer.conv.weight.copy_(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1))
    x = torch.ones(1, 4, 1, 1, dtype=torch.float64, requires_grad=True)
    layer.attention_map(x).sum().backward()
    slope = torch.sigmoid(torch.tensor(1.0)) * (1 - torch.sigmoid(torch.tensor(1.0)))
    assert x.grad.flatten().tolist() == pytest.approx([slope.item() / 4] * 4)


@pytest.mark.parametrize("size", [0, 2, 4, -1])
def test_attention_kernel_must_be_odd(size):
    with pytest.raises(ValueError, match="must be odd"):
        SpatialAttention(size)


def test_conv_block_order():
    block = ConvBlock(3, 4, spatial_attention=True, act="elu")
    assert [name for name, _ in block.named_children()] == ["conv", "attention", "norm", "dropout", "act"]
    assert isinstance(block.act, nn.ELU)
    assert block.dropout.p == 0.2
    assert block.conv.bias is None


@pytest.mark.parametrize(
    ("option", "layer"), [({"batch_norm": False}, "norm"), ({"dropout": 0.0}, "dropout"), ({}, "attention")]
)
def test_a_layer_that_is_off_is_not_built(option, layer):
    on = {"batch_norm": True, "dropout": 0.2, "spatial_attention": layer == "attention"}
    assert hasattr(ConvBlock(2, 3, **on), layer)
    assert not hasattr(ConvBlock(2, 3, **{**on, "spatial_attention": False, **option}), layer)


def test_conv_block_is_the_composition_of_its_layers():
    torch.manual_seed(2)
    block = ConvBlock(3, 4, spatial_attention=True, act="selu").eval()
    block.norm.running_mean.normal_()
    block.norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 3, 7, 7)
    y = F.conv2d(x, block.conv.weight, padding=1)
    y = y * block.attention.attention_map(y)
    mean, variance = (v.view(1, -1, 1, 1) for v in (block.norm.running_mean, block.norm.running_var))
    y = F.selu((y - mean) / torch.sqrt(variance + 1e-3))
    torch.testing.assert_close(block(x), y, atol=1e-5, rtol=1e-5)


def test_batch_norm_is_that_of_the_original():
    norm = ConvBlock(1, 2).norm
    assert (norm.eps, norm.momentum) == (1e-3, 0.01)
    x = torch.randn(8, 2, 3, 3, generator=torch.Generator().manual_seed(0)) * 3 + 1
    norm.train()(x)
    torch.testing.assert_close(norm.running_mean, 0.01 * x.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, 0.99 + 0.01 * x.var((0, 2, 3)))


def test_dense_block_concatenates_behind():
    torch.manual_seed(3)
    block = DenseBlock(3, 2, 3, partial(ConvBlock, dropout=0.0)).eval()
    x = torch.randn(2, 3, 5, 5)
    y = block(x)
    assert y.shape == (2, 3 + 3 * 2, 5, 5)
    assert block.out_channels == 9
    torch.testing.assert_close(y[:, :3], x)
    torch.testing.assert_close(y[:, 3:5], block.block0(x))
    torch.testing.assert_close(y[:, 5:7], block.block1(y[:, :5]))
    torch.testing.assert_close(y[:, 7:9], block.block2(y[:, :7]))


def test_dropout_acts_in_training_only():
    torch.manual_seed(4)
    block = ConvBlock(1, 8, batch_norm=False, dropout=0.5, act="sigmoid")
    x = torch.randn(4, 1, 16, 16)
    halves = (block.train()(x) == 0.5).float().mean().item()  # sigmoid(0): a dropped value
    assert halves == pytest.approx(0.5, abs=0.02)  # 8192 values: six standard errors
    assert (block.eval()(x) == 0.5).sum() == 0


@pytest.mark.parametrize(("size", "pads"), [(28, (0, 1)), (8, (0, 1)), (7, (1, 1)), (5, (1, 1)), (1, (1, 1))])
def test_down_conv_pads_as_the_original(size, pads):
    """Even sides: nothing before and one behind; odd sides: one on both ends."""
    torch.manual_seed(5)
    layer = DownConv(2, 3)
    x = torch.randn(2, 2, size, size)
    expected = F.conv2d(F.pad(x, (*pads, *pads)), layer.weight, stride=2)
    assert layer(x).shape[-1] == (size + 1) // 2
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("size", [7, 8])
def test_up_conv_scatters_and_crops_behind(size):
    torch.manual_seed(6)
    layer = UpConv(2, 3, size)
    x = torch.randn(1, 2, 4, 4)
    full = torch.zeros(1, 3, 9, 9)
    for i in range(4):
        for j in range(4):
            full[0, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += torch.einsum("c,cohw->ohw", x[0, :, i, j], layer.weight)
    torch.testing.assert_close(layer(x), full[..., :size, :size], atol=1e-6, rtol=1e-5)


def test_kernels_start_glorot_uniform_and_biases_zero():
    torch.manual_seed(7)
    block = ConvBlock(30, 40, spatial_attention=True)
    for kernel, fan in ((block.conv.weight, (30 + 40) * 9), (block.attention.conv.weight, (2 + 1) * 25)):
        limit = math.sqrt(6 / fan)
        assert kernel.abs().max() <= limit
        assert kernel.abs().max() > 0.9 * limit
    # Uniform in (-limit, limit): the standard deviation is limit / sqrt(3).
    assert block.conv.weight.std().item() == pytest.approx(math.sqrt(6 / 630 / 3), rel=0.02)
    assert block.attention.conv.bias.item() == 0
