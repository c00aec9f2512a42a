"""Images to codes, as arrays, a CSV table or an npz archive."""

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
from attnae.trained.output import written


def encode(vae: VAE, named: NamedImages) -> dict[str, np.ndarray]:
    """The codes of N images: `mu` and `log_var`, (N, latent); `index`, or `name` of a file; `label`, if there are any.

    A plain autoencoder has no log_var. The model works where its weights are.
    """
    images = torch.from_numpy(named.images)
    with evaluation.evaluating(vae):
        mu, log_var = evaluation.codes(vae, images, torch.arange(len(images)))
    name = {"index": np.arange(len(images))} if named.files is None else {"name": named.files}
    found = {**name, "label": named.labels, "mu": mu, "log_var": log_var}
    return {column: values for column, values in found.items() if values is not None}


def as_table(codes: dict[str, np.ndarray]) -> pd.DataFrame:
    """One row an image, one column a number: `mu_0`, `mu_1` ..., `log_var_0` ..."""
    columns = {}
    for name, values in codes.items():
        numbered = {f"{name}_{place}": column for place, column in enumerate(values.T)} if values.ndim == 2 else {}
        columns.update(numbered or {name: values})
    return pd.DataFrame(columns)


def write_codes(path: Path, codes: dict[str, Any]) -> None:
    """The codes at `path`, as its ending says."""
    with written(path) as file:
        if path.suffix.lower() == ".npz":
            np.savez(file, **codes)
        else:
            file.write(csv_text(as_table(codes)).encode())
