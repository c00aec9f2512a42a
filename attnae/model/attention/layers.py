"""From the name of an attention to the layers of a block."""

from collections.abc import Callable, Mapping

from torch import nn

from attnae.model.attention.channel import ChannelAttention
from attnae.model.attention.coordinate import CoordinateAttention
from attnae.model.attention.eca import EfficientChannelAttention
from attnae.model.attention.simam import SimAM
from attnae.model.attention.spatial import SpatialAttention
from attnae.model.attention.squeeze_excitation import SqueezeExcitation

# The modules whose weights depend on the position: there is a map to look at.
WITH_MAPS = (SpatialAttention, SimAM, CoordinateAttention)


def attention_layers(
    name: str, channels: int, *, kernel_size: int = 5, norm: bool = False, reduction: int = 4
) -> dict[str, nn.Module]:
    """The layers of the attention of that name for maps of `channels` channels, by their names in a block, in order.

    `kernel_size` and `norm` are those of the spatial attention. CBAM is the channel attention and then the spatial one
    with its batch norm and a 7x7 kernel (Woo et al. 2018, arXiv 1807.06521). `reduction` is that of channel, cbam, se
    and coordinate. `ValueError` lists the valid names.
    """
    layers: Mapping[str, Callable[[], dict[str, nn.Module]]] = {
        "none": dict,
        "spatial": lambda: {"attention": SpatialAttention(kernel_size, norm=norm)},
        "channel": lambda: {"channel_attention": ChannelAttention(channels, reduction)},
        "cbam": lambda: {
            "channel_attention": ChannelAttention(channels, reduction),
            "attention": SpatialAttention(7, norm=True),
        },
        "se": lambda: {"attention": SqueezeExcitation(channels, reduction)},
        "eca": lambda: {"attention": EfficientChannelAttention(channels)},
        "simam": lambda: {"attention": SimAM()},
        "coordinate": lambda: {"attention": CoordinateAttention(channels, reduction)},
    }
    if name not in layers:
        raise ValueError(f"unknown attention {name!r}: choose one of {', '.join(layers)}")
    return layers[name]()
