"""Preparing a run: everything is checked and built here, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from rich.console import Console

from attnae.config import DATASETS, RunConfig, as_yaml
from attnae.data.colour import DownloadedFiles
from attnae.data.module import ImageData, check_ranks
from attnae.data.sources import AUTO_LAYOUTS, LAYOUTS, IdxSource, resolve_auto, source_of
from attnae.data.types import DataSet
from attnae.errors import UserError
from attnae.training.compilation import has_compiler, pays_back
from attnae.training.module import AttentionVAE
from attnae.training.summary import model_table


@dataclass(frozen=True)
class Prepared:
    """A run that can start: its resolved options, its images in memory, its model, and warnings for the user."""

    config: RunConfig
    data: ImageData
    module: AttentionVAE
    warnings: tuple[str, ...]


def prepare(config: RunConfig, device: str = "cpu") -> Prepared:
    """Resolve the options that depend on the machine and the data, and build the model.

    `device` is the type of the device that trains, such as "cuda". Writes nothing except a data set that has to be
    downloaded. Raises `UserError` for images that are missing or damaged, and for a model that does not fit them.
    """
    warnings = []
    if config.dataset == "auto":
        name, warning = resolve_auto(config.data_dir)
        config = config.replace(dataset=name)
        warnings += [warning] if warning else []
    images = load_images(config)
    _, channels, size, _ = images.train.images.shape
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    data = split_images(images, config)
    config = config.replace(image_size=size, channels=channels, threads=torch.get_num_threads())
    if config.compile == "on" and not has_compiler():
        warnings.append(
            "--compile on: there is no C++ compiler (such as g++) with Python's headers: nothing is compiled."
        )
    config = config.replace(
        compile="on" if pays_back(config, data.sizes["train"], device) and has_compiler() else "off"
    )
    return Prepared(config, data, build(config), tuple(warnings))


def needs_download(config: RunConfig) -> bool:
    """Whether the data set has to be downloaded; `UserError` if it is incomplete."""
    name, layouts = (config.dataset, LAYOUTS) if config.dataset != "auto" else ("mnist", AUTO_LAYOUTS)
    source = source_of(name)
    try:
        if isinstance(source, IdxSource):
            return source.find(config.data_dir, layouts) is None
        return isinstance(source, DownloadedFiles) and source.find(config.data_dir) is None
    except OSError as error:
        raise _unreadable(config, error) from error


def check_before_download(config: RunConfig, world_size: int) -> None:
    """Raise the `UserError`s that can be found without the images, before these are downloaded."""
    build(offline(config)[0].replace(compile="off"))
    check_ranks(config.batch_size, config.limit_train or config.batch_size, world_size)


def describe(config: RunConfig, console: Console) -> None:
    """Print what `train` would do: the options, the model, the directory. Writes and downloads nothing."""
    config, note = offline(config)
    module = build(config.replace(compile="off"))
    console.print(as_yaml(config).rstrip())
    console.print(model_table(module))
    console.print(
        f"data set: {config.dataset}{f' ({note})' if note else ''}\n"
        f"would train: {config.log_dir / (config.name or config.default_name())}",
        soft_wrap=True,
    )


def offline(config: RunConfig) -> tuple[RunConfig, str | None]:
    """The options with the data set and the shape of its images resolved without a download, and a note or None."""
    note = None
    name = config.dataset
    if name == "auto":
        name = "mnist"
        if needs_download(config):
            note = "downloaded to --data-dir; digits if the download fails"
    size, channels = DATASETS[name].image_size, DATASETS[name].channels
    if size is None or channels is None:
        images = load_images(config).train.images
        size, channels = images.shape[2], images.shape[1]
    return config.replace(dataset=name, image_size=size, channels=channels), note


def load_images(config: RunConfig) -> DataSet:
    """Load the data set that `config` names; `UserError` names a file that is missing or damaged."""
    try:
        return source_of(config.dataset)(config.data_dir, config.image_size, config.channels)
    except OSError as error:
        raise _unreadable(config, error) from error


def _unreadable(config: RunConfig, error: OSError) -> UserError:
    return UserError(f"--data-dir {config.data_dir} cannot be read: {error.strerror}")


def split_images(images: DataSet, config: RunConfig) -> ImageData:
    """The data module of the run: its training, validation and test images."""
    return ImageData(
        images,
        batch_size=config.batch_size,
        val_size=config.val_size,
        limit_train=config.limit_train,
        limit_test=config.limit_test,
        binarize=config.binarize,
        seed=config.seed,
    )


def build(config: RunConfig) -> AttentionVAE:
    """The Lightning module; `UserError` if the images are too small for the units, or memory for the model."""
    units = f"--units {' '.join(map(str, config.units))}"
    try:
        return AttentionVAE(config)
    except ValueError as error:
        raise UserError(f"{units}: {error}") from error
    except (RuntimeError, MemoryError) as error:
        raise UserError(f"{units} --latent-dim {config.latent_dim}: this model does not fit into memory") from error
