"""The data sets that `--dataset` offers. This file imports no loader, so that the command line can list them."""

from typing import NamedTuple


class DataSetEntry(NamedTuple):
    """Where the loader of a data set lives, and the shape of its images; None: the files decide.

    The loader is `module:attribute`, a function of (data_dir, image_size, channels) that returns a
    `attnae.data.sources.DataSet`.
    """

    loader: str
    image_size: int | None = None
    channels: int | None = None


# Name on the command line -> entry. A new data set is one line here and its loader.
DATASETS = {
    "mnist": DataSetEntry("attnae.data.sources:MNIST", image_size=28, channels=1),
    "fashion-mnist": DataSetEntry("attnae.data.sources:FASHION_MNIST", image_size=28, channels=1),
    "kmnist": DataSetEntry("attnae.data.sources:KMNIST", image_size=28, channels=1),
    "digits": DataSetEntry("attnae.data.sources:load_digits", image_size=8, channels=1),
    "cifar10": DataSetEntry("attnae.data.colour:CIFAR10", image_size=32, channels=3),
    "svhn": DataSetEntry("attnae.data.colour:SVHN", image_size=32, channels=3),
    "folder": DataSetEntry("attnae.data.folder:load_folder"),
}
