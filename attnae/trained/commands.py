"""The subcommands that use a trained run, with their options.

torch and other large packages are imported after the options have been checked, so that `--help` is quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from attnae.config import MOST
from attnae.errors import UserError
from attnae.trained.options import Count, DataDir, ImageArguments, Out, RunArguments, check_range, check_run
from attnae.trained.output import report_written

CODES, PICTURES, MODELS = (".csv", ".npz"), (".png",), (".onnx", ".pt2")
MOST_IMAGES, MOST_ATTENTION, MOST_SCALE = 1024, 32, 64


@dataclass(frozen=True, kw_only=True)
class EncodeCommand(ImageArguments):
    """Write the latent code of each image, one row per image.

    attnae encode logs/mine mnist -o codes.csv

    The columns are index (for files: name), label if there are labels (for a directory: the sub-folder), mu_0 ... and
    log_var_0 .... An .npz file holds the same as arrays: mu and log_var have the shape (images, latent dimensions).
    """

    out: Out = None
    """The .csv or .npz file to write; an existing file is replaced. Default: latents.csv in the run's directory."""

    def run(self) -> int:
        path = self.output(self.out, "latents.csv", CODES)
        import torch

        from attnae.trained.encode import encode, write_codes

        config, vae = self.load()
        codes = encode(vae.to("cuda" if torch.cuda.is_available() else "cpu"), self.read(config))
        write_codes(path, codes)
        count, latent = codes["mu"].shape
        return report_written([path], f"codes of {latent} dimensions for {count:,} images")


@dataclass(frozen=True, kw_only=True)
class ReconstructCommand(ImageArguments):
    """Draw images and, in the row below them, their reconstructions.

    attnae reconstruct logs/mine photos/ -o out.png
    """

    count: Count = 64
    """The number of images to draw; they are evenly spaced over all images."""
    scale: int = 2
    """Each pixel of an image is drawn as a square of so many pixels on each side."""
    out: Out = None
    """The .png file to write; an existing file is replaced. Default: reconstructions.png in the run's directory."""

    def run(self) -> int:
        check_range("--count", self.count, MOST_IMAGES)
        check_range("--scale", self.scale, MOST_SCALE)
        path = self.output(self.out, "reconstructions.png", PICTURES)
        from attnae.trained.drawing import choose_images, reconstructions, write_picture

        config, vae = self.load()
        images = self.read(config)
        shown = choose_images(vae, images, self.count)
        write_picture(path, reconstructions(vae, shown), self.scale)
        return report_written([path], f"{len(shown):,} of {len(images.images):,} images, each above its reconstruction")


@dataclass(frozen=True, kw_only=True)
class SampleCommand(RunArguments):
    """Draw new images, decoded from random codes of the standard normal distribution.

    attnae sample logs/mine -n 100 -o grid.png
    """

    count: Count = 64
    """The number of images to draw."""
    seed: int = 0
    """The seed of the random codes: the same seed draws the same images."""
    scale: int = 2
    """Each pixel of an image is drawn as a square of so many pixels on each side."""
    out: Out = None
    """The .png file to write; an existing file is replaced. Default: samples.png in the run's directory."""

    def run(self) -> int:
        check_range("--count", self.count, MOST_IMAGES)
        check_range("--seed", self.seed, MOST, least=0)
        check_range("--scale", self.scale, MOST_SCALE)
        path = self.output(self.out, "samples.png", PICTURES)
        from attnae.trained.drawing import samples, write_picture

        _, vae = self.load()
        write_picture(path, samples(vae, self.count, self.seed), self.scale)
        return report_written([path], f"{self.count:,} samples")


@dataclass(frozen=True, kw_only=True)
class WalkCommand(RunArguments):
    """Draw the latent walk: images decoded from a grid of codes over [-5, 5]^2.

    attnae walk logs/mine -o walk.png

    With more than two latent dimensions, it moves the two with the largest variance among the codes of the training
    images.
    """

    data_dir: DataDir = None
    """The directory of the training images, needed for more than two latent dimensions only. Default: the --data-dir
    of the run."""
    out: Out = None
    """The .png file to write; an existing file is replaced. Default: walk.png in the run's directory."""

    def run(self) -> int:
        path = self.output(self.out, "walk.png", PICTURES)
        from attnae.trained.drawing import walk, write_figure

        config, vae = self.load()
        write_figure(path, walk(vae, config.replace(data_dir=self.data_dir or config.data_dir)))
        return report_written([path], "the latent walk")


@dataclass(frozen=True, kw_only=True)
class AttentionCommand(ImageArguments):
    """Draw the spatial attention of each block over the images.

    attnae attention logs/mine mnist -o maps.png
    attnae attention logs/mine mnist --beside logs/other --block encoder.stage0.block0
    """

    count: Count = 8
    """The number of images to draw; they are evenly spaced over all images."""
    block: str | None = None
    """Draw only this block, such as encoder.stage0.block0. Default: all blocks."""
    beside: tuple[Annotated[Path, arg(metavar="RUN")], ...] = ()
    """Other runs on images of the same size, drawn in rows below those of RUN."""
    out: Out = None
    """The .png file to write; an existing file is replaced. Default: attention.png in the run's directory."""

    def run(self) -> int:
        check_range("--count", self.count, MOST_ATTENTION)
        path = self.output(self.out, "attention.png", PICTURES)
        from attnae.trained.drawing import attention, choose_images, write_figure

        config, vae = self.load()
        models = {self.directory.name: vae}
        for directory in self.beside:
            check_run(directory)
            other, model = RunArguments(directory=directory).load()
            if (other.image_size, other.channels) != (config.image_size, config.channels):
                raise UserError(f"--beside {directory}: its images have another size or other channels")
            models[str(directory) if directory.name in models else directory.name] = model
        images = self.read(config)
        shown = choose_images(vae, images, self.count)
        write_figure(path, attention(models, shown, self.block))
        return report_written([path], f"attention over {len(shown):,} of {len(images.images):,} images")


@dataclass(frozen=True, kw_only=True)
class ExportCommand(RunArguments):
    """Write the encoder and the decoder as ONNX or PyTorch files, and check that they compute the same numbers.

    attnae export logs/mine -o model.onnx

    This writes two files, model_encoder.onnx (images in [0, 1] -> mu, log_var) and model_decoder.onnx (z -> images),
    which accept batches of any size. A .pt2 file is loaded with torch.export.load.
    """

    out: Out = None
    """model.onnx or model.pt2; existing files are replaced. Default: model.onnx in the run's directory."""

    def run(self) -> int:
        path = self.output(self.out, "model.onnx", MODELS)
        from attnae.trained.export import export

        _, vae = self.load()
        files, difference = export(vae, path)
        checked = "not checked, because onnxruntime is not installed: pip install 'attnae[onnx]'"
        if difference is not None:
            checked = f"they differ from the model by at most {difference:.1e}"
        return report_written(files, checked)


@dataclass(frozen=True, kw_only=True)
class ListCommand:
    """Show the runs below a directory: status, the options in which they differ, test metrics.

    attnae list logs
    attnae list mlruns

    If the directory holds no run of train.py, it shows the runs of all other formats that analyze.py reads.
    """

    log_dir: Positional[Annotated[Path, arg(metavar="LOGDIR")]]
    """A directory that contains runs, at any depth, or a file of a format that holds many runs."""

    def run(self) -> int:
        from attnae.trained.listing import print_table, read_runs, runs_table

        print_table(runs_table(read_runs(self.log_dir)))
        return 0


TRAINED: dict[str, type] = {
    "encode": EncodeCommand,
    "reconstruct": ReconstructCommand,
    "sample": SampleCommand,
    "walk": WalkCommand,
    "attention": AttentionCommand,
    "export": ExportCommand,
    "list": ListCommand,
}
