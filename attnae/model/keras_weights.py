"""The original Keras model's weights into a `VAE`."""

import re
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from attnae.model.vae import VAE

# The name of a weight in PyTorch -> in Keras, by the kind of layer.
_KERNEL = {"weight": "kernel", "bias": "bias"}
_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def keras_paths(vae: VAE) -> dict[str, str]:
    """{path of each weight and batch-norm statistic in the VAE: its path in the original}."""
    paths = {}
    for path, layer in vae.named_modules():
        names = _NORM if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) else _KERNEL
        keras_layer = re.sub(r"\b(down|up)(\d+)$", r"stage\2.\1", path).replace(".attention.conv", ".attention")
        for name in layer.state_dict() if not list(layer.children()) else ():
            if name in names:
                paths[f"{path}.{name}"] = f"{keras_layer}.{names[name]}"
    return paths


def from_keras(array: np.ndarray) -> torch.Tensor:
    """An array in PyTorch's order of axes.

    Convolutions: (height, width, in, out) -> (out, in, height, width); transposed ones: (height, width, out, in) ->
    (in, out, height, width); those over channels: (width, in, out) -> (out, in, width); dense kernels: (in, out) ->
    (out, in); vectors stay.
    """
    axes = {4: (3, 2, 0, 1), 3: (2, 1, 0), 2: (1, 0)}.get(array.ndim, range(array.ndim))
    return torch.from_numpy(np.ascontiguousarray(array.transpose(axes)))


def load_keras_weights(vae: VAE, weights: Mapping[str, np.ndarray]) -> None:
    """Copy the original's weights and batch-norm statistics into the VAE.

    `weights` maps the original's paths, such as `encoder.stage0.block0.conv.kernel`, to arrays. Raises `ValueError`,
    before anything is changed, where a path is missing, left over, or of another shape.
    """
    paths = keras_paths(vae)
    state = vae.state_dict()
    if differing := sorted(set(paths.values()) ^ set(weights)):
        missing = [path for path in differing if path not in weights]
        kind = "missing" if missing else "not in this model"
        raise ValueError(f"weights {kind}: {', '.join((missing or differing)[:5])}; are the model's options the same?")
    arrays = {path: from_keras(np.asarray(weights[keras])) for path, keras in paths.items()}
    for path, array in arrays.items():
        if array.shape != state[path].shape:
            raise ValueError(
                f"{paths[path]} has shape {tuple(array.shape)} in PyTorch's order, the model {tuple(state[path].shape)}"
            )
    vae.load_state_dict(arrays, strict=False)
