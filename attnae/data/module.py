"""The Lightning data module: a data set in memory, its splits, and its batches.

The images of a split are one uint8 tensor, on the device if it fits there. A batch is an index into it, so that no
work is done for single images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from attnae.data.binarize import binarized
from attnae.data.types import DataSet, Images, hash_order
from attnae.errors import UserError
from attnae.seeding import ORDER, SPLIT, generator

# The default batch size of training, so that evaluation takes no more memory than training.
EVALUATION_BATCH = 64


class Batch(NamedTuple):
    """Images, and their positions in their split."""

    images: Tensor  # uint8 (B, C, H, W)
    positions: Tensor  # int64 (B,)


class Batches:
    """The batches of one rank: each global batch is divided among the ranks.

    `order()` returns the positions of the images for one epoch, int64 (N,). In training, all ranks get the same number
    of images: up to world_size - 1 images are dropped from the last batch, and all of it if fewer than two images are
    left for each rank, since batch norm needs two. In evaluation every image is used exactly once.
    """

    def __init__(
        self,
        images: Tensor,
        order: Callable[[], Tensor],
        batch_size: int,
        *,
        training: bool,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.images = images
        self.order = order
        self.batch_size = batch_size
        self.training = training
        self.rank = rank
        self.world_size = world_size
        last = len(images) % batch_size
        dropped = training and last // world_size < 2
        self._count = len(images) // batch_size + (last > 0 and not dropped)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Batch]:
        # A generator: `order` is called at the first `next`, when the epoch on which it depends is known.
        for part in self.order().to(self.images.device).split(self.batch_size)[: self._count]:
            even = len(part) - len(part) % self.world_size if self.training else len(part)
            index = part[self.rank : even : self.world_size]
            yield Batch(self.images[index], index)


class ImageData(pl.LightningDataModule):
    """The splits train, val and test of a data set.

    `val` is held out of the training images by the seed: `val_size` images, at most a twelfth. With `val_size` 0 it is
    the test set. `limit_train` and `limit_test` use only so many images. `binarize` other than "none" makes the pixels
    black or white, see `binarized`; with "dynamic" those of the training images stay grey here, and the training step
    draws them anew. Raises `UserError` for fewer than 2 training images.
    """

    def __init__(
        self,
        data: DataSet,
        *,
        batch_size: int = 64,
        val_size: int = 5000,
        limit_train: int | None = None,
        limit_test: int | None = None,
        binarize: str = "none",
        seed: int = 768,
    ) -> None:
        super().__init__()
        drawn = data if binarize == "none" else binarized(data)
        train, test = _limited(drawn.train, limit_train), _limited(drawn.test, limit_test)
        trained_on = _limited(data.train, limit_train) if binarize == "dynamic" else train
        order = torch.randperm(len(train.images), generator=generator(seed, SPLIT)).numpy()
        held_out = min(val_size, len(order) // 12) if len(order) >= 12 else min(val_size, 1)
        kept, held = sorted(order[held_out:]), sorted(order[:held_out])
        if len(kept) < 2:
            raise UserError(f"{len(kept)} training images are too few: batch norm needs at least 2")
        self.batch_size = batch_size
        self.seed = seed
        self.labels = {"train": train.labels[kept], "val": train.labels[held], "test": test.labels}
        self.images = {
            "train": torch.from_numpy(trained_on.images[kept]),
            "val": torch.from_numpy(train.images[held]),
            "test": torch.from_numpy(test.images.copy()),
        }
        if not held_out:
            self.images["val"], self.labels["val"] = self.images["test"], self.labels["test"]

    @property
    def sizes(self) -> dict[str, int]:
        """The number of images in each split."""
        return {split: len(images) for split, images in self.images.items()}

    @cached_property
    def checksum(self) -> str:
        """The SHA-256 of the images and labels of all splits."""
        digest = hashlib.sha256()
        for split, images in self.images.items():
            digest.update(f"{split} {tuple(images.shape)}".encode())
            digest.update(images.cpu().numpy().tobytes())
            digest.update(self.labels[split].tobytes())
        return digest.hexdigest()

    def setup(self, stage: str) -> None:
        """Move the images to the device if they take at most half of its free memory.

        Raises `UserError` if the ranks do not all have the same images.
        """
        assert self.trainer is not None
        device = self.trainer.strategy.root_device
        if self.trainer.world_size > 1:
            # Compared on every rank: a rank that did not raise would wait for the others.
            mine = torch.tensor(list(bytes.fromhex(self.checksum)), device=device)
            everyones = self.trainer.strategy.all_gather(mine)
            others = [str(rank) for rank, checksum in enumerate(everyones) if not checksum.equal(everyones[0])]
            if others:
                raise UserError(
                    f"the images on rank {', '.join(others)} differ from those on rank 0: copy them from there"
                )
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if sum(images.nbytes for images in self.images.values()) > free / 2:
                return
        self.images = {split: images.to(device) for split, images in self.images.items()}

    def train_dataloader(self) -> Batches:
        assert self.trainer is not None
        trainer = self.trainer

        def shuffled() -> Tensor:
            return torch.randperm(self.sizes["train"], generator=generator(self.seed, ORDER, trainer.current_epoch))

        return self._batches("train", shuffled, self.batch_size, training=True)

    def val_dataloader(self) -> Batches:
        return self._in_order("val")

    def test_dataloader(self) -> Batches:
        return self._in_order("test")

    def _in_order(self, split: str) -> Batches:
        batch_size = max(self.batch_size, EVALUATION_BATCH)
        return self._batches(split, lambda: torch.arange(self.sizes[split]), batch_size, training=False)

    def _batches(self, split: str, order: Callable[[], Tensor], batch_size: int, *, training: bool) -> Batches:
        assert self.trainer is not None
        return Batches(
            self.images[split],
            order,
            batch_size,
            training=training,
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
        )


def check_ranks(batch_size: int, images: int, world_size: int) -> None:
    """`UserError` unless each batch can be divided evenly among the ranks, with at least 2 images for each."""
    if batch_size % world_size:
        raise UserError(
            f"--batch-size {batch_size} cannot be divided evenly among {world_size} devices: "
            f"use {max(2, batch_size // world_size) * world_size}"
        )
    if min(batch_size, images) < 2 * world_size:
        raise UserError(
            f"--batch-size {batch_size} and {images} training images are too few for "
            f"{world_size} devices: batch norm needs 2 images on each"
        )


def _limited(images: Images, limit: int | None) -> Images:
    """At most `limit` of the images, in their order. The choice is fixed: see `hash_order`."""
    count = len(images.images)
    if limit is None or limit >= count:
        return images
    index = sorted(hash_order(range(count))[:limit])
    return Images(images.images[index], images.labels[index])
