"""The spatial attention of the article."""

from typing import Any

import torch
from torch import Tensor, nn

from attnae.model.keras_defaults import BATCH_NORM, glorot


class SpatialAttention(nn.Module):
    """Scales each position of a map by how much it matters: x -> x * sigmoid(conv([max, mean])).

    The maximum and the mean are over channels; the convolution has one filter and a bias. After CBAM (Woo et al.
    2018, section 3), with the article's differences: a 5x5 kernel, and no normalisation after it. With `norm` there is
    CBAM's batch norm between convolution and sigmoid, and it has the bias.

    Shapes: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, kernel_size: int = 5, *, norm: bool = False) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size {kernel_size} must be odd and positive, so that the map keeps its size")
        self.conv = glorot(nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=not norm))
        self.norm = nn.BatchNorm2d(1, **BATCH_NORM) if norm else nn.Identity()

    def attention_map(self, x: Tensor) -> Tensor:
        """The scale of each position, in (0, 1): (B, C, H, W) -> (B, 1, H, W)."""
        return torch.sigmoid(self.norm(self.conv(self.pooled(x))))

    def pooled(self, x: Tensor) -> Tensor:
        """`max_and_mean`, by what is fastest."""
        eager_on_cpu = self.training and x.device.type == "cpu" and not torch.compiler.is_compiling()
        return _MaxAndMean.apply(x) if eager_on_cpu else max_and_mean(x)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.attention_map(x)


def max_and_mean(x: Tensor) -> Tensor:
    """Maximum and mean over the channels: (B, C, H, W) -> (B, 2, H, W)."""
    return torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], dim=1)


class _MaxAndMean(torch.autograd.Function):
    """`max_and_mean` in half the time on a CPU, forward and backward (docs/performance.md).

    PyTorch's reductions over a few neighbouring numbers are slow, so the forward pass sorts the map by channels first.
    The backward pass makes a mask of numbers, not of booleans. Channels that share the maximum share its gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        by_channel = x.contiguous()
        maximum = by_channel.amax(dim=1, keepdim=True)
        ctx.save_for_backward(x, maximum)
        pooled = torch.cat([maximum, by_channel.mean(dim=1, keepdim=True)], dim=1)
        return pooled.contiguous(memory_format=torch.channels_last)  # which the convolution is fastest on

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        x, maximum = ctx.saved_tensors
        of_maximum, of_mean = gradient.split(1, dim=1)
        is_maximum = torch.eq(x, maximum, out=torch.empty_like(x))
        return is_maximum.mul_(of_maximum / is_maximum.sum(dim=1, keepdim=True)).add_(of_mean / x.shape[1])
