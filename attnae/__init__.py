"""Does spatial attention help a convolutional autoencoder, by how much, and how sure are we?

Importing this package is cheap: torch comes in only with the name that needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnae.analysis import fit_search, fit_study
    from attnae.config import RunConfig
    from attnae.model.attention.channel import ChannelAttention
    from attnae.model.attention.spatial import SpatialAttention
    from attnae.model.blocks import ConvBlock, DenseBlock
    from attnae.model.keras_weights import load_keras_weights
    from attnae.model.vae import VAE
    from attnae.reading import read_runs
    from attnae.rundir.checkpoint import load
    from attnae.training.run import train

__version__ = "0.1.0"

# Public name -> the module it comes from, imported at its first use.
_HOMES = {
    "VAE": "attnae.model.vae",
    "SpatialAttention": "attnae.model.attention.spatial",
    "ChannelAttention": "attnae.model.attention.channel",
    "ConvBlock": "attnae.model.blocks",
    "DenseBlock": "attnae.model.blocks",
    "load_keras_weights": "attnae.model.keras_weights",
    "RunConfig": "attnae.config",
    "train": "attnae.training.run",
    "load": "attnae.rundir.checkpoint",
    "read_runs": "attnae.reading",
    "fit_search": "attnae.analysis",
    "fit_study": "attnae.analysis",
}

__all__ = [
    "VAE",
    "ChannelAttention",
    "ConvBlock",
    "DenseBlock",
    "RunConfig",
    "SpatialAttention",
    "fit_search",
    "fit_study",
    "load",
    "load_keras_weights",
    "read_runs",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
