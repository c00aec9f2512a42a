"""Adam as the original's optimiser computes it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch


class KerasAdam(torch.optim.Adam):
    """Adam that adds epsilon to the square root of the second moment before it is corrected for its start at zero.

    p -= lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon), as in Keras: the "epsilon hat" of Kingma
    & Ba 2015, section 2. PyTorch corrects v first, where the same epsilon has to be larger by 1 / sqrt(1 - beta2^t):
    32 times at the first step, 1.001 times at the six thousandth.

    With a `weight_decay` each step first multiplies the weights by 1 - lr * weight_decay, apart from the gradient and
    its moments (AdamW: Loshchilov & Hutter 2019, algorithm 2). In `torch.optim.Adam` it is added to the gradient.

    Args:
        params, lr, betas, fused: as in `torch.optim.Adam`.
        epsilon: of Keras' formula.
        weight_decay: not multiplied by the learning rate yet.
    """

    def __init__(
        self,
        params: Any,
        lr: float,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-7,
        weight_decay: float = 0.0,
        fused: bool = False,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, fused=fused)
        for group in self.param_groups:
            group["epsilon"], group["steps"], group["decay"] = epsilon, 0, weight_decay

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # of a checkpoint by `torch.optim.Adam`
            group.setdefault("epsilon", group["eps"])
            group.setdefault("decay", 0.0)  # nor by an earlier version
            group.setdefault("steps", max((int(entry["step"]) for entry in self.state.values()), default=0))

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """One step, as in `torch.optim.Adam`; none where a gradient scaler has found a gradient that is not finite.

        `torch.amp.GradScaler` leaves skipping a step to a fused optimiser, and tells it by its attribute `found_inf`.
        """
        found_inf = getattr(self, "found_inf", None)
        if found_inf is not None and found_inf.item():
            return None
        loss = None
        if closure is not None:  # it computes the gradients of the weights as they are before the decay
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            group["steps"] += 1
            group["eps"] = group["epsilon"] / math.sqrt(1 - group["betas"][1] ** group["steps"])
            if group["decay"]:
                with torch.no_grad():
                    weights = [weight for weight in group["params"] if weight.grad is not None]
                    torch._foreach_mul_(weights, 1 - group["lr"] * group["decay"])
        super().step()
        return loss
