"""Spatial attention's maximum and mean, by two ways of computing them. What the attention computes: test_parity.py."""

import pytest
import torch

from attnae.model.attention.spatial import max_and_mean
from attnae.model.blocks import SpatialAttention

LAYOUTS = (torch.contiguous_format, torch.channels_last)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_training_gets_the_maximum_and_mean_of_evaluation(layout, dtype):
    torch.manual_seed(0)
    x = torch.randn(3, 5, 4, 6, dtype=dtype).contiguous(memory_format=layout)
    x[0, 1:3] = x[0, 4] = 3.0  # the maximum of three channels, which share its gradient
    x[1] = 0.0
    gradient = torch.randn(3, 2, 4, 6, dtype=dtype)
    found = []
    for pooled in (SpatialAttention().train().pooled, SpatialAttention().eval().pooled, max_and_mean):
        leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
        y = pooled(leaf)
        found.append((y.detach(), *torch.autograd.grad(y, leaf, gradient)))
    for values, of_x in found[:2]:
        torch.testing.assert_close(values, found[2][0], rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(of_x, found[2][1], rtol=1e-6, atol=1e-7)
    assert found[0][1].is_contiguous(memory_format=layout)


def test_the_gradient_of_maximum_and_mean_is_that_of_finite_differences():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(SpatialAttention().train().pooled, x)
