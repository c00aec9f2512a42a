"""The latent codes of images, as arrays, a CSV table or an npz archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from attnae.evaluation import apply as evaluation
from attnae.model.vae import VAE
from attnae.text import csv_text
from attnae.trained.images import NamedImages
from attnae.trained.output import open_output


def encode(vae: VAE, named: NamedImages) -> dict[str, np.ndarray]:
    """The codes of N images: `mu` and `log_var`, float32 (N, latent); `index`, or `name` for files; `label` if known.

    A plain autoencoder has no log_var. The computation runs on the device of the model.
    """
    images = torch.from_numpy(named.images)
    with evaluation.evaluating(vae):
        mu, log_var = evaluation.codes(vae, images, torch.arange(len(images)))
    name = {"index": np.arange(len(images))} if named.files is None else {"name": named.files}
    found = {**name, "label": named.labels, "mu": mu, "log_var": log_var}
    return {column: values for column, values in found.items() if values is not None}


def as_table(codes: dict[str, np.ndarray]) -> pd.DataFrame:
    """A table with one row per image and one column per number: `mu_0`, `mu_1` ..., `log_var_0` ..."""
    columns = {}
    for name, values in codes.items():
        numbered = {f"{name}_{place}": column for place, column in enumerate(values.T)} if values.ndim == 2 else {}
        columns.update(numbered or {name: values})
    return pd.DataFrame(columns)


def write_codes(path: Path, codes: dict[str, Any]) -> None:
    """Write the codes to `path`, as an .npz archive or a CSV table according to its suffix."""
    with open_output(path) as file:
        if path.suffix.lower() == ".npz":
            np.savez(file, **codes)
        else:
            file.write(csv_text(as_table(codes)).encode())
