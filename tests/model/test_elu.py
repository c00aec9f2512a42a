"""ELU and SELU without expm1 against PyTorch's own layers, and what a dense block passes back."""

import pytest
import torch
from torch import nn

from attnae.model import elu
from attnae.model.blocks import ConvBlock, DenseBlock

PAIRS = [(elu.ELU, nn.ELU), (elu.SELU, nn.SELU)]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("training", [True, False])
def test_values_and_gradients_are_those_of_torch(ours, theirs, training):
    """On a grid that is fine near 0, where exp(x) - 1 loses digits, and at the ends, where exp overflows."""
    torch.manual_seed(0)
    grid = torch.cat([torch.linspace(-1e-3, 1e-3, 2001), 3 * torch.randn(10_000), torch.tensor([-1e4, 1e4, 0.0])])
    results = []
    for layer in (ours().train(training), theirs()):
        x = grid.clone().requires_grad_()
        y = layer(x)
        (gradient,) = torch.autograd.grad(y, x, torch.linspace(1, 2, len(x)))
        results.append((y.detach(), gradient[x != 0] if not training else gradient))
    torch.testing.assert_close(results[0][0], results[1][0], atol=2e-7, rtol=2e-7)
    torch.testing.assert_close(results[0][1], results[1][1], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("ours", "_"), PAIRS)
def test_gradients_of_first_and_second_order(ours, _):
    torch.manual_seed(1)
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    x = torch.where(x.abs() < 0.05, 0.5, x).requires_grad_()
    assert torch.autograd.gradcheck(ours().train(), x)
    assert torch.autograd.gradgradcheck(ours().train(), x)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_sixteen_bits_keep_the_digits_near_zero(ours, theirs):
    """exp(x) - 1 in 16 bits would be 0 for all x above -2^-9."""
    x = -torch.logspace(-6, 0, 50).bfloat16()
    assert torch.equal(ours().train()(x), theirs()(x))
    assert (ours().train()(x) < 0).all()


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_dense_block_passes_back_the_gradient_of_concatenation(layout):
    torch.manual_seed(2)
    block = DenseBlock(3, 4, 3, lambda i, o: ConvBlock(i, o, dropout=0.0, act="selu")).double()
    x = torch.randn(2, 3, 6, 5, dtype=torch.float64).contiguous(memory_format=layout)
    weights = torch.randn(2, block.out_channels, 6, 5, dtype=torch.float64)
    seen = []
    for child in block.children():
        child.register_full_backward_hook(
            lambda _, __, of_output: seen.append(
                of_output[0].is_contiguous() or of_output[0].is_contiguous(memory_format=torch.channels_last)
            )
        )
    wanted = [x.requires_grad_(), *block.parameters()]
    found = torch.autograd.grad((block(x) * weights).sum(), wanted)
    assert seen == [True] * 3
    y = x
    for child in block.children():
        y = torch.cat([y, child(y)], dim=1)
    for ours, slow in zip(found, torch.autograd.grad((y * weights).sum(), wanted), strict=True):
        torch.testing.assert_close(ours, slow, rtol=1e-10, atol=1e-10)
