"""Coordinate attention."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnae.model.keras_defaults import BATCH_NORM, glorot


class CoordinateAttention(nn.Module):
    """Scales each channel by row and by column: x -> x * sigmoid(rows(f_h)) * sigmoid(columns(f_w)).

    f is h-swish(norm(conv([mean over columns, mean over rows]))), computed for the rows and the columns of the map by
    the same 1x1 convolution, and then divided into f_h and f_w. Hou et al. 2021 (arXiv 2103.02907), equations 4 to 9,
    with the batch norm of their figure 2 and the h-swish and the biases of their code. f has
    max(1, channels // reduction) channels; their reduction of 32 is meant for wider networks.

    Shapes: (B, channels, H, W) -> (B, channels, H, W).
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        if reduction < 1:
            raise ValueError(f"reduction {reduction} must be at least 1")
        hidden = max(1, channels // reduction)
        self.conv = glorot(nn.Conv2d(channels, hidden, 1, bias=False))  # the norm that follows it has a bias
        self.norm = nn.BatchNorm2d(hidden, **BATCH_NORM)
        self.rows = glorot(nn.Conv2d(hidden, channels, 1))
        self.columns = glorot(nn.Conv2d(hidden, channels, 1))

    def attention_map(self, x: Tensor) -> Tensor:
        """The scale of each value, in (0, 1): (B, C, H, W) -> (B, C, H, W)."""
        height, width = x.shape[-2:]
        of_rows, of_columns = x.mean(dim=3, keepdim=True), x.mean(dim=2, keepdim=True).transpose(2, 3)
        both = F.hardswish(self.norm(self.conv(torch.cat([of_rows, of_columns], dim=2))))  # (B, hidden, H + W, 1)
        for_rows, for_columns = both.split([height, width], dim=2)
        return torch.sigmoid(self.rows(for_rows)) * torch.sigmoid(self.columns(for_columns.transpose(2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.attention_map(x)
