"""The options that the subcommands share: the run, the images, and the output file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from attnae.errors import UserError
from attnae.rundir.directory import CONFIG
from attnae.trained.output import output_path

if TYPE_CHECKING:
    from attnae.config import RunConfig
    from attnae.model.vae import VAE
    from attnae.trained.images import NamedImages

Out = Annotated[Path | None, arg(aliases=["-o"], metavar="FILE")]
Count = Annotated[int, arg(aliases=["-n"])]
DataDir = Annotated[Path | None, arg(metavar="DIR")]


@dataclass(frozen=True, kw_only=True)
class RunArguments:
    """The argument of the subcommands that need a model."""

    directory: Positional[Annotated[Path, arg(metavar="RUN")]]
    """A run's directory, such as logs/mine."""

    def output(self, out: Path | None, default: str, endings: Sequence[str]) -> Path:
        """The output path. `UserError` unless it has one of these suffixes and the directory holds a run."""
        path = output_path(out, self.directory / default, endings)
        check_run(self.directory)
        return path

    def load(self) -> tuple[RunConfig, VAE]:
        """The options of the run, and its trained model on the CPU."""
        from attnae.config import read_config
        from attnae.rundir.checkpoint import load_model

        config = read_config(self.directory / CONFIG)
        return config, load_model(self.directory, config)


@dataclass(frozen=True, kw_only=True)
class ImageArguments(RunArguments):
    """The arguments of the subcommands that need a model and images."""

    images: Positional[Annotated[str, arg(metavar="IMAGES")]]
    """A data set (mnist, fashion-mnist, kmnist, digits, folder), an image file, or a directory of images. Images are
    cropped and scaled to the image size of the run, and converted to its number of channels."""
    split: Literal["train", "test"] = "test"
    """The images of a data set to use: its test images or its training images."""
    data_dir: DataDir = None
    """The directory of the data set, which is downloaded to it if missing. Default: the --data-dir of the run."""

    def read(self, config: RunConfig) -> NamedImages:
        """The images, converted to the size and the channels of the run."""
        from attnae.trained.images import read_images

        return read_images(self.images, config, split=self.split, data_dir=self.data_dir)


def check_run(directory: Path) -> None:
    """Raise `UserError` unless the directory holds a run."""
    if not os.path.isfile(directory / CONFIG):
        raise UserError(f"{directory} holds no run (no {CONFIG}): `attnae list logs` shows those below logs")


def check_range(flag: str, value: int, most: int, least: int = 1) -> None:
    """Raise `UserError` unless least <= value <= most."""
    if not least <= value <= most:
        raise UserError(f"{flag} {value}: must be from {least} to {most}")
