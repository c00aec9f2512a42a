"""The Lightning module: losses, schedule, epoch metrics, randomness."""

import copy

import numpy as np
import pytest
import torch
from pytorch_lightning.callbacks import Callback
from torch.nn import functional as F

from attnae.data.module import Batch
from attnae.seeding import EVALUATION, generator
from attnae.training import module as module_module
from attnae.training.module import AttentionVAE, learning_rate_factor
from attnae.training.optimizer import KerasAdam
from attnae.training.prepare import prepare
from attnae.training.run import train
from tests.conftest import read_curves

pytestmark = pytest.mark.usefixtures("blank_pictures")


def test_schedule_is_the_article_s():
    """lr / (1 + decay * t), decay = 2 * (lr - 0.0001) / epochs."""
    decay = 2 * (0.005 - 0.0001) / 25
    for step in (0, 1, 937, 23_437):
        rate = 0.005 * learning_rate_factor(step, lr=0.005, min_lr=0.0001, epochs=25)
        assert rate == pytest.approx(0.005 / (1 + decay * step), rel=1e-12)


def test_optimizer_is_keras_adam(tiny):
    module = prepare(tiny(lr=0.01)).module
    optimizer = module.configure_optimizers()["optimizer"]
    group = optimizer.param_groups[0]
    assert isinstance(optimizer, KerasAdam)
    assert (group["lr"], group["betas"], group["epsilon"], group["weight_decay"]) == (0.01, (0.9, 0.999), 1e-7, 0)


def test_a_copy_of_the_optimiser_and_one_of_a_plain_checkpoint_go_on():
    weight = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    weight.grad = torch.tensor([1e-7, -1e-6], dtype=torch.float64)
    plain, ours = torch.optim.Adam([weight], lr=0.01, eps=1e-7), KerasAdam([weight], lr=0.01, epsilon=1e-7)
    for _ in range(3):
        plain.step()
        ours.step()
    taken_up = KerasAdam([weight], lr=0.01, epsilon=1e-7)
    taken_up.load_state_dict(plain.state_dict())
    for optimizer in (copy.deepcopy(ours), taken_up):
        optimizer.step()
        assert optimizer.param_groups[0]["eps"] == pytest.approx(1e-7 / np.sqrt(1 - 0.999**4), rel=1e-12)


@pytest.mark.parametrize("fused", [False, True])
def test_steps_are_those_of_keras_formula(fused):
    """Gradients about as large as epsilon, where its place decides; the state is saved and loaded in between."""
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=5), 1e-6 * rng.normal(size=(6, 5))
    expected, m, v = start.copy(), np.zeros(5), np.zeros(5)
    weight = torch.nn.Parameter(torch.tensor(start))
    optimizer = KerasAdam([weight], lr=0.01, epsilon=1e-7, fused=fused)
    for t, gradient in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        expected -= 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-12)
        state = optimizer.state_dict()
        optimizer = KerasAdam([weight], lr=0.01, epsilon=1e-7, fused=fused)
        optimizer.load_state_dict(state)


@pytest.mark.parametrize("fused", [False, True])
def test_steps_that_a_gradient_scaler_skips_do_not_count(fused):
    """The first and the third gradient overflow: the weights are those after the other two alone."""
    weights = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
    scaled, plain = (KerasAdam([weight], lr=0.01, epsilon=1e-3, fused=fused) for weight in weights)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(torch.ones(()))
    for gradient in ([float("inf"), 1.0, 1.0], [1e-3, 2e-3, -1e-3], [float("nan"), 0.0, 0.0], [2e-3, 0.0, 1e-4]):
        weights[0].grad = torch.tensor(gradient) * scaler.get_scale()
        scaler.step(scaled)
        scaler.update()
        if np.isfinite(gradient).all():
            weights[1].grad = torch.tensor(gradient)
            plain.step()
    assert scaled.param_groups[0]["steps"] == 2
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-6, atol=0)


@pytest.mark.parametrize("fused", [False, True])
def test_weight_decay_is_apart_from_the_gradient(fused):
    """Keras' formula after p -= lr * weight_decay * p, and torch's AdamW with the epsilon that the formula means."""
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=5), rng.normal(size=(6, 5))
    expected, m, v = start.copy(), np.zeros(5), np.zeros(5)
    weights = [torch.nn.Parameter(torch.tensor(start)) for _ in range(2)]
    ours = KerasAdam([weights[0]], lr=0.01, epsilon=1e-7, weight_decay=0.3, fused=fused)
    theirs = torch.optim.AdamW([weights[1]], lr=0.01, weight_decay=0.3)
    for t, gradient in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        expected -= 0.01 * 0.3 * expected
        expected -= 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
        for weight in weights:
            weight.grad = torch.tensor(gradient)
        theirs.param_groups[0]["eps"] = 1e-7 / np.sqrt(1 - 0.999**t)
        ours.step()
        theirs.step()
        np.testing.assert_allclose(weights[0].detach().numpy(), expected, rtol=1e-12)
        torch.testing.assert_close(weights[0], weights[1], rtol=1e-12, atol=0)
        state = ours.state_dict()
        ours = KerasAdam([weights[0]], lr=0.01, epsilon=1e-7, fused=fused)
        ours.load_state_dict(state)


def test_the_gradient_is_that_of_the_weights_before_the_decay():
    """Lightning computes it in a closure, inside the step. A weight without a gradient is not decayed."""
    weight, idle = (torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64)) for _ in range(2))
    seen = []

    def closure():
        seen.append(weight.item())
        loss = 3 * weight.square().sum()
        loss.backward()
        return loss

    optimizer = KerasAdam([weight, idle], lr=0.1, weight_decay=0.5)
    assert optimizer.step(closure).item() == 12.0
    assert seen == [2.0]
    assert weight.item() == pytest.approx(2.0 * (1 - 0.1 * 0.5) - 0.1)  # Adam's first step has the length lr
    assert idle.item() == 2.0


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gradients_are_clipped(tiny, precision):
    """The first step of Adam does not depend on the length of the gradient, but its first moment does."""

    class Moments(Callback):
        def on_train_batch_end(self, trainer, pl_module, *args):
            self.norms.append(
                sum(state["exp_avg"].square().sum() for state in trainer.optimizers[0].state.values()).sqrt().item()
            )

    found = {}
    for clip in (0.0, 0.01, 1000.0):
        moments = Moments()
        moments.norms = []
        train(tiny(grad_clip=clip, precision=precision, epochs=1), callbacks=[moments])
        found[clip] = moments.norms
    assert found[0.0][0] > 0.002  # 0.1 times the norm of the gradient
    assert found[0.01][0] == pytest.approx(0.1 * 0.01, rel=1e-3)
    assert max(found[0.01]) <= 0.01
    if precision == "32-true":
        assert found[1000.0] == found[0.0]


def test_with_beta_1_the_loss_is_the_negative_elbo_of_a_pixel(tiny):
    metrics = train(tiny(beta=1.0, epochs=1)).metrics
    for stage in ("train", "val", "test"):
        assert metrics[f"{stage}/loss"] * 64 == pytest.approx(-metrics[f"{stage}/elbo"], rel=1e-6)
    by_weight = train(tiny(name="weight", kl_weight=1 / 64, epochs=1)).metrics
    assert by_weight == metrics


def test_dynamic_binarisation_draws_the_training_images_anew(tiny, monkeypatch):
    """Each batch is of zeros and ones with the grey values as means; the images of the test are drawn once."""
    targets = []

    def loss(logits, x):
        targets.append(x)
        return F.binary_cross_entropy_with_logits(logits, x)

    monkeypatch.setattr(module_module, "reconstruction_bce", loss)
    prepared = prepare(tiny(binarize="dynamic"))
    module, data = prepared.module, prepared.data
    grey = data.images["train"][:20]
    assert ((grey > 0) & (grey < 255)).any()
    torch.manual_seed(0)
    monkeypatch.setattr(AttentionVAE, "_train_forward", lambda self, x: self.vae(x))
    module._noise = torch.zeros(data.sizes["test"], 2)
    with torch.no_grad():
        for _ in range(400):
            module._step(Batch(grey, torch.arange(20)), "train")
        drawn = torch.stack(targets)
        module._step(Batch(data.images["test"], torch.arange(data.sizes["test"])), "test")
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert (drawn.mean(0) - grey / 255).abs().max() < 5 * 0.5 / 20  # five standard errors
    assert set(targets[-1].unique().tolist()) == {0.0, 1.0}


def test_the_weight_of_the_kl_rises_linearly(tiny):
    """0, 1/3, 2/3, and whole from the fourth epoch on; only the training loss has less than the whole weight."""
    curves = read_curves(train(tiny(kl_weight=0.5, kl_warmup=3, epochs=5)).directory)
    assert list(curves["train/kl_weight"].values()) == pytest.approx([0, 0.5 / 3, 1 / 3, 0.5, 0.5])
    for epoch in range(1, 6):
        for stage in ("train", "val"):
            bce, kl, loss = (curves[f"{stage}/{name}"][epoch] for name in ("bce", "kl", "loss"))
            weight = curves["train/kl_weight"][epoch] if stage == "train" else 0.5
            assert loss == pytest.approx(bce + weight * kl, rel=1e-5)
            assert kl > 0
    assert curves["test/loss"][5] == pytest.approx(curves["test/bce"][5] + 0.5 * curves["test/kl"][5], rel=1e-5)
    assert "train/kl_weight" not in read_curves(train(tiny(epochs=1)).directory)


@pytest.mark.parametrize("precision", ["32-true", "bf16-true", "64-true"])
def test_the_loss_is_that_against_the_unrounded_image(tiny, monkeypatch, precision):
    """101 / 255 is 0.39607843, and 0.39648438 in bfloat16."""
    targets = []
    monkeypatch.setattr(module_module, "reconstruction_bce", lambda logits, x: targets.append(x) or logits.mean())
    prepared = prepare(tiny(variational=False))
    module = prepared.module.eval()
    module.to({"32-true": torch.float32, "bf16-true": torch.bfloat16, "64-true": torch.float64}[precision])
    module._noise = torch.zeros(4, 2).to(next(module.parameters()))
    with torch.no_grad():
        module._step(Batch(torch.full((4, 1, 8, 8), 101, dtype=torch.uint8), torch.arange(4)), "test")
    wide = torch.float64 if precision == "64-true" else torch.float32
    assert torch.equal(targets[0], torch.full((4, 1, 8, 8), 101, dtype=wide) / 255)


@pytest.mark.parametrize("kl_weight", [0.0, 0.001, 0.5])
@pytest.mark.parametrize("variational", [True, False])
def test_epoch_metrics_are_means_over_images(tiny, kl_weight, variational):
    """Three unequal batches against one pass over all images, with the terms computed anew."""
    prepared = prepare(tiny(kl_weight=kl_weight, variational=variational))
    module = prepared.module.eval()
    if variational:
        torch.nn.init.constant_(module.vae.mu.bias, 0.7)

    class Trainer:
        datamodule = prepared.data
        world_size = 1
        current_epoch = 3
        global_rank = 0

    module._trainer = Trainer()
    module._draw_noise("test")
    images = prepared.data.images["test"]
    with torch.no_grad():
        for positions in torch.arange(40).split((17, 16, 7)):
            module._step(Batch(images[positions], positions), "test")
        metrics = module.epoch_metrics("test")
        x = images.float() / 255
        noise = torch.randn(40, 2, generator=generator(768, EVALUATION, 3, 2))
        out = module(x, noise)
    bce = F.binary_cross_entropy(torch.sigmoid(out.logits), x).item()
    kl = 0.0
    if variational:
        kl = 0.5 * (out.mu**2 + out.log_var.exp() - 1 - out.log_var).sum(1).mean().item()
        assert kl > 0.4
    assert metrics["test/bce"] == pytest.approx(bce, rel=1e-5)
    assert metrics["test/kl"] == pytest.approx(kl, rel=1e-5)
    assert metrics["test/loss"] == pytest.approx(bce + kl_weight * kl, rel=1e-5)
    assert metrics["test/elbo"] == pytest.approx(-(64 * bce + kl), rel=1e-5)


def test_metrics_start_afresh_each_epoch(tiny):
    prepared = prepare(tiny())
    module = prepared.module.eval()

    class Trainer:
        datamodule = prepared.data
        world_size, global_rank, current_epoch = 1, 0, 0

    module._trainer = Trainer()
    module._draw_noise("val")
    images, positions = prepared.data.images["val"], torch.arange(8)
    for _ in range(2):
        with torch.no_grad():
            module._step(Batch(images[positions], positions), "val")
        metrics = module.epoch_metrics("val")
    with torch.no_grad():
        module._step(Batch(images[positions], positions), "val")
    assert module.epoch_metrics("val") == metrics


def test_seed_decides_the_initial_weights(tiny):
    one, same, other = (prepare(tiny(seed=seed)).module.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["vae.encoder.stem.weight"], other["vae.encoder.stem.weight"])


def test_ranks_draw_different_dropout(tiny):
    module = prepare(tiny()).module
    draws = {}
    for epoch, rank in [(0, 0), (0, 1), (1, 0), (0, 0)]:

        class Trainer:
            current_epoch, global_rank = epoch, rank

        module._trainer = Trainer()
        module.on_train_epoch_start()
        draws.setdefault((epoch, rank), []).append(torch.rand(3).tolist())
    assert draws[0, 0][0] == draws[0, 0][1]
    assert len({tuple(values[0]) for values in draws.values()}) == 3


def test_learning_rate_through_the_trainer(tiny):
    """The rate after each epoch: 93 training images in batches of 32 are 3 steps."""
    result = train(tiny(lr=0.004, min_lr=0.001, epochs=2))
    assert result.metrics["lr"] == pytest.approx(0.004 / (1 + 2 * 0.003 / 2 * 6), rel=1e-12)


def test_article_values_by_default():
    from attnae.config import RunConfig

    config = RunConfig(image_size=28, channels=1)
    module = AttentionVAE(config)
    assert sum(weight.numel() for weight in module.vae.parameters()) == 216_941
    assert config.image_values == 784
