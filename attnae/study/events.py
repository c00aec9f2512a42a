"""What launchers tell of the runs they train."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Ending = Literal["finished", "diverged"]


@dataclass(frozen=True)
class Event:
    """What happened to a run: it is at an epoch, it ended, or it crashed and is retried or given up.

    `epoch` counts the epochs done, `loss` is the validation loss; `message` says why a run crashed, in one line.
    """

    run: str
    kind: Ending | Literal["epoch", "retried", "failed"]
    epoch: int = 0
    loss: float = math.nan
    message: str = ""
