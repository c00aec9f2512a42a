"""What the subcommands share: the run, the images, and where they write."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from attnae.errors import UserError
from attnae.rundir.directory import CONFIG
from attnae.text import clean
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
    """What those take that need a model."""

    directory: Positional[Annotated[Path, arg(metavar="RUN")]]
    """A run's directory, such as logs/mine."""

    def output(self, out: Path | None, default: str, endings: Sequence[str]) -> Path:
        """Where to write. `UserError` for an ending that is not one of these, or a directory that holds no run."""
        path = output_path(out, self.directory / default, endings)
        if not os.path.isfile(self.directory / CONFIG):
            raise UserError(f"{self.directory} holds no run (no {CONFIG}): `attnae list logs` shows those below logs")
        return path

    def load(self) -> tuple[RunConfig, VAE]:
        """The run's options and its trained model."""
        from attnae.config.files import read_config
        from attnae.rundir.checkpoint import load_model

        config = read_config(self.directory / CONFIG)
        return config, load_model(self.directory, config)


@dataclass(frozen=True, kw_only=True)
class ImageArguments(RunArguments):
    """What those take that look at images."""

    images: Positional[Annotated[str, arg(metavar="IMAGES")]]
    """A data set (mnist, fashion-mnist, kmnist, digits, folder), an image file, or a folder of images; cropped and
    scaled to the run's image size, grey or in colour as the run's."""
    split: Literal["train", "test"] = "test"
    """Of a data set: its test images or its training images."""
    data_dir: DataDir = None
    """Where a data set is, or is downloaded to. Default: where the run had its own."""

    def read(self, config: RunConfig) -> NamedImages:
        """The images, fitted to the run."""
        from attnae.trained.images import read_images

        return read_images(self.images, config, split=self.split, data_dir=self.data_dir)


def check_range(flag: str, value: int, most: int, least: int = 1) -> None:
    """`UserError` where the value is out of its range."""
    if not least <= value <= most:
        raise UserError(f"{flag} {value}: must be from {least} to {most}")


def report_written(paths: Sequence[Path], what: str) -> int:
    """Print the one line that says what was written where; the exit code."""
    print(f"wrote {' and '.join(clean(path) for path in paths)}: {what}")
    return 0
