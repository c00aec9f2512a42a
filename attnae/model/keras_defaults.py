"""What Keras does by default and PyTorch does not: how weights start, and how batch norm averages."""

from typing import Any, TypeVar

from torch import nn

Layer = TypeVar("Layer", nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)

BATCH_NORM: dict[str, Any] = {"eps": 1e-3, "momentum": 0.01}


def glorot(layer: Layer) -> Layer:
    """The same layer with a Glorot-uniform kernel and a zero bias (Glorot & Bengio 2010, eq. 16)."""
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
