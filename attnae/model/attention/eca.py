"""Efficient channel attention."""

import math

import torch
from torch import Tensor, nn

from attnae.model.keras_defaults import glorot


def eca_kernel_size(channels: int) -> int:
    """How many neighbouring channels the weight of a channel depends on: the odd number for log2(channels) / 2 + 1/2.

    Wang et al. 2020, section 3.2.3 with gamma 2 and b 1, rounded as in their code: down, then up to an odd number.
    """
    size = int((math.log2(channels) + 1) / 2)
    return size if size % 2 else size + 1


class EfficientChannelAttention(nn.Module):
    """Scales each channel of a map: x -> x * sigmoid(conv(mean)).

    The mean is over positions, and the convolution over channels: one kernel for all of them, without a bias; beyond
    the first and the last channel there are zeros. Wang et al. 2020 (ECA-Net, arXiv 1910.03151), section 3.2.2.

    Shapes: (B, channels, H, W) -> (B, channels, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        size = eca_kernel_size(channels)
        self.conv = glorot(nn.Conv1d(1, 1, size, padding=size // 2, bias=False))

    def attention_map(self, x: Tensor) -> Tensor:
        """The scale of each channel, in (0, 1): (B, C, H, W) -> (B, C, 1, 1)."""
        return torch.sigmoid(self.conv(x.mean(dim=(2, 3))[:, None])[:, 0])[..., None, None]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.attention_map(x)
