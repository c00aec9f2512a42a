"""Random numbers are functions of (seed, purpose, epoch, rank)."""

import itertools

import torch

from attnae.seeding import ORDER, STEPS, derive_seed, generator


def test_every_key_counts():
    keys = list(itertools.product(range(3), range(6), range(3), range(2)))
    assert len({derive_seed(*key) for key in keys}) == len(keys)


def test_seed_fits_a_torch_generator():
    assert all(0 <= derive_seed(seed, STEPS, 0) < 2**63 for seed in (0, 768, 2**32 - 1))


def test_same_keys_same_numbers():
    first = torch.randperm(50, generator=generator(7, ORDER, 3))
    assert torch.equal(first, torch.randperm(50, generator=generator(7, ORDER, 3)))
    assert not torch.equal(first, torch.randperm(50, generator=generator(7, ORDER, 4)))
