"""The arrays behind the pictures."""

import numpy as np
import pytest
import torch

from attnae.data.module import ImageData
from attnae.data.sources import load_digits
from attnae.evaluation import pictures
from attnae.evaluation.views import Views
from attnae.model.vae import VAE


def test_walk_over_two_dimensions_is_the_article_s_grid():
    codes, moved = pictures.walk_codes(np.random.default_rng(0).normal(size=(50, 2)))
    assert moved == [0, 1]
    assert codes.shape == (900, 2)
    grid = codes.reshape(30, 30, 2)
    np.testing.assert_allclose(grid[0, :, 0], np.linspace(-5, 5, 30), rtol=1e-6)
    np.testing.assert_allclose(grid[:, 0, 1], np.linspace(5, -5, 30), rtol=1e-6)


def test_walk_moves_the_two_with_the_most_variance():
    codes = np.random.default_rng(0).normal(size=(500, 4)) * [1, 3, 0.1, 2] + [0, 0, 7, 0]
    walk, moved = pictures.walk_codes(codes, steps=3, limit=1.0)
    assert moved == [1, 3]
    assert set(walk[:, 1]) == {-1.0, 0.0, 1.0}
    np.testing.assert_allclose(walk[:, 2], codes[:, 2].mean(), rtol=1e-6)
    np.testing.assert_allclose(walk[:, 0], codes[:, 0].mean(), rtol=1e-6)


def test_walk_of_one_dimension():
    walk, moved = pictures.walk_codes(np.zeros((5, 1)), steps=4)
    assert moved == [0]
    assert walk.shape == (16, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_tile_puts_images_in_rows(channels):
    images = np.arange(5, dtype=np.float32).reshape(5, 1, 1, 1) * np.ones((5, channels, 2, 3), np.float32) / 10
    picture = pictures.tile(images, 2)
    assert picture.shape[:2] == (3 * 2, 2 * 3)
    first = picture if channels == 1 else picture[..., 0]
    np.testing.assert_allclose(first[0], [0, 0, 0, 0.1, 0.1, 0.1])
    np.testing.assert_allclose(first[4], [0.4, 0.4, 0.4, 1, 1, 1])


def test_scatter_of_many_dimensions_is_pca():
    codes = np.random.default_rng(0).normal(size=(200, 5)) * [5, 1, 1, 3, 1]
    points, how = pictures.scatter_coordinates(codes)
    assert how == "PCA of 5 latent dimensions"
    values = np.linalg.eigvalsh(np.cov(codes.T))[::-1]
    np.testing.assert_allclose(points.var(axis=0, ddof=1), values[:2], rtol=1e-6)
    same, nothing = pictures.scatter_coordinates(codes[:, :2])
    assert nothing == ""
    np.testing.assert_array_equal(same, codes[:, :2])


def test_scatter_of_one_code_of_many_dimensions():
    points, how = pictures.scatter_coordinates(np.arange(4.0)[None])
    assert points.tolist() == [[0, 1]]
    assert "first two" in how


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def test_titles_say_what_was_done_beyond_two_dimensions():
    walk = pictures.walk_figure(np.zeros((9, 1, 2, 2)), [1, 3], 4)
    assert titles(walk) == ["Latent walk: the 2 of 4 dimensions with the largest variance"]
    assert walk.axes[0].get_xlabel() == "$z_{2}$"
    codes = {"test": np.random.default_rng(0).normal(size=(20, 4))}
    scatter = pictures.scatter_figure(codes, {"test": np.zeros(20, int)})
    assert titles(scatter) == ["Test codes (PCA of 4 latent dimensions)"]


def test_scatter_draws_each_label():
    codes = {"train": np.random.default_rng(0).normal(size=(30, 2))}
    figure = pictures.scatter_figure(codes, {"train": np.arange(30) % 3 + 5})
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["5", "6", "7"]
    assert len(figure.axes[0].collections[0].get_offsets()) == 30


def test_article_figure_holds_all_panels():
    curves = {f"{stage}/{metric}": {1: 0.5, 2: 0.25} for stage in ("train", "val") for metric in ("loss", "kl")}
    codes = {split: np.random.default_rng(0).normal(size=(10, 2)) for split in ("train", "test")}
    labels = {split: np.zeros(10, int) for split in codes}
    figure = pictures.article_figure(
        codes=codes, labels=labels, curves=curves, walk=np.zeros((9, 1, 2, 2)), moved=[0, 1], title="units 6 4 2"
    )
    assert titles(figure) == ["Train codes", "Test codes", "Loss", "KL divergence", "Latent walk"]
    loss = figure.axes[2].lines
    assert [line.get_label() for line in loss] == ["train", "val"]
    np.testing.assert_array_equal(loss[1].get_xydata(), [[1, 0.5], [2, 0.25]])
    assert pictures.to_array(figure).shape == (950, 1500, 3)


def test_views_are_of_the_model_and_leave_it_alone():
    torch.manual_seed(0)
    vae = VAE((6, 4, 2), 1, 2, spatial_attention=True, image_size=8).train()
    data = ImageData(load_digits(None, None, None), limit_train=60, limit_test=20)
    before = {name: value.clone() for name, value in vae.state_dict().items()}
    state = torch.get_rng_state()
    views = Views(vae, data)
    assert vae.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in vae.state_dict().items())
    vae.eval()
    with torch.no_grad():
        x = data.images["test"].float() / 255
        np.testing.assert_allclose(views.codes["test"], vae.encode(x)[0].numpy(), atol=1e-6)
        np.testing.assert_allclose(views.inputs, x[torch.arange(16) * 20 // 16].numpy())
        np.testing.assert_allclose(views.outputs, vae.reconstruct(x[torch.arange(16) * 20 // 16]).numpy(), atol=1e-6)
    np.testing.assert_array_equal(views.labels["test"], data.labels["test"])
    assert list(views.attention) == ["encoder.stage0.block0", "decoder.stage0.block0"]
    assert views.attention["encoder.stage0.block0"].shape == (8, 1, 8, 8)
    assert views.walk.shape == (900, 1, 8, 8)


@pytest.mark.parametrize(("low", "high"), [(0, 1.2e-6), (0.5, 0.5001), (0, 1)])
def test_every_tick_of_the_attention_says_its_value(low, high):
    """No common factor above a bar of colours, where it would lie on the row above."""
    inputs = np.zeros((2, 1, 8, 8))
    small = np.linspace(low, high, 32).reshape(2, 1, 4, 4)
    figure = pictures.attention_figure(inputs, {"stage0.block0": small})
    pictures.to_array(figure)
    bar = figure.axes[-1].yaxis
    assert bar.get_offset_text().get_text() == ""
    shown = [float(label.get_text().replace("\N{MINUS SIGN}", "-")) for label in bar.get_ticklabels()]
    np.testing.assert_allclose(shown, bar.get_ticklocs(), rtol=1e-5, atol=1e-12)
    assert len(set(shown)) == len(shown) > 2
