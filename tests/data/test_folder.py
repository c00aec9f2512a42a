"""Directories of images."""

import zlib

import numpy as np
import pytest
from PIL import Image

from attnae.data.folder import load_folder, load_image
from attnae.errors import UserError


def save(path, values, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values), mode).save(path) if mode is None else Image.fromarray(
        np.asarray(values)
    ).convert(mode).save(path)
    return path


def grey(value, size=8):
    return np.full((size, size), value, np.uint8)


def colour(value, size=8):
    return np.full((size, size, 3), value, np.uint8)


def test_a_tenth_by_name_is_the_test_set(tmp_path):
    for index in range(25):
        save(tmp_path / f"{index:02}.png", grey(index))
    loaded = load_folder(tmp_path, None, None)
    tenth = sorted(sorted(range(25), key=lambda index: zlib.crc32(f"{index:02}.png".encode()))[:3])
    assert loaded.test.images[:, 0, 0, 0].tolist() == tenth
    assert loaded.train.images[:, 0, 0, 0].tolist() == [i for i in range(25) if i not in tenth]
    assert set(loaded.train.labels) == {-1}


def test_sub_folders_are_labels_and_test_is_the_test_set(tmp_path):
    for split in ("train", "test"):
        for label, name in enumerate(["cat", "dog"]):
            for index in range(3):
                save(tmp_path / split / name / f"{index}.png", grey(100 * label + 10 * (split == "test") + index))
    loaded = load_folder(tmp_path, None, None)
    assert loaded.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 100, 101, 102]
    assert loaded.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert loaded.test.images[:, 0, 0, 0].tolist() == [10, 11, 12, 110, 111, 112]
    assert loaded.test.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_labels_without_a_train_folder(tmp_path):
    for name in ("a", "b"):
        for index in range(6):
            save(tmp_path / name / f"{index}.png", grey(index))
    loaded = load_folder(tmp_path, None, None)
    assert sorted([*loaded.train.labels, *loaded.test.labels]) == [0] * 6 + [1] * 6
    assert (len(loaded.train.labels), len(loaded.test.labels)) == (10, 2)


def test_only_train_and_test_count_where_there_is_train(tmp_path):
    for split in ("train", "val"):
        for index in range(10):
            save(tmp_path / split / "cat" / f"{index}.png", grey(100 * (split == "val") + index))
    save(tmp_path / "stray.png", grey(250))
    loaded = load_folder(tmp_path, None, None)
    assert sorted([*loaded.train.images[:, 0, 0, 0], *loaded.test.images[:, 0, 0, 0]]) == list(range(10))
    assert set(loaded.train.labels) == {0}


def test_grey_values_out_of_range_are_named(tmp_path):
    for index in range(3):
        Image.fromarray(np.full((4, 4), 100.0 * index, np.float32)).save(tmp_path / f"{index}.tiff")
    with pytest.raises(UserError, match=r"\.tiff has grey values from \d00 to \d00: scale them to 0\.\.1"):
        load_folder(tmp_path, None, None)


def test_colour_and_grey(tmp_path):
    for index in range(3):
        save(tmp_path / f"{index}.png", np.dstack([grey(200), grey(100), grey(0)]))
    assert load_folder(tmp_path, None, None).train.images[0, :, 0, 0].tolist() == [200, 100, 0]
    as_grey = load_folder(tmp_path, None, 1).train.images
    assert as_grey.shape[1] == 1
    assert as_grey[0, 0, 0, 0] == round(0.299 * 200 + 0.587 * 100)


def test_grey_as_colour(tmp_path):
    for index in range(3):
        save(tmp_path / f"{index}.png", grey(7))
    assert load_folder(tmp_path, None, None).train.images.shape[1] == 1
    assert load_folder(tmp_path, None, 3).train.images[0, :, 0, 0].tolist() == [7, 7, 7]


def test_image_size_scales_the_central_square(tmp_path):
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 2:6] = 255
    for index in range(3):
        save(tmp_path / f"{index}.png", wide)
    loaded = load_folder(tmp_path, 2, 1)
    assert loaded.train.images.shape == (2, 1, 2, 2)
    assert loaded.train.images.min() == 255


def test_sixteen_bits(tmp_path):
    for index in range(3):
        save(tmp_path / f"{index}.png", np.full((4, 4), 65535 // 3 * (index > 0) + 1, np.uint16))
    loaded = load_folder(tmp_path, None, None)
    assert {*loaded.train.images.ravel(), *loaded.test.images.ravel()} == {0, 85}


def test_mixed_channels_name_both_files(tmp_path):
    first, second = save(tmp_path / "a.png", grey(1)), save(tmp_path / "b.png", colour(1))
    save(tmp_path / "c.png", grey(1))
    with pytest.raises(UserError, match="--channels") as error:
        load_folder(tmp_path, None, None)
    assert str(first) in str(error.value)
    assert str(second) in str(error.value)
    assert load_folder(tmp_path, None, 1).train.images.shape[1] == 1


@pytest.mark.parametrize("shape", [(9, 9), (8, 10)])
def test_mixed_sizes_say_what_to_type(tmp_path, shape):
    save(tmp_path / "a.png", grey(1))
    save(tmp_path / "b.png", np.ones(shape, np.uint8))
    save(tmp_path / "c.png", grey(1))
    with pytest.raises(UserError, match="--image-size 8"):
        load_folder(tmp_path, None, None)
    assert load_folder(tmp_path, 6, None).train.images.shape[2:] == (6, 6)


def test_a_broken_image_is_named(tmp_path):
    for index in range(3):
        save(tmp_path / f"{index}.png", np.random.default_rng(0).integers(0, 255, (32, 32), dtype=np.uint8))
    path = tmp_path / "1.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"1\.png is truncated or corrupt"):
        load_folder(tmp_path, None, None)
    path.write_bytes(b"<svg/>")
    with pytest.raises(UserError, match=r"1\.png is not an image"):
        load_folder(tmp_path, None, None)


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_a_byte_that_a_png_s_checksum_tells_of_is_corrupt(tmp_path, place):
    """Its decoder would not look: it stops when it has all rows."""
    for index in range(3):
        save(tmp_path / f"{index}.png", np.random.default_rng(0).integers(0, 255, (32, 32), dtype=np.uint8))
    path = tmp_path / "1.png"
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x55
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"1\.png is truncated or corrupt"):
        load_folder(tmp_path, None, None)


@pytest.mark.filterwarnings("error")
def test_a_broken_tiff_is_one_error_and_no_warning(tmp_path):
    path = save(tmp_path / "1.tif", np.random.default_rng(0).integers(0, 255, (32, 32), dtype=np.uint8))
    whole = path.read_bytes()
    for length in range(8, len(whole), 50):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"1\.tif is"):
            load_image(path, None, None)


def test_sizes_that_do_not_fit_are_said_so(tmp_path, monkeypatch):
    path = save(tmp_path / "1.png", grey(1))

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", full)
    with pytest.raises(UserError, match=r"1\.png at --image-size 4000 does not fit into memory"):
        load_image(path, 4000, None)


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    for index in range(3):
        save(tmp_path / f"{index}.png", grey(1, 32))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UserError, match="too many pixels"):
        load_folder(tmp_path, None, None)


def test_empty_missing_and_too_few(tmp_path):
    with pytest.raises(UserError, match="found 0 images"):
        load_folder(tmp_path, None, None)
    with pytest.raises(UserError, match="no such directory"):
        load_folder(tmp_path / "nowhere", None, None)
    save(tmp_path / "a.png", grey(1))
    with pytest.raises(UserError, match="found 1 images"):
        load_folder(tmp_path, None, None)


def test_links_that_loop_are_not_followed(tmp_path):
    for index in range(3):
        save(tmp_path / f"{index}.png", grey(index))
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    loaded = load_folder(tmp_path, None, None)
    assert len(loaded.train.images) + len(loaded.test.images) == 3


def test_names_that_are_not_utf8(tmp_path):
    """Their bytes decide which of them is the test image, and a broken one is named all the same."""
    for index in range(10):
        save(tmp_path / f"{index}.png", grey(index)).rename(tmp_path / f"{index}\udcff.png")
    loaded = load_folder(tmp_path, None, None)
    (test,) = loaded.test.images[:, 0, 0, 0].tolist()
    assert test == min(range(10), key=lambda index: zlib.crc32(f"{index}".encode() + b"\xff.png"))
    (tmp_path / "3\udcff.png").write_text("hello")
    with pytest.raises(UserError, match=r"3\\udcff\.png is not an image"):
        load_folder(tmp_path, None, None)
