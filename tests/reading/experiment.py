"""The experiment that tests write in every format: 2 x 2 x 2 settings with 3 seeds, and runs that did not end well."""

from __future__ import annotations

import itertools
import json
import math

LOSS = "val_loss"


def experiment():
    """A list of runs: settings, the losses of 3 epochs, and how the run ended.

    The last epoch's loss of run i differs in every run; one run diverges to NaN and another to infinity, one fails
    without a loss, and one is pruned after its first epoch, with the best loss of all.
    """
    runs = []
    for seed, lr, act, wide in itertools.product(range(3), (0.01, 0.1), ("relu", "tanh"), (False, True)):
        last = 1 + 0.3 * (lr > 0.05) - 0.2 * (act == "tanh") + 0.05 * wide + 0.01 * math.sin(7 * len(runs))
        settings = {"lr": lr, "act": act, "wide": wide, "seed": seed}
        runs.append({"settings": settings, "losses": [last + 1, last + 0.5, last], "end": "finished"})
    runs[3] |= {"losses": [2.0, math.nan, math.nan]}
    runs[6] |= {"losses": [2.0, 3.0, math.inf]}
    runs[10] |= {"losses": [], "end": "failed"}
    runs[13] |= {"losses": [0.001], "end": "pruned"}
    return runs


def as_json():
    """The experiment for a program that does not import this package; NaN and infinities are bare words."""
    return json.dumps(experiment())
