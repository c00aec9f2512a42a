"""The pictures: their pixels are the model's numbers."""

import numpy as np
import torch
from PIL import Image

from attnae.cli import main
from attnae.config import RunConfig
from attnae.data.module import ImageData
from attnae.data.sources import load_digits
from attnae.evaluation import pictures
from attnae.evaluation.views import Views
from attnae.model.vae import VAE
from attnae.trained.drawing import attention, reconstructions, walk
from attnae.trained.images import read_images


def pixels_of(images):
    """[0, 1] to the bytes of a picture."""
    return np.rint(images.detach().numpy() * 255).astype(np.uint8)


def opened(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_reconstructions_stand_below_their_images(run_dir, config, vae, photos, tmp_path, capsys):
    out = tmp_path / "out.png"
    assert main(["reconstruct", str(run_dir), str(photos), "--scale", "3", "-o", str(out)]) == 0
    assert "17 of 17 images" in capsys.readouterr().out
    images = torch.from_numpy(read_images(str(photos), config).images) / 255
    picture = opened(out)
    assert picture.shape == (4 * 8 * 3, 16 * 8 * 3)
    tiles = picture[1::3, 1::3].reshape(4, 8, 16, 8).transpose(0, 2, 1, 3)
    for row, shown in ((0, images[:16]), (1, vae.reconstruct(images)[:16])):
        np.testing.assert_allclose(tiles[row].astype(int), pixels_of(shown)[:, 0].astype(int), atol=1)
    np.testing.assert_array_equal(tiles[2, 0], pixels_of(images[16, 0]))
    assert (tiles[2:, 1:] == 255).all()


def test_fewer_images_evenly_spaced_and_in_colour():
    vae = VAE((6, 4, 2), 1, 2, in_channels=3, image_size=8).eval()
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    picture = reconstructions(vae, images)
    assert picture.shape == (16, 24, 3)
    np.testing.assert_array_equal(picture[:8, 8:16], images[1].permute(1, 2, 0))
    expected = vae.reconstruct(images)[2].detach().permute(1, 2, 0)
    np.testing.assert_allclose(picture[8:, 16:], expected, atol=1e-6)


def test_samples_are_the_model_s(run_dir, vae, tmp_path):
    out = tmp_path / "grid.png"
    for seed, same in ((5, True), (6, False)):
        assert main(["sample", str(run_dir), "-n", "7", "--seed", str(seed), "--scale", "1", "-o", str(out)]) == 0
        picture = opened(out)
        assert picture.shape == (24, 24)
        tiles = picture.reshape(3, 8, 3, 8).transpose(0, 2, 1, 3).reshape(9, 8, 8)
        expected = pixels_of(vae.sample(7, torch.Generator().manual_seed(5)))[:, 0]
        assert np.allclose(tiles[:7].astype(int), expected.astype(int), atol=1) is same
        assert (tiles[7:] == 255).all()


def test_walk_is_that_of_training(run_dir, vae, config):
    """With two dimensions from no images, with three from the codes of the training images, as `Views` has them."""
    data = ImageData(load_digits(None, None, None), limit_train=100, limit_test=40)
    wide = VAE((6, 4, 2), 1, 3, image_size=8).eval()
    for model, options in ((vae, config), (wide, config.replace(latent_dim=3))):
        picture = pictures.to_array(walk(model, options))
        views = Views(model, data)
        assert picture.shape == (700, 700, 3)
        np.testing.assert_array_equal(picture, pictures.to_array(views.figures()["pictures/latent_walk"]))


def test_walk_of_two_dimensions_needs_no_images(vae, tmp_path):
    figure = walk(vae, RunConfig(dataset="mnist", data_dir=tmp_path / "nowhere"))
    assert figure.axes[0].get_images()[0].get_array().shape == (30 * 8, 30 * 8)


def test_attention_lies_over_the_images(vae):
    images = torch.from_numpy(load_digits(None, None, None).test.images[:2]) / 255
    figure = attention({"mine": vae}, images)
    maps = vae.attention_maps(images)
    first = next(axes for axes in figure.axes if len(axes.get_images()) == 2)
    below, above = (drawn.get_array() for drawn in first.get_images())
    for place in range(2):
        columns = slice(8 * place, 8 * place + 8)
        np.testing.assert_allclose(below[:, columns], images[place, 0])
        np.testing.assert_allclose(above[:, columns], maps["encoder.stage0.block0"][place, 0].detach(), atol=1e-6)


def test_one_block_of_several_runs(vae):
    """A row for each run, in their order, named after it."""
    images = torch.from_numpy(load_digits(None, None, None).test.images[:2]) / 255
    torch.manual_seed(1)
    other = VAE((6, 4, 2), 1, 2, image_size=8, attention="simam").eval()
    block = "decoder.stage0.block0"
    figure = attention({"mine": vae, "attention=simam,seed=1": other}, images, block)
    rows = [axes for axes in figure.axes if len(axes.get_images()) == 2]
    assert [axes.get_ylabel() for axes in rows] == ["mine", "attention=simam,\nseed=1"]
    assert block in figure.get_suptitle()
    for axes, model in zip(rows, (vae, other), strict=True):
        drawn = axes.get_images()[1].get_array()
        np.testing.assert_allclose(drawn[:, :4], model.attention_maps(images)[block][0, 0].detach(), atol=1e-6)


def test_the_figures_are_written(run_dir, tmp_path, capsys):
    assert main(["walk", str(run_dir), "-o", str(tmp_path / "walk.png")]) == 0
    assert main(["attention", str(run_dir), "digits", "-n", "3", "-o", str(tmp_path / "new" / "maps.PNG")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"wrote {tmp_path / 'walk.png'}: the latent walk",
        f"wrote {tmp_path / 'new' / 'maps.PNG'}: attention over 3 of 299 images",
    ]
    assert opened(tmp_path / "walk.png").shape == (700, 700, 3)
    assert opened(tmp_path / "new" / "maps.PNG").shape == (340, 480, 3)


def test_attention_beside_another_run(run_dir, tmp_path):
    (tmp_path / "other").symlink_to(run_dir)
    args = ["attention", str(run_dir), "digits", "-n", "3", "--block", "encoder.stage0.block0"]
    for beside, rows in (([], 2), (["--beside", str(tmp_path / "other")], 3)):
        assert main([*args, *beside, "-o", str(tmp_path / "maps.png")]) == 0
        assert opened(tmp_path / "maps.png").shape[0] == 100 * rows + 40
