"""The layers a coder is composed of.

All maps are (batch, channels, height, width). Kernels start Glorot-uniform and biases zero, and batch norm keeps
99% of its running statistics with an epsilon of 1e-3, as in the original (Keras' defaults, not PyTorch's).
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnae.model.activations import ACTIVATIONS
from attnae.model.dropout import Dropout

Layer = TypeVar("Layer", nn.Conv2d, nn.ConvTranspose2d, nn.Linear)

# Makes a block of (in_channels, out_channels); `partial(ConvBlock, act="elu")` is one.
Block = Callable[[int, int], nn.Module]

BATCH_NORM: dict[str, Any] = {"eps": 1e-3, "momentum": 0.01}


def glorot(layer: Layer) -> Layer:
    """The same layer with a Glorot-uniform kernel and a zero bias (Glorot & Bengio 2010, eq. 16)."""
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """A 3x3 convolution without bias that keeps height and width."""
    return glorot(nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False))


def activation(name: str) -> nn.Module:
    """The activation layer of that name; `ValueError` lists the valid ones."""
    if name not in ACTIVATIONS:
        raise ValueError(f"unknown activation {name!r}: choose one of {', '.join(ACTIVATIONS)}")
    return getattr(nn, ACTIVATIONS[name])()


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
        pooled = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(self.norm(self.conv(pooled)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.attention_map(x)


class ChannelAttention(nn.Module):
    """Scales each channel of a map by how much it matters: x -> x * sigmoid(mlp(mean) + mlp(max)).

    The mean and the maximum are over positions. The perceptron is shared and has one hidden layer of
    max(1, channels // reduction) units, relu, and no biases (CBAM, Woo et al. 2018, equation 2). CBAM reduces by 16,
    which leaves at least 4 units of its 64 channels or more; of the 15 and 25 here it would leave a single one.

    Shapes: (B, channels, H, W) -> (B, channels, H, W).
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        if reduction < 1:
            raise ValueError(f"reduction {reduction} must be at least 1")
        hidden = max(1, channels // reduction)
        layers: OrderedDict[str, nn.Module] = OrderedDict(fc0=glorot(nn.Linear(channels, hidden, bias=False)))
        layers["act"] = nn.ReLU()
        layers["fc1"] = glorot(nn.Linear(hidden, channels, bias=False))
        self.mlp = nn.Sequential(layers)

    def attention_map(self, x: Tensor) -> Tensor:
        """The scale of each channel, in (0, 1): (B, C, H, W) -> (B, C, 1, 1)."""
        pooled = torch.stack([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))])
        return torch.sigmoid(self.mlp(pooled).sum(dim=0))[..., None, None]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.attention_map(x)


class ConvBlock(nn.Sequential):
    """Convolution 3x3 -> [channel attention] -> [spatial attention] -> [batch norm] -> [dropout] -> activation.

    What stands in brackets is built where its option is on; `dropout` is the probability of dropping a value.

    Shapes: (B, in_channels, H, W) -> (B, out_channels, H, W).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        batch_norm: bool = True,
        dropout: float = 0.2,
        spatial_attention: bool = False,
        attention_kernel_size: int = 5,
        attention_norm: bool = False,
        channel_attention: bool = False,
        channel_reduction: int = 4,
        act: str = "relu",
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict(conv=conv3x3(in_channels, out_channels))
        if channel_attention:
            layers["channel_attention"] = ChannelAttention(out_channels, channel_reduction)
        if spatial_attention:
            layers["attention"] = SpatialAttention(attention_kernel_size, norm=attention_norm)
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
            x = torch.cat([x, block(x)], dim=1)
        return x


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
