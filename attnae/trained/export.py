"""The encoder and the decoder of a model as ONNX files or exported PyTorch programs.

Encoder: images (B, C, H, W) in [0, 1] -> mu, log_var (B, latent). Decoder: z (B, latent) -> images. B can be any size.
"""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Callable
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from attnae.errors import UserError
from attnae.model.vae import VAE
from attnae.trained.output import open_output

TOLERANCE = 1e-4
CHECKED_BATCHES = (1, 7)


class Encoder(nn.Module):
    """Images to mu and log_var, or to mu only in a plain autoencoder."""

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.vae = _only(vae, "encoder", "to_latent", "mu", "log_var")

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(half for half in self.vae.encode(images) if half is not None)


class Decoder(nn.Module):
    """Codes to images in [0, 1]."""

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.vae = _only(vae, "from_latent", "decoder")

    def forward(self, z: Tensor) -> tuple[Tensor, ...]:
        return (self.vae.decode(z),)


def _only(vae: VAE, *parts: str) -> VAE:
    """A copy of the model on the CPU with these parts only, since all weights that it holds are written."""
    kept = deepcopy(vae).cpu()
    for name, _ in vae.named_children():
        if name not in parts:
            delattr(kept, name)
    return kept


class Half(NamedTuple):
    """The half of a model that is exported to one file."""

    module: nn.Module
    shape: tuple[int, ...]  # of one input
    input_name: str
    output_names: tuple[str, ...]

    def inputs(self, count: int) -> Tensor:
        """Example inputs, always the same: images in [0, 1], or standard normal codes."""
        draw = torch.rand if self.input_name == "images" else torch.randn
        return draw(count, *self.shape, generator=torch.Generator().manual_seed(count))


class Format(NamedTuple):
    """A file format: how a half is converted to it, and how the file is run."""

    convert: Callable[[Half], bytes]
    run: Callable[[bytes, Tensor], list[Tensor]]
    package: str  # that runs the file


def export(vae: VAE, path: Path) -> tuple[list[Path], float | None]:
    """Write the encoder and the decoder in the format that the suffix of `path` names.

    For `model.onnx` the files are `model_encoder.onnx` and `model_decoder.onnx`. Returns their paths and the largest
    difference between their outputs and the model's, over batches of 1 and 7; None if the package that runs them is not
    installed. Raises `UserError`, before anything is written, if a package is missing or an output differs.
    """
    kind = FORMATS[path.suffix.lower()]
    checked = find_spec(kind.package) is not None
    files: dict[Path, bytes] = {}
    differences = []
    with torch.no_grad():
        for name, half in halves(vae).items():
            target = path.with_name(f"{path.stem}_{name}{path.suffix}")
            files[target] = kind.convert(half)
            differences += [_difference(half, files[target], kind.run, target)] if checked else []
    for target, content in files.items():
        with open_output(target) as file:
            file.write(content)
    return list(files), max(differences, default=None)


def halves(vae: VAE) -> dict[str, Half]:
    """The encoder and the decoder, in evaluation mode."""
    encoder, decoder = Encoder(vae).eval(), Decoder(vae).eval()
    image = decoder(torch.zeros(1, vae.latent_dim))[0][0]
    names = ("mu", "log_var") if vae.variational else ("mu",)
    return {
        "encoder": Half(encoder, tuple(image.shape), "images", names),
        "decoder": Half(decoder, (vae.latent_dim,), "z", ("images",)),
    }


def _to_onnx(half: Half) -> bytes:
    if find_spec("onnx") is None:
        raise UserError("an .onnx file needs the package onnx: pip install 'attnae[onnx]', or choose .pt2")
    dynamic = {name: {0: "batch"} for name in (half.input_name, *half.output_names)}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Of PyTorch's two exporters, this one needs no further package, but warns that there is a newer one.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Sizes of maps, such as those in SimAM's variance, become constants: only the size of a batch is free.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        path = Path(folder) / "half.onnx"
        torch.onnx.export(
            half.module,
            (half.inputs(2),),
            str(path),
            dynamo=False,
            input_names=[half.input_name],
            output_names=list(half.output_names),
            dynamic_axes=dynamic,
        )
        return path.read_bytes()


def _run_onnx(content: bytes, inputs: Tensor) -> list[Tensor]:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return [torch.from_numpy(output) for output in session.run(None, {session.get_inputs()[0].name: inputs.numpy()})]


def _to_pt2(half: Half) -> bytes:
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(half.module, (half.inputs(2),), dynamic_shapes={half.input_name: {0: batch}})
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue()


def _run_pt2(content: bytes, inputs: Tensor) -> list[Tensor]:
    return list(torch.export.load(io.BytesIO(content)).module()(inputs))


def _difference(half: Half, content: bytes, run: Callable[[bytes, Tensor], list[Tensor]], target: Path) -> float:
    """The largest difference between the outputs of the file and of the model; `UserError` beyond the tolerance."""
    largest = 0.0
    for count in CHECKED_BATCHES:
        inputs = half.inputs(count)
        for output, expected in zip(run(content, inputs), half.module(inputs), strict=True):
            if not torch.allclose(output, expected, rtol=TOLERANCE, atol=TOLERANCE):
                raise UserError(f"{target} would differ from the model by more than {TOLERANCE:g}: not written")
            largest = max(largest, (output - expected).abs().max().item())
    return largest


FORMATS = {".onnx": Format(_to_onnx, _run_onnx, "onnxruntime"), ".pt2": Format(_to_pt2, _run_pt2, "torch")}
