"""Images by the name of a data set, a file or a folder."""

import numpy as np
import pytest
from PIL import Image

from attnae.config import RunConfig
from attnae.data.folder import load_folder
from attnae.data.sources import load_digits
from attnae.errors import UserError
from attnae.trained.images import read_images


def test_a_data_set_by_name(config):
    digits = load_digits(None, None, None)
    for split, expected in (("train", digits.train), ("test", digits.test)):
        found = read_images("digits", config, split=split)
        np.testing.assert_array_equal(found.images, expected.images)
        np.testing.assert_array_equal(found.labels, expected.labels)
        assert found.files is None


def test_a_data_set_of_another_size_is_fitted(config):
    larger = config.replace(dataset="folder", image_size=16, channels=3)
    digits, found = load_digits(None, None, None).test.images, read_images("digits", larger).images
    assert found.shape == (len(digits), 3, 16, 16)
    expected = Image.fromarray(digits[5, 0]).resize((16, 16), Image.Resampling.BILINEAR)
    for channel in found[5]:
        np.testing.assert_array_equal(channel, np.asarray(expected))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_is_read_as_for_training(photos, channels):
    """The same pixels as `--dataset folder`; names and sub-folders say which is which."""
    config = RunConfig(dataset="folder", data_dir=photos, image_size=8, channels=channels)
    found = read_images(str(photos), config)
    assert list(found.files) == sorted(str(path.relative_to(photos)) for path in photos.rglob("*.png"))
    assert list(found.labels) == [name.split("/")[0] if "/" in name else "" for name in found.files]
    trained = load_folder(photos, 8, channels)
    both = np.concatenate([trained.train.images, trained.test.images])
    assert found.images.shape == both.shape == (17, channels, 8, 8)
    assert sorted(image.tobytes() for image in found.images) == sorted(image.tobytes() for image in both)
    held_out = read_images("folder", config)
    np.testing.assert_array_equal(held_out.images, trained.test.images)


def test_one_file(photos, config):
    found = read_images(str(photos / "cats" / "01.png"), config)
    assert list(found.files) == ["01.png"]
    assert found.labels is None
    grey = np.asarray(Image.open(photos / "cats" / "01.png").convert("L"))
    np.testing.assert_array_equal(found.images, grey[None, None])


def test_images_that_cannot_be_read(tmp_path, config):
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.png").write_text("hello")
    for name, message in {
        str(tmp_path / "empty"): "holds no images",
        str(tmp_path / "note.png"): "is not an image",
        "minst": "perhaps you meant mnist",
        str(tmp_path / "nowhere.png"): "is not an image file, not a directory, and not a data set",
        "x" * 5000: "is not an image file",
    }.items():
        with pytest.raises(UserError, match=message):
            read_images(name, config)
    with pytest.raises(UserError, match="File name too long"):
        read_images("mnist", config, data_dir=tmp_path / ("x" * 5000))
