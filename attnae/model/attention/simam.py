"""SimAM, an attention without parameters."""

import torch
from torch import Tensor, nn


class SimAM(nn.Module):
    """Scales each value by how far it lies from the mean of its channel: x -> x * sigmoid(d / (4 (v + e)) + 1/2).

    d is the squared distance from the channel's mean over positions, v the sum of d divided by the number of positions
    less one, e is `regularization`. Yang et al. 2021 (PMLR 139), the code in their figure 3. A map of a single position
    has v = 0; every constant channel is multiplied by sigmoid(1/2) = 0.6225.

    Shapes: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, regularization: float = 1e-4) -> None:
        super().__init__()
        self.regularization = regularization

    def attention_map(self, x: Tensor) -> Tensor:
        """The scale of each value, in [sigmoid(1/2), 1): (B, C, H, W) -> (B, C, H, W)."""
        distance = (x - x.mean(dim=(2, 3), keepdim=True)).square()
        variance = distance.sum(dim=(2, 3), keepdim=True) / max(1, x.shape[2] * x.shape[3] - 1)
        return torch.sigmoid(distance / (4 * (variance + self.regularization)) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.attention_map(x)

    def extra_repr(self) -> str:
        return f"regularization={self.regularization}"
