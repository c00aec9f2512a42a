"""Metrics beyond the loss, of models and of runs."""

import io

import numpy as np
import pytest
import torch
from rich.console import Console

from attnae.data.module import ImageData
from attnae.data.sources import load_digits
from attnae.data.types import DataSet, Images
from attnae.evaluation import quality
from attnae.evaluation.quality import MODEL_METRICS, Metric, quality_metrics, quality_tags
from attnae.model.vae import VAE
from attnae.rundir.directory import read_metrics
from attnae.seeding import IMPORTANCE, generator
from attnae.tags import FINAL_METRICS
from attnae.training.run import train
from attnae.training.summary import print_result
from tests.conftest import read_curves
from tests.training.test_run import hparams_of, same_weights

pytestmark = pytest.mark.usefixtures("blank_pictures")

ACTIVE_UNITS, NLL, KNN_ACCURACY = "test/active_units", "test/nll", "test/knn_accuracy"


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny models are slower with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data():
    return ImageData(load_digits(None, None, None), limit_train=120, limit_test=40)


def model(**options):
    torch.manual_seed(0)
    vae = VAE((6, 4, 2), 1, 2, image_size=8, **options)
    torch.nn.init.constant_(vae.to_latent.norm1.weight, 20.0)  # the codes of an untrained model hardly vary
    torch.nn.init.constant_(vae.to_latent.norm1.bias, 1.0)
    return vae


def test_metrics_equal_one_pass_over_all_images(data, tiny):
    """The reference encodes all images at once and computes the bound with torch.distributions."""
    vae = model().eval()
    found = quality_metrics(vae, data, tiny(iw_samples=3))
    x = data.images["test"].float() / 255
    with torch.no_grad():
        mu, log_var = vae.encode(x)
        weights = []
        for sample in range(3):
            z = mu + (log_var / 2).exp() * torch.randn(40, 2, generator=generator(768, IMPORTANCE, sample))
            prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
            posterior = torch.distributions.Normal(mu, (log_var / 2).exp()).log_prob(z).sum(1)
            p = vae.decode(z)
            likelihood = (x * p.log() + (1 - x) * (1 - p).log()).sum((1, 2, 3))
            weights.append((likelihood + prior - posterior).double())
        train_mu = vae.encode(data.images["train"].float() / 255)[0].numpy()
    nll = -torch.stack(weights).exp().mean(0).log().mean().item()
    assert found[NLL] == pytest.approx(nll, rel=1e-5)
    assert found[ACTIVE_UNITS] == (mu.numpy().var(axis=0) > 0.01).sum()
    nearest = np.linalg.norm(train_mu - mu.numpy()[:, None], axis=2).argsort(axis=1)[:, :10]
    predicted = [np.bincount(votes).argmax() for votes in data.labels["train"][nearest]]
    assert found[KNN_ACCURACY] == pytest.approx((predicted == data.labels["test"]).mean(), abs=1e-12)


def test_bound_depends_on_seed_and_number_of_samples_only(data, tiny, monkeypatch):
    vae, config = model(), tiny(iw_samples=4)
    found = quality_metrics(vae, data, config)
    torch.manual_seed(123)
    monkeypatch.setattr(quality, "EVALUATION_BATCH", 7)
    again = quality_metrics(vae, data, config)
    assert again == pytest.approx(found, rel=1e-6)
    assert quality_metrics(vae, data, config.replace(seed=1))[NLL] != pytest.approx(found[NLL], rel=1e-6)
    assert quality_metrics(vae, data, config.replace(iw_samples=5))[NLL] != pytest.approx(found[NLL], rel=1e-6)
    assert quality_metrics(vae, data, config.replace(kl_weight=1.0)) == again  # the bound counts the KL whole


def test_model_and_random_state_are_unchanged(data, tiny):
    vae = model(spatial_attention=True, attention_norm=True).train()
    before = {name: value.clone() for name, value in vae.state_dict().items()}
    state = torch.get_rng_state()
    quality_metrics(vae, data, tiny(iw_samples=2))
    assert vae.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in vae.state_dict().items())


def test_at_most_5000_training_images_vote(data, tiny, monkeypatch):
    monkeypatch.setattr(quality, "KNN_IMAGES", 20)
    sizes = []
    monkeypatch.setattr(quality, "knn_accuracy", lambda *arrays: sizes.append([len(array) for array in arrays]) or 0.5)
    assert quality_metrics(model(), data, tiny())[KNN_ACCURACY] == 0.5
    assert sizes == [[20, 20, 40, 40]]


def unlabelled(images):
    return Images(images.images, np.full_like(images.labels, -1))


@pytest.mark.parametrize(
    ("options", "labels", "expected"),
    [
        ({}, True, [ACTIVE_UNITS, KNN_ACCURACY]),
        ({"iw_samples": 1}, True, [ACTIVE_UNITS, NLL, KNN_ACCURACY]),
        ({"iw_samples": 1, "variational": False}, True, [ACTIVE_UNITS, KNN_ACCURACY]),
        ({"iw_samples": 1}, False, [ACTIVE_UNITS, NLL]),
    ],
)
def test_metric_that_does_not_apply_is_absent(tiny, options, labels, expected):
    digits = load_digits(None, None, None)
    digits = digits if labels else DataSet(digits.train, unlabelled(digits.test))
    data, config = ImageData(digits, limit_train=30, limit_test=20), tiny(**options)
    vae = model(variational=config.variational)
    assert list(quality_tags(config, data)) == expected
    assert list(quality_metrics(vae, data, config)) == expected


def test_run_logs_each_metric_once_beside_the_test_loss(tiny):
    result = train(tiny(name="one", iw_samples=2, epochs=1))
    found = {tag: result.metrics[tag] for tag in (ACTIVE_UNITS, NLL, KNN_ACCURACY)}
    curves = read_curves(result.directory)
    for tag, value in found.items():
        assert curves[tag] == {1: pytest.approx(value, rel=1e-6)}
    assert tuple(hparams_of(result.directory)[1]) == (*FINAL_METRICS, *found)
    other = train(tiny(name="other", epochs=1))
    assert NLL not in other.metrics
    assert {**result.metrics, **other.metrics} == result.metrics  # no other metric depends on it
    assert same_weights(result.directory, other.directory)


def test_bound_that_is_not_finite_is_a_divergence(tiny, monkeypatch):
    monkeypatch.setattr(quality, "bernoulli_log_likelihood", lambda logits, x: logits.flatten(1).sum(1) * torch.nan)
    result = train(tiny(epochs=1, iw_samples=1))
    assert result.status == "diverged"


def test_registered_metric_is_logged_recorded_and_shown_with_its_unit(tiny):
    metric = Metric("largest_code", "largest absolute value of a code", lambda trained: float(abs(trained.mu).max()))
    MODEL_METRICS.append(metric)
    try:
        result = train(tiny(epochs=1))
        screen = io.StringIO()
        print_result(result, Console(file=screen, width=120))
    finally:
        MODEL_METRICS.remove(metric)
    value = read_metrics(result.directory)["metrics"]["test/largest_code"]
    assert value > 0
    assert read_curves(result.directory)["test/largest_code"] == {1: pytest.approx(value, rel=1e-6)}
    assert "test/largest_code" in hparams_of(result.directory)[1]
    (line,) = [line for line in screen.getvalue().splitlines() if "largest_code" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")] == ["largest_code", f"{value:.5g}", metric.unit]
