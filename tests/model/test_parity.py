"""The port against the numbers that the original model computed in TensorFlow; see tests/reference/README.md."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from attnae.model.keras_weights import from_keras, keras_paths, load_keras_weights
from attnae.model.vae import VAE, kl_divergence, reconstruction_bce
from attnae.training.module import learning_rate_factor
from attnae.training.optimizer import KerasAdam

FILES = sorted((Path(__file__).parents[1] / "reference").glob("keras_*.npz"))
TRAINED = [path for path in FILES if "dropout0" in path.name]


def load(path):
    """The reference's arrays, and a VAE of its options with its weights."""
    act, attention, batch_norm, dropout = re.fullmatch(
        r"keras_(\w+)_attention(\d)_batchnorm(\d)_dropout(\d)", path.stem
    ).groups()
    reference = dict(np.load(path))
    vae = VAE(
        (8, 6, 4, 3),
        2,
        2,
        batch_norm=batch_norm == "1",
        dropout=0.2 if dropout == "1" else 0.0,
        spatial_attention=attention == "1",
        act=act,
    )
    weights = {key.removeprefix("weight/"): value for key, value in reference.items() if key.startswith("weight/")}
    load_keras_weights(vae, weights)
    return vae, reference


def images(reference):
    return torch.from_numpy(reference["x"]).permute(0, 3, 1, 2)


def as_keras(tensor):
    return tensor.detach().permute(0, 2, 3, 1).numpy()


def test_all_reference_files_are_there():
    assert len(FILES) == 8
    assert len(TRAINED) == 4


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_evaluation(path):
    vae, reference = load(path)
    vae.eval()
    x, eps = images(reference), torch.from_numpy(reference["eps"])
    with torch.no_grad():
        out = vae(x, eps[0])
        grid = vae.decode(torch.from_numpy(reference["z_grid"]))
    assert out.log_var is not None
    for name, value in {
        "mu": out.mu.numpy(),
        "log_var": out.log_var.numpy(),
        "recon": as_keras(torch.sigmoid(out.logits)),
        "decoded_grid": as_keras(grid),
        "bce": reconstruction_bce(out.logits, x).item(),
        "kl": kl_divergence(out.mu, out.log_var).item(),
    }.items():
        np.testing.assert_allclose(value, reference[f"eval/{name}"], atol=1e-5, rtol=0, err_msg=name)


def article_s_adam(vae):
    optimizer = KerasAdam(vae.parameters(), lr=0.005)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(step, lr=0.005, min_lr=0.0001, epochs=25)
    )


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_three_steps_without_rounding(path):
    """In 64 bits only the reference's own rounding is left; PyTorch's Adam would be 2e-4 and 9e-4 off."""
    vae, reference = load(path)
    vae.double().train()
    x, eps = images(reference).double(), torch.from_numpy(reference["eps"]).double()
    optimizer, schedule = article_s_adam(vae)
    for step, tolerance in enumerate((1e-6, 2e-6, 1e-5)):
        out = vae(x, eps[step])
        loss = reconstruction_bce(out.logits, x) + 0.001 * kl_divergence(out.mu, out.log_var)
        np.testing.assert_allclose(loss.item(), reference[f"train/loss_step{step}"], rtol=tolerance)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_training(path):
    """Gradients of the first step, statistics after it, and the losses of three steps of Adam."""
    vae, reference = load(path)
    vae.train()
    x, eps = images(reference), torch.from_numpy(reference["eps"])
    paths = keras_paths(vae)
    optimizer, schedule = article_s_adam(vae)
    for step, tolerance in enumerate((1e-5, 1e-3, 5e-3)):
        out = vae(x, eps[step])
        bce, kl = reconstruction_bce(out.logits, x), kl_divergence(out.mu, out.log_var)
        loss = bce + 0.001 * kl
        np.testing.assert_allclose(loss.item(), reference[f"train/loss_step{step}"], rtol=tolerance)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            # In 64 bits: the norm of a code that hardly varies over 16 images enlarges the rounding.
            codes = load(path)[0].double().train()(x.double(), eps[0].double())
            for name in ("mu", "log_var"):
                code = getattr(codes, name).detach().numpy()
                np.testing.assert_allclose(code, reference[f"train/{name}"], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(
                as_keras(torch.sigmoid(out.logits)), reference["train/recon"], rtol=1e-3, atol=1e-5
            )
            np.testing.assert_allclose(bce.item(), reference["train/bce"], rtol=1e-4)
            np.testing.assert_allclose(kl.item(), reference["train/kl"], rtol=1e-4)
            for name, weight in vae.named_parameters():
                expected = from_keras(reference[f"grad/{paths[name]}"])
                error = (weight.grad - expected).norm()
                # A gradient that nearly cancels is rounding in the reference too: computed in 64 bits, one bias differs
                # from it by 4e-4 of itself.
                assert error < 1e-4 * expected.norm() + 2e-6, (name, error)
        optimizer.step()
        schedule.step()
        if step == 0:
            for name, statistic in vae.named_buffers():
                if name in paths:
                    expected = from_keras(reference[f"after1/{paths[name]}"])
                    # The original's variance on dense layers is the biased one.
                    tolerance = 1e-2 if statistic.dim() == 1 and "latent" in name else 1e-5
                    torch.testing.assert_close(statistic, expected, rtol=tolerance, atol=1e-6, msg=name)


def test_every_weight_of_the_reference_is_used():
    vae, reference = load(FILES[1])
    weights = {key for key in reference if key.startswith("weight/")}
    assert {f"weight/{path}" for path in keras_paths(vae).values()} == weights


def test_a_missing_or_foreign_weight_changes_nothing():
    vae, reference = load(FILES[1])
    before = {name: value.clone() for name, value in vae.state_dict().items()}
    weights = {key.removeprefix("weight/"): value * 0 for key, value in reference.items() if key.startswith("weight/")}
    lacking = {key: value for key, value in weights.items() if key != "mu.bias"}
    with pytest.raises(ValueError, match=r"missing: mu\.bias"):
        load_keras_weights(vae, lacking)
    with pytest.raises(ValueError, match=r"not in this model: stray"):
        load_keras_weights(vae, {**weights, "stray": np.zeros(1)})
    with pytest.raises(ValueError, match=r"mu\.kernel has shape \(2, 3\)"):
        load_keras_weights(vae, {**weights, "mu.kernel": np.zeros((3, 2), np.float32)})
    for name, value in vae.state_dict().items():
        assert torch.equal(value, before[name])
