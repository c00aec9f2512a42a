"""Whether less or more of a response is better."""

from __future__ import annotations

import re
from typing import Literal

Goal = Literal["min", "max"]

BETTER_HIGH = ("acc", "auc", "f1", "elbo", "psnr", "ssim", "reward", "active")
BETTER_LOW = ("loss", "err", "nll", "mse", "mae", "inactive")


def guess_goal(tag: str) -> Goal:
    """`max` for names with acc, auc, f1, elbo, psnr, ssim, reward or active, unless a later word is loss or error."""
    for word in reversed(re.findall(r"[a-z0-9]+", tag.lower())):
        if any(low in word for low in BETTER_LOW):
            return "min"
        if any(high in word for high in BETTER_HIGH):
            return "max"
    return "min"


def goal_is_known(tag: str) -> bool:
    """Whether the name says which direction is better; otherwise `min` is only a guess."""
    return any(word in tag.lower() for word in BETTER_HIGH + BETTER_LOW)
