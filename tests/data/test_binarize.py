"""Binarised images: their values, their means, and what the draws depend on."""

import numpy as np
import pytest
import torch

from attnae.data.binarize import binarized
from attnae.data.module import ImageData
from attnae.data.sources import load_digits
from attnae.data.types import DataSet, Images


def grey(value, count=4000):
    return Images(np.full((count, 1, 2, 2), value, np.uint8), np.arange(count))


@pytest.mark.parametrize("value", [0, 1, 100, 254, 255])
def test_the_grey_value_is_the_probability_of_white(value):
    train, test = binarized(DataSet(grey(value), grey(255 - value)))
    for part, p in ((train, value / 255), (test, 1 - value / 255)):
        assert set(np.unique(part.images)) <= {0, 255}
        assert part.images.dtype == np.uint8
        assert part.labels.tolist() == list(range(4000))
        error = 5 * np.sqrt(p * (1 - p) / 16_000)
        assert abs(part.images.mean() / 255 - p) <= error


def test_pixels_are_drawn_independently():
    images = binarized(DataSet(grey(128), grey(128))).train.images.reshape(4000, 4) / 255
    assert np.abs(np.corrcoef(images.T) - np.eye(4)).max() < 5 / np.sqrt(4000)


def test_static_images_do_not_depend_on_seed_split_or_limit():
    digits = load_digits(None, None, None)
    whole = binarized(digits)
    for options in ({}, {"seed": 3, "val_size": 7}, {"limit_train": 50, "limit_test": 20}):
        data = ImageData(digits, binarize="static", **options)
        known = {image.tobytes() for image in whole.train.images}
        for split in ("train", "val"):
            assert all(image.numpy().tobytes() in known for image in data.images[split])
        first = data.images["test"][0].numpy()
        assert any(np.array_equal(first, image) for image in whole.test.images)


def test_dynamic_keeps_the_training_images_grey_and_only_these():
    digits = load_digits(None, None, None)
    plain, static, dynamic = (ImageData(digits, binarize=mode) for mode in ("none", "static", "dynamic"))
    assert torch.equal(dynamic.images["train"], plain.images["train"])
    for split in ("val", "test"):
        assert torch.equal(dynamic.images[split], static.images[split])
        assert not torch.equal(static.images[split], plain.images[split])
    assert set(static.images["train"].unique().tolist()) == {0, 255}
    assert len({data.checksum for data in (plain, static, dynamic)}) == 3
