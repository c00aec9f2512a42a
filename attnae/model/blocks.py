"""The layers a coder is composed of.

All maps are (batch, channels, height, width). Kernels start Glorot-uniform and biases zero, and batch norm keeps
99% of its running statistics with an epsilon of 1e-3, as in the original (Keras' defaults, not PyTorch's).
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from attnae.model import elu
from attnae.model.activations import ACTIVATIONS
from attnae.model.attention.channel import ChannelAttention
from attnae.model.attention.layers import attention_layers
from attnae.model.attention.spatial import SpatialAttention
from attnae.model.dropout import Dropout
from attnae.model.keras_defaults import BATCH_NORM, glorot

__all__ = [
    "ChannelAttention",
    "ConvBlock",
    "DenseBlock",
    "DownConv",
    "SpatialAttention",
    "UpConv",
    "activation",
    "conv3x3",
]

# Makes a block of (in_channels, out_channels); `partial(ConvBlock, act="elu")` is one.
Block = Callable[[int, int], nn.Module]


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """A 3x3 convolution without bias that keeps height and width."""
    return glorot(nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False))


def activation(name: str) -> nn.Module:
    """The activation layer of that name; `ValueError` lists the valid ones."""
    if name not in ACTIVATIONS:
        raise ValueError(f"unknown activation {name!r}: choose one of {', '.join(ACTIVATIONS)}")
    return getattr(elu, ACTIVATIONS[name], getattr(nn, ACTIVATIONS[name]))()


class ConvBlock(nn.Sequential):
    """Convolution 3x3 -> [attention] -> [batch norm] -> [dropout] -> activation.

    What stands in brackets is built where its option is on; `dropout` is the probability of dropping a value.
    `attention` is one of the names in `attnae.model.attention`. Instead of a name, `spatial_attention` and
    `channel_attention` switch the attention of that name on; with both, the channel attention comes first.

    Shapes: (B, in_channels, H, W) -> (B, out_channels, H, W).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        batch_norm: bool = True,
        dropout: float = 0.2,
        attention: str = "none",
        spatial_attention: bool = False,
        attention_kernel_size: int = 5,
        attention_norm: bool = False,
        channel_attention: bool = False,
        channel_reduction: int = 4,
        act: str = "relu",
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict(conv=conv3x3(in_channels, out_channels))
        switched = {"channel": channel_attention, "spatial": spatial_attention}
        names = [attention, *(name for name, on in switched.items() if on)]
        if attention != "none" and len(names) > 1:
            raise ValueError(f"attention {attention!r} cannot be combined with {names[1]}_attention: give one of them")
        for name in names:
            layers |= attention_layers(
                name,
                out_channels,
                kernel_size=attention_kernel_size,
                norm=attention_norm,
                reduction=channel_reduction,
            )
        if batch_norm:
            layers["norm"] = nn.BatchNorm2d(out_channels, **BATCH_NORM)
        if dropout:
            layers["dropout"] = Dropout(dropout)
        layers["act"] = activation(act)
        super().__init__(layers)


class DenseBlock(nn.Module):
    """`depth` blocks, each reading everything so far (Huang et al. 2017, DenseNet, eq. 2).

    Shapes: (B, in_channels, H, W) -> (B, in_channels + depth * growth, H, W).
    """

    def __init__(self, in_channels: int, growth: int, depth: int, block: Block = ConvBlock) -> None:
        super().__init__()
        self.out_channels = in_channels + depth * growth
        for index in range(depth):
            self.add_module(f"block{index}", block(in_channels + index * growth, growth))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.children():
            x = _Append.apply(x, block(x)) if self.training and x.device.type == "cpu" else torch.cat([x, block(x)], 1)
        return x


# An operator of our own, since the compiler would read the slice anew in every kernel instead of copying it once.
torch.library.define("attnae::last_channels", "(Tensor x, int first) -> Tensor")


@torch.library.register_fake("attnae::last_channels")
def _last_channels(x: Tensor, first: int) -> Tensor:
    """A copy of the channels of a map from `first` on: (B, C, H, W) -> (B, C - first, H, W), in the layout of x."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return x[:, first:].clone(memory_format=layout)


torch.library.impl("attnae::last_channels", "cpu")(_last_channels)


class _Append(torch.autograd.Function):
    """`torch.cat([x, y], 1)` whose backward pass gives y a gradient of its own instead of a slice of the whole one.

    On a CPU the backward passes of activations take up to ten times as long on a slice (docs/performance.md).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.channels = x.shape[1]
        return torch.cat([x, y], 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        return gradient[:, : ctx.channels], torch.ops.attnae.last_channels(gradient, ctx.channels)


class DownConv(nn.Conv2d):
    """A 3x3 convolution of stride 2 with the original's "same" padding.

    Shapes: (B, C, H, W) -> (B, out_channels, ceil(H / 2), ceil(W / 2)).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, stride=2, bias=False)
        glorot(self)

    def forward(self, x: Tensor) -> Tensor:
        # An even side is padded behind only, an odd one on both ends; PyTorch's `padding=1` always does the latter.
        height, width = x.shape[-2:]
        return super().forward(F.pad(x, (width % 2, 1, height % 2, 1)))


class UpConv(nn.ConvTranspose2d):
    """A transposed 3x3 convolution of stride 2, cropped behind to `size`: the mirror of `DownConv`.

    Shapes: (B, C, H, W) -> (B, out_channels, size, size), where size is 2 * H or 2 * H - 1.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int) -> None:
        super().__init__(in_channels, out_channels, 3, stride=2, bias=False)
        self.size = size
        glorot(self)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(x, output_size)[..., : self.size, : self.size]
