"""Squeeze-and-excitation."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnae.model.keras_defaults import glorot


class SqueezeExcitation(nn.Module):
    """Scales each channel of a map: x -> x * sigmoid(fc1(relu(fc0(mean)))), the mean over positions.

    Hu et al. 2018 (arXiv 1709.01507), equations 2 to 4, without biases, as they recommend. The hidden layer has
    max(1, channels // reduction) units; their reduction of 16 would leave a single one of the 15 and 25 channels here.

    Shapes: (B, channels, H, W) -> (B, channels, H, W).
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        if reduction < 1:
            raise ValueError(f"reduction {reduction} must be at least 1")
        hidden = max(1, channels // reduction)
        self.fc0 = glorot(nn.Linear(channels, hidden, bias=False))
        self.fc1 = glorot(nn.Linear(hidden, channels, bias=False))

    def attention_map(self, x: Tensor) -> Tensor:
        """The scale of each channel, in (0, 1): (B, C, H, W) -> (B, C, 1, 1)."""
        return torch.sigmoid(self.fc1(F.relu(self.fc0(x.mean(dim=(2, 3))))))[..., None, None]

    def forward(self, x: Tensor) -> Tensor:
        return x * self.attention_map(x)
