"""The spatial attention of the article."""

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
        pooled = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], dim=1)
        return torch.sigmoid(self.norm(self.conv(pooled)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.attention_map(x)
