"""Encoder and decoder: the same walk through dense blocks, once down and once up.

Sub-modules carry the names of the original's layers, so that its weights map one to one (keras_weights.py).
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from attnae.model.blocks import Block, ConvBlock, DenseBlock, DownConv, UpConv, conv3x3
from attnae.model.coordinates import CoordinateChannels
from attnae.model.keras_defaults import BATCH_NORM


def check_units(units: Sequence[int]) -> tuple[int, ...]:
    """The units in descending order; `ValueError` unless there are at least three and all are positive."""
    if len(units) < 3:
        raise ValueError(f"units {tuple(units)} are too few: give at least 3, such as 35 25 5")
    if min(units) < 1:
        raise ValueError(f"units {tuple(units)} must all be positive")
    return tuple(sorted(units, reverse=True))


def stage_sizes(units: Sequence[int], image_size: int) -> list[int]:
    """The side of the map before each halving and after the last: 28 with two stages -> [28, 14, 7]."""
    stages = len(units) - 2
    if image_size < 2**stages:
        raise ValueError(
            f"images of {image_size}x{image_size} are too small for {stages} halvings: "
            f"use fewer units, or images of at least {2**stages}x{2**stages}"
        )
    sizes = [image_size]
    for _ in range(stages):
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


class Encoder(nn.Sequential):
    """Convolution to units[0], then per inner unit a dense block and a halving, then convolution to units[-1].

    With `coord_conv` the first convolution also reads the coordinates of each position.

    Shapes: (B, in_channels, S, S) -> (B, units[-1], s, s), with s = S halved and rounded up once per inner unit.
    """

    def __init__(
        self,
        units: Sequence[int],
        block_depth: int,
        block: Block = ConvBlock,
        *,
        in_channels: int = 1,
        coord_conv: bool = False,
    ) -> None:
        first, *inner, last = check_units(units)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if coord_conv:
            layers["coordinates"] = CoordinateChannels()
            in_channels += 2
        layers["stem"] = conv3x3(in_channels, first)
        layers["stem_act"] = nn.ReLU()
        channels = first
        for index, unit in enumerate(inner):
            dense = DenseBlock(channels, unit, block_depth, block)
            layers[f"stage{index}"] = dense
            layers[f"down{index}"] = DownConv(dense.out_channels, unit)
            channels = unit
        layers["head"] = conv3x3(channels, last)
        layers["head_norm"] = nn.BatchNorm2d(last, **BATCH_NORM)
        layers["head_act"] = nn.ReLU()
        super().__init__(layers)


class Decoder(nn.Sequential):
    """The encoder's walk backwards, with doublings for halvings; it ends in logits, one a pixel and channel.

    The largest unit is never used here, as in the original.

    Shapes: (B, units[-1], s, s) -> (B, out_channels, image_size, image_size).
    """

    def __init__(
        self,
        units: Sequence[int],
        block_depth: int,
        block: Block = ConvBlock,
        *,
        out_channels: int = 1,
        image_size: int = 28,
    ) -> None:
        _, *inner, last = check_units(units)
        sizes = stage_sizes(units, image_size)[-2::-1]
        layers: OrderedDict[str, nn.Module] = OrderedDict(stem=conv3x3(last, last), stem_act=nn.ReLU())
        channels = last
        for index, (unit, size) in enumerate(zip(reversed(inner), sizes, strict=True)):
            dense = DenseBlock(channels, unit, block_depth, block)
            layers[f"stage{index}"] = dense
            layers[f"up{index}"] = UpConv(dense.out_channels, unit, size)
            channels = unit
        layers["head"] = conv3x3(channels, out_channels)
        layers["head_norm"] = nn.BatchNorm2d(out_channels, **BATCH_NORM)
        super().__init__(layers)
