"""Coordinate channels in front of a convolution."""

import torch
from torch import Tensor, nn


class CoordinateChannels(nn.Module):
    """Adds two channels that hold the row and the column of each position, from -1 to 1 (CoordConv, Liu et al. 2018).

    arXiv 1807.03247, section 3: a convolution that reads them can depend on the position. It has no weights.

    Shapes: (B, C, H, W) -> (B, C + 2, H, W).
    """

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        rows = torch.linspace(-1, 1, height, dtype=x.dtype, device=x.device).view(1, 1, height, 1)
        columns = torch.linspace(-1, 1, width, dtype=x.dtype, device=x.device).view(1, 1, 1, width)
        size = (batch, 1, height, width)
        return torch.cat([x, rows.expand(size), columns.expand(size)], dim=1)
