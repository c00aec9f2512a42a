"""Grey images as random black and white ones."""

import numpy as np

from attnae.data.types import DataSet, Images


def binarized(data: DataSet) -> DataSet:
    """The data set with every value 0 or 255, each drawn once: 255 with the probability value / 255.

    The draws belong to the positions of the images in the data set, so they are the same for every seed, split and
    limit. They are not those of the fixed binarised MNIST (Larochelle & Murray 2011), which is a file of its own.
    """
    return DataSet(*(_drawn(images, np.random.default_rng(part)) for part, images in enumerate(data)))


def _drawn(data: Images, random: np.random.Generator) -> Images:
    # Uniform on 0 ... 254: it is less than a value v with the probability v / 255 exactly.
    threshold = random.integers(0, 255, data.images.shape, dtype=np.uint8)
    return Images(np.where(threshold < data.images, 255, 0).astype(np.uint8), data.labels)
