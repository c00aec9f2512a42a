"""benchmarks/published.py: its bounds are those that a run reports, and a finished run is not trained again."""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from attnae.config import read_config
from attnae.evaluation.quality import importance_noise, quality_metrics
from attnae.rundir.checkpoint import load
from attnae.training.prepare import load_images, split_images
from tests.data.test_sources import write_idx_set

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "published.py"


@pytest.fixture(scope="module")
def published():
    spec = importlib.util.spec_from_file_location("published", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("binarize", ["none", "dynamic"])
def test_bounds_of_the_benchmark_are_those_of_a_run(published, binarize, tmp_path):
    write_idx_set(tmp_path / "MNIST" / "raw", train=72, test=12)
    places = [f"--data-dir={tmp_path}", f"--log-dir={tmp_path / 'logs'}"]
    options = published.arguments([*places, "--images=64", "--epochs=1", "--test-images=10", "--samples=4"])
    directory = published.trained(options, binarize)
    written = (directory / "metrics.json").stat().st_mtime_ns
    assert published.trained(options, binarize) == directory
    assert (directory / "metrics.json").stat().st_mtime_ns == written
    found = published.bounds(directory, options)
    config = read_config(directory / "config.yaml").replace(limit_test=10, iw_samples=4, data_dir=tmp_path)
    assert (config.binarize, config.beta, config.limit_train) == (binarize, 1.0, 64)
    expected = quality_metrics(load(directory), split_images(load_images(config), config), config)
    assert found.nll.double().mean().item() == pytest.approx(expected["test/nll"], rel=1e-6)
    vae, images = load(directory), split_images(load_images(config), config).images["test"].float() / 255
    bce, kl = torch.zeros(10), None
    with torch.no_grad():
        for noise in importance_noise(config, torch.zeros(10, 2)):
            output = vae(images, eps=noise)
            bce += F.binary_cross_entropy_with_logits(output.logits, images, reduction="none").sum(dim=(1, 2, 3)) / 4
            posterior = torch.distributions.Normal(output.mu, (output.log_var / 2).exp())
            kl = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(found.kl, kl, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.negative_elbo, bce + kl, rtol=1e-5, atol=1e-3)
