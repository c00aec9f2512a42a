"""Seeds of random generators. Every random number of a run is a function of (seed, purpose, epoch, rank).

A resumed run therefore needs no saved generator state: it draws the numbers that the interrupted run would have drawn.
"""

import numpy as np
import torch

WEIGHTS, SPLIT, ORDER, STEPS, EVALUATION, IMPORTANCE = range(6)


def derive_seed(seed: int, purpose: int, *keys: int) -> int:
    """A seed of 63 bits for a purpose and further keys, such as epoch and rank, mixed by numpy's `SeedSequence`."""
    return int(np.random.SeedSequence([seed, purpose, *keys]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(seed: int, purpose: int, *keys: int) -> torch.Generator:
    """A generator with this seed, on the CPU, so that its numbers do not depend on the device of the run."""
    return torch.Generator().manual_seed(derive_seed(seed, purpose, *keys))
