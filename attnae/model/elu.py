"""ELU and SELU without `expm1`, which takes most of their time on a CPU (docs/performance.md)."""

from typing import Any

import torch
from torch import Tensor, nn


def exponential_linear(x: Tensor, alpha: float, scale: float) -> Tensor:
    """scale * (max(x, 0) + alpha * (exp(min(x, 0)) - 1)), of any shape.

    It differs from `expm1` by the rounding of exp(x) to the next number near 1, half a unit in its last place: 6e-8 in
    32 bits. That would be too much in 16 bits.
    """
    return scale * (x.clamp(min=0) + alpha * (x.clamp(max=0).exp() - 1))


class _ExponentialLinear(torch.autograd.Function):
    """`exponential_linear` in one piece of memory, and PyTorch's own backward pass, which needs the result only."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, alpha: float, scale: float) -> Tensor:
        y = x.clamp(max=0).exp_().sub_(1)
        # exp(x) - 1 is above x where x is negative, and y is 0 elsewhere: with alpha 1 the larger one is ELU.
        y = torch.maximum(y, x, out=y) if alpha == 1 else y.mul_(alpha).add_(x.clamp(min=0))
        y = y if scale == 1 else y.mul_(scale)
        ctx.save_for_backward(y)
        ctx.alpha, ctx.scale = alpha, scale
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.elu_backward(gradient, ctx.alpha, ctx.scale, 1, True, y), None, None


def _apply(layer: nn.Module, x: Tensor, alpha: float, scale: float) -> Tensor:
    # In evaluation there is no function of our own in the graph, so that a model can be exported.
    return (_ExponentialLinear.apply if layer.training else exponential_linear)(x, alpha, scale)


def _is_slow(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)


class ELU(nn.ELU):
    """x where it is positive, else alpha * (exp(x) - 1) (Clevert et al. 2016, eq. 8). Any shape -> the same."""

    def forward(self, x: Tensor) -> Tensor:
        return _apply(self, x, self.alpha, 1.0) if _is_slow(x) else super().forward(x)


class SELU(nn.SELU):
    """ELU with fixed alpha and scale (Klambauer et al. 2017, eqs. 2 and 14). Any shape -> the same."""

    def forward(self, x: Tensor) -> Tensor:
        return _apply(self, x, ALPHA, SCALE) if _is_slow(x) else super().forward(x)


# As in `torch.selu`.
ALPHA = 1.6732632423543772848170429916717
SCALE = 1.0507009873554804934193349852946
