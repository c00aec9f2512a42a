"""Every random number of a run is a function of (seed, purpose, epoch, rank).

So a resumed run needs no generator's state: it draws again what the interrupted one would have drawn.
"""

import numpy as np
import torch

WEIGHTS, SPLIT, ORDER, STEPS, EVALUATION, IMPORTANCE = range(6)


def derive_seed(seed: int, purpose: int, *keys: int) -> int:
    """A seed of 63 bits, independent of the others: numpy's `SeedSequence` mixes all keys."""
    return int(np.random.SeedSequence([seed, purpose, *keys]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(seed: int, purpose: int, *keys: int) -> torch.Generator:
    """A generator on the CPU, whose numbers do not depend on the device the run uses."""
    return torch.Generator().manual_seed(derive_seed(seed, purpose, *keys))
