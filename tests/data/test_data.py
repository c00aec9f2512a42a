"""Splits and batches, held against plain Python."""

import zlib

import numpy as np
import pytest
import torch

from attnae.data.module import Batches, ImageData, check_ranks
from attnae.data.sources import load_digits
from attnae.data.types import DataSet, Images
from attnae.errors import UserError


def numbered(count, start=0):
    """Images whose every pixel is their own number."""
    images = np.broadcast_to(np.arange(start, start + count).reshape(-1, 1, 1, 1), (count, 1, 2, 2)).astype(np.uint8)
    return Images(images, np.arange(start, start + count))


def data(train=120, test=30, **options):
    return ImageData(DataSet(numbered(train), numbered(test, start=200)), **options)


def numbers(images):
    return images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    ("train", "val_size", "held_out"),
    [(120, 5000, 10), (120, 4, 4), (120, 10, 10), (120, 0, 0), (24, 5000, 2), (11, 5000, 1), (11, 0, 0)],
)
def test_val_size_is_at_most_a_twelfth(train, val_size, held_out):
    split = data(train, val_size=val_size)
    assert split.sizes["train"] == train - held_out
    if held_out:
        assert split.sizes["val"] == held_out
    else:
        assert numbers(split.images["val"]) == numbers(split.images["test"])


def test_mnist_sizes_give_the_default_val_size():
    split = ImageData(DataSet(Images(np.zeros((60_000, 1, 1, 1), np.uint8), np.zeros(60_000)), numbered(10)))
    assert (split.sizes["train"], split.sizes["val"]) == (55_000, 5_000)


def test_splits_partition_the_training_images():
    split = data()
    train, val = numbers(split.images["train"]), numbers(split.images["val"])
    assert sorted(train + val) == list(range(120))
    assert split.labels["train"].tolist() == train
    assert split.labels["val"].tolist() == val


def test_seed_moves_the_validation_split_and_nothing_else():
    one, other = data(seed=1), data(seed=2)
    assert numbers(one.images["val"]) != numbers(other.images["val"])
    assert numbers(one.images["test"]) == numbers(other.images["test"]) == list(range(200, 230))
    assert one.checksum != other.checksum
    assert one.checksum == data(seed=1).checksum


def test_limits_take_a_fixed_choice():
    split = data(limit_train=12, limit_test=10, val_size=0)
    by_crc = sorted(range(120), key=lambda position: zlib.crc32(str(position).encode()))
    assert numbers(split.images["train"]) == sorted(by_crc[:12])
    assert split.sizes["test"] == 10
    assert numbers(split.images["test"]) == sorted(numbers(split.images["test"]))
    other = data(limit_train=12, limit_test=10, val_size=0, seed=1)
    assert numbers(other.images["train"]) == numbers(split.images["train"])
    assert set(numbers(split.images["train"])) < set(numbers(data(limit_train=20, val_size=0).images["train"]))
    assert data(limit_train=1000).sizes["train"] == 110


def test_limited_digits_keep_all_labels():
    digits = load_digits(None, None, None)
    split = ImageData(digits, limit_train=100, val_size=0)
    assert set(split.labels["train"].tolist()) == set(range(10))


def test_too_few_images():
    with pytest.raises(UserError, match="1 training images are too few"):
        data(train=1, val_size=0)


def reference_batches(order, batch_size, *, training, rank, world_size):
    """The rule in plain Python: share out each global batch in turn."""
    result = []
    for start in range(0, len(order), batch_size):
        part = list(order[start : start + batch_size])
        if training:
            part = part[: len(part) // world_size * world_size]
        mine = part[rank::world_size]
        if training and len(mine) < 2:
            continue
        result.append(mine)
    return result


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("count", [5, 12, 13, 14, 15, 16, 24, 25])
def test_batches_against_plain_python(count, world_size, training):
    order = torch.randperm(count, generator=torch.Generator().manual_seed(count))
    images = torch.from_numpy(numbered(count).images)
    seen = []
    for rank in range(world_size):
        batches = Batches(images, lambda: order, 6, training=training, rank=rank, world_size=world_size)
        expected = reference_batches(order.tolist(), 6, training=training, rank=rank, world_size=world_size)
        got = list(batches)
        assert len(batches) == len(expected)
        assert [batch.positions.tolist() for batch in got] == expected
        assert [numbers(batch.images) for batch in got] == expected
        seen += [position for batch in got for position in batch.positions.tolist()]
    assert len(seen) == len(set(seen))
    if not training:
        assert sorted(seen) == list(range(count))


def test_each_epoch_has_its_own_order():
    split = data()

    class Trainer:
        current_epoch = 0
        global_rank, world_size = 0, 1

    split.trainer = Trainer()
    loader = split.train_dataloader()

    def order():
        return [position for batch in loader for position in batch.positions.tolist()]

    first = order()
    assert order() == first
    Trainer.current_epoch = 1
    assert order() != first
    assert sorted(order()) == sorted(first)


@pytest.mark.parametrize(
    ("batch_size", "world_size", "message"),
    [(64, 3, "use 63"), (2, 2, "too few for 2 devices"), (5, 2, "use 4")],
)
def test_batches_that_cannot_be_shared_out(batch_size, world_size, message):
    with pytest.raises(UserError, match=message):
        check_ranks(batch_size, data().sizes["train"], world_size)


@pytest.mark.parametrize("world_size", [1, 2])
def test_batches_that_can(world_size):
    assert check_ranks(64, data().sizes["train"], world_size) is None
