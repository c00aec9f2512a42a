"""The Lightning module: one `_step` for all stages, the optimiser and its schedule."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from attnae.config import RunConfig
from attnae.data.module import Batch
from attnae.model.vae import VAE, VAEOutput, kl_divergence, reconstruction_bce
from attnae.seeding import EVALUATION, STEPS, WEIGHTS, derive_seed, generator
from attnae.tags import METRICS, STAGES, scalar
from attnae.training.compilation import compiled
from attnae.training.optimizer import KerasAdam


def learning_rate_factor(step: int, *, lr: float, min_lr: float, epochs: int) -> float:
    """What the learning rate is multiplied by at optimiser step `step`, from 0: the article's 1 / (1 + decay * t)."""
    return 1 / (1 + 2 * (lr - min_lr) / epochs * step)


class AttentionVAE(pl.LightningModule):
    """A `VAE` in training. Its metrics are means over all images of an epoch: see `epoch_metrics`.

    Dropout and sampling in training draw from torch's global generator, seeded anew for each (seed, epoch, rank);
    evaluation draws one row of noise per image, so that its numbers do not depend on batches or ranks.
    """

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.config = config
        torch.manual_seed(derive_seed(config.seed, WEIGHTS))
        # Channels last is how the CPU's convolutions read fastest, and a GPU's in half precision.
        self.vae = VAE(**config.model_arguments()).to(memory_format=torch.channels_last)
        self._compiled_forward: Callable[[Tensor], VAEOutput] | None = None
        self.warn: Callable[[str], None] = warnings.warn
        # Lightning's summary shows the shapes and the arithmetic of this input.
        self.example_input_array = torch.zeros(1, config.channels or 1, config.image_size or 1, config.image_size or 1)
        self._noise = torch.empty(0)
        self._sums: dict[str, list[Tensor]] = {stage: [] for stage in STAGES}

    def forward(self, x: Tensor, eps: Tensor | None = None) -> VAEOutput:
        """As `VAE.forward`."""
        return self.vae(x, eps)

    def _step(self, batch: Batch, stage: str) -> Tensor:
        """The loss of a batch. Its sums over images stay on the device until the epoch ends: no step waits for one."""
        # The loss is computed in 32 bits or more, against the image as it is: half precision has three digits.
        dtype = next(self.parameters()).dtype
        precise = torch.promote_types(dtype, torch.float32)
        image = batch.images.to(precise, memory_format=torch.channels_last) / 255
        if stage == "train" and self.config.binarize == "dynamic":
            image = torch.bernoulli(image)
        x = image.to(dtype)
        output = self._train_forward(x) if stage == "train" else self.vae(x, self._noise[batch.positions])
        logits, mu = output.logits.to(precise), output.mu.to(precise)
        bce = reconstruction_bce(logits, image)
        kl = bce.new_zeros(()) if output.log_var is None else kl_divergence(mu, output.log_var.to(precise))
        if len(x):  # a rank can be left without images in the last batch of an evaluation
            self._sums[stage].append(torch.stack([bce, kl, torch.ones_like(bce)]).detach() * len(x))
        return bce + self.kl_weight(stage) * kl

    def kl_weight(self, stage: str) -> float:
        """The weight of the KL divergence in the loss of a stage.

        In training it rises linearly from 0 in the first epoch, and is whole after `kl_warmup` epochs (Sonderby et al.
        2016, section 2.3). Evaluation always uses the whole weight, so that losses of different epochs and runs can be
        compared.
        """
        weight, warmup = self.config.loss_kl_weight, self.config.kl_warmup
        rises = stage == "train" and warmup > 0 and self.current_epoch < warmup
        return weight * self.current_epoch / warmup if rises else weight

    def _train_forward(self, x: Tensor) -> VAEOutput:
        # An epoch's last batch may be smaller: compiling for it, too, takes longer than it.
        whole = len(x) * self.trainer.world_size == self.config.batch_size
        return self._compiled_forward(x) if self._compiled_forward is not None and whole else self.vae(x)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "test")

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(derive_seed(self.config.seed, STEPS, self.current_epoch, self.global_rank))

    def on_validation_epoch_start(self) -> None:
        self._draw_noise("val")

    def on_test_epoch_start(self) -> None:
        self._draw_noise("test")

    def setup(self, stage: str) -> None:
        if self.config.threads is not None:  # what starts the processes of one machine may have set another number
            torch.set_num_threads(self.config.threads)
        if stage == "fit" and self.config.compile == "on":
            self._compiled_forward = compiled(self.vae.forward, self.trainer.strategy.root_device, self._not_compiled)

    def _not_compiled(self, warning: str) -> None:
        self.config = self.config.replace(compile="off")
        self.warn(warning)

    def _draw_noise(self, split: str) -> None:
        """One standard normal row for each image of the split: (N, latent)."""
        size = self.trainer.datamodule.sizes[split]  # type: ignore[attr-defined]
        source = generator(self.config.seed, EVALUATION, self.current_epoch, STAGES.index(split))
        self._noise = torch.randn(size, self.config.latent_dim, generator=source).to(next(self.parameters()))

    def epoch_metrics(self, stage: str) -> dict[str, float]:
        """{tag: mean over the images that the stage has seen since the last call}, over all ranks.

        bce is in nats per pixel and channel, kl and elbo in nats per image; loss = bce + kl_weight(stage) * kl. A
        plain autoencoder has kl 0.
        """
        sums = torch.stack(self._sums[stage] or [torch.zeros(3)]).cpu().double().sum(dim=0)
        self._sums[stage].clear()
        if self.trainer.world_size > 1:
            sums = self.trainer.strategy.reduce(sums.to(self.device), reduce_op="sum")
        bce, kl = (sums[:2] / sums[2]).tolist()
        values = self.config.image_values
        metrics = (bce + self.kl_weight(stage) * kl, bce, kl, -(bce * values + kl))
        return {scalar(stage, name): value for name, value in zip(METRICS, metrics, strict=True)}

    def configure_optimizers(self) -> Any:
        config = self.config
        # A fused optimiser scales the gradients of mixed precision back only in its step, too late to clip them.
        fused = self.device.type in ("cpu", "cuda") and not (config.grad_clip and config.precision.endswith("mixed"))
        optimizer = KerasAdam(self.parameters(), config.lr, weight_decay=config.weight_decay, fused=fused)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer,
            partial(learning_rate_factor, lr=config.lr, min_lr=config.min_lr, epochs=config.epochs),
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
