"""Dropout: its distribution, its independence, its gradient."""

import math

import pytest
import torch

from attnae.model.dropout import Dropout


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_dropout_is_bernoulli_and_keeps_the_mean(p):
    """160,000 values: five standard errors, over all of them and in each 16-bit part of the random words."""
    torch.manual_seed(8)
    y = Dropout(p).train()(torch.ones(10, 16, 25, 40))
    error = math.sqrt(p * (1 - p) / y.numel())
    assert y.unique().tolist() == pytest.approx([0, 1 / (1 - p)], rel=1e-4)
    assert (y == 0).float().mean().item() == pytest.approx(p, abs=5 * error)
    assert y.mean().item() == pytest.approx(1, abs=5 * error / (1 - p))
    assert y.var().item() == pytest.approx(p / (1 - p), rel=0.03)
    for part in range(4):
        rate = (y.permute(0, 2, 3, 1).flatten()[part::4] == 0).float().mean().item()
        assert rate == pytest.approx(p, abs=2 * 5 * error)


def test_dropped_values_are_independent():
    """Correlations with the neighbour along each axis, with the near ones in memory, and with the next draw."""
    torch.manual_seed(9)
    layer = Dropout(0.2).train()
    ones = torch.ones(10, 16, 25, 40)
    kept, again = (layer(ones) > 0 for _ in range(2))
    in_memory = kept.permute(0, 2, 3, 1).flatten()
    pairs = [(kept.narrow(axis, 0, size - 1), kept.narrow(axis, 1, size - 1)) for axis, size in enumerate(ones.shape)]
    pairs += [(in_memory[:-lag], in_memory[lag:]) for lag in (1, 2, 3, 4, 8)] + [(kept, again)]
    for one, other in pairs:
        both = torch.corrcoef(torch.stack([one.flatten(), other.flatten()]).double())
        assert abs(both[0, 1].item()) < 5 / math.sqrt(one.numel())


def test_dropout_follows_the_seed_and_not_the_memory_format():
    x = torch.randn(3, 5, 7, 6)
    layer = Dropout(0.3).train()
    results = []
    for seed, like in ((1, x), (1, x.contiguous(memory_format=torch.channels_last)), (2, x)):
        torch.manual_seed(seed)
        results.append(layer(like))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_dropout_passes_the_gradient_of_what_it_kept():
    torch.manual_seed(10)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    y = Dropout(0.25).train()(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.where(y == 0, 0.0, 4 / 3).double())
    torch.testing.assert_close(y, x * x.grad)


def test_dropout_refuses_what_is_no_probability():
    for p in (-0.1, 1.0, math.nan):
        with pytest.raises(ValueError, match="must be at least 0 and below 1"):
            Dropout(p)


@pytest.mark.slow
def test_compiled_dropout_is_the_same_and_breaks_no_graph():
    torch.compiler.reset()  # The compiler gives up on a function of which it has seen too many models.
    x = torch.randn(4, 6, 9, 9, requires_grad=True)
    layers = torch.nn.Sequential(Dropout(0.2), torch.nn.ELU(), Dropout(0.4)).train()
    results = []
    for forward in (layers.forward, torch.compile(layers.forward, fullgraph=True)):
        torch.manual_seed(11)
        y = forward(x)
        results.append((y.detach(), *torch.autograd.grad(y.square().sum(), x)))
    torch.testing.assert_close(results[0], results[1])
