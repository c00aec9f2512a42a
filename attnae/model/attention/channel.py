"""The channel attention of CBAM."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from attnae.model.keras_defaults import glorot


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
