"""Coordinate attention by hand, and against a loop written from the paper."""

import math

import pytest
import torch

from attnae.model.attention.coordinate import CoordinateAttention


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def hard_swish(x):
    return x * min(max(x + 3, 0), 6) / 6


def test_by_hand():
    """One channel: the rows have the means 1 and 5, the columns 2 and 4. The norm is off by its statistics."""
    layer = CoordinateAttention(1, 1).double().eval()
    with torch.no_grad():
        layer.conv.weight.fill_(1)
        layer.norm.running_var.fill_(1 - 1e-3)
        for conv, weight, bias in ((layer.rows, 0.5, 0.1), (layer.columns, -1.0, 0.2)):
            conv.weight.fill_(weight)
            conv.bias.fill_(bias)
    x = torch.tensor([[0.0, 2.0], [4.0, 6.0]], dtype=torch.float64).view(1, 1, 2, 2)
    rows = [sigmoid(0.5 * hard_swish(mean) + 0.1) for mean in (1, 5)]
    columns = [sigmoid(-1.0 * hard_swish(mean) + 0.2) for mean in (2, 4)]
    assert hard_swish(1) == pytest.approx(4 / 6)
    expected = [[row * column for column in columns] for row in rows]
    torch.testing.assert_close(layer.attention_map(x)[0, 0], torch.tensor(expected, dtype=torch.float64))
    assert layer(x)[0, 0, 1, 1].item() == pytest.approx(6 * rows[1] * columns[1])


def slow_map(x, layer, statistics):
    """Equations 4 to 9 of the paper for one image, with the norm of figure 2: (C, H, W) -> (C, H, W).

    `statistics` are mean and variance of each hidden channel.
    """
    channels, height, width = x.shape
    hidden = layer.conv.weight.shape[0]
    kernel = layer.conv.weight[:, :, 0, 0].tolist()

    def reduced(z):  # (C) -> (hidden)
        values = [sum(kernel[k][c] * z[c] for c in range(channels)) for k in range(hidden)]
        mean, variance = statistics
        scale, shift = layer.norm.weight.tolist(), layer.norm.bias.tolist()
        return [
            hard_swish((values[k] - mean[k]) / math.sqrt(variance[k] + 1e-3) * scale[k] + shift[k])
            for k in range(hidden)
        ]

    def gate(conv, f, c):
        return sigmoid(sum(conv.weight[c, k, 0, 0].item() * f[k] for k in range(hidden)) + conv.bias[c].item())

    of_rows = [reduced([x[c, i].mean().item() for c in range(channels)]) for i in range(height)]
    of_columns = [reduced([x[c, :, j].mean().item() for c in range(channels)]) for j in range(width)]
    result = torch.empty_like(x)
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                result[c, i, j] = gate(layer.rows, of_rows[i], c) * gate(layer.columns, of_columns[j], c)
    return result


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("channels", "reduction"), [(6, 2), (5, 4)])
def test_against_a_loop(channels, reduction, training):
    torch.manual_seed(4)
    layer = CoordinateAttention(channels, reduction).double().train(training)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    hidden = max(1, channels // reduction)
    layer.norm.running_mean.copy_(torch.linspace(-0.2, 0.3, hidden))
    layer.norm.running_var.copy_(torch.linspace(0.5, 2.0, hidden))
    x = torch.randn(3, channels, 4, 5, dtype=torch.float64)
    statistics = layer.norm.running_mean.tolist(), layer.norm.running_var.tolist()
    if training:  # the statistics are those of all rows and all columns of all images
        z = torch.cat([x.mean(3), x.mean(2)], dim=2).detach()
        values = torch.einsum("kc,bcn->kbn", layer.conv.weight[:, :, 0, 0].detach(), z).flatten(1)
        statistics = values.mean(1).tolist(), values.var(1, correction=0).tolist()
    expected = torch.stack([slow_map(image, layer, statistics) for image in x])
    torch.testing.assert_close(layer.attention_map(x), expected, atol=1e-12, rtol=0)
    assert expected.std() > 0.01


def test_rows_and_columns_are_told_apart():
    """Turning the input turns the map only if the two output convolutions are exchanged with it."""
    torch.manual_seed(1)
    layer = CoordinateAttention(4, 1).double().eval()
    x = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    turned = layer.attention_map(x.transpose(2, 3)).transpose(2, 3)
    assert (turned - layer.attention_map(x)).abs().max() > 0.01
    layer.rows, layer.columns = layer.columns, layer.rows
    torch.testing.assert_close(turned, layer.attention_map(x), atol=1e-12, rtol=0)
