"""CIFAR-10 and SVHN from small files of their formats, and what is said about files that are not."""

import io
import pickle
import tarfile

import numpy as np
import pytest
from scipy.io import savemat

from attnae.config import RunConfig, read_config
from attnae.data import colour
from attnae.data.colour import CIFAR10, CIFAR_TEST, CIFAR_TRAIN, SVHN, DownloadedFiles, RemoteFile
from attnae.errors import UserError
from attnae.training.prepare import needs_download
from attnae.training.run import train
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("blank_pictures")

ARCHIVE = CIFAR10.files[0].name


def random_images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


def write_cifar10(folder, per_batch=8, **changes):
    """The archive with small batches; `changes` replaces a file's content, or leaves it out. Returns the images."""
    folder.mkdir(parents=True, exist_ok=True)
    images = random_images(6 * per_batch)
    with tarfile.open(folder / ARCHIVE, "w:gz") as tar:
        for number, name in enumerate((*CIFAR_TRAIN, CIFAR_TEST)):
            part = images[number * per_batch : (number + 1) * per_batch]
            content = b"".join(bytes([i % 10]) + image.tobytes() for i, image in enumerate(part))
            content = changes.get(name.removesuffix(".bin"), content)
            if content is not None:
                info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return images


def write_svhn(folder, count=12):
    folder.mkdir(parents=True, exist_ok=True)
    images = random_images(2 * count)
    labels = np.arange(2 * count) % 10 + 1  # 10 stands for the digit 0
    for file, part in zip(SVHN.files, (slice(None, count), slice(count, None)), strict=True):
        savemat(folder / file.name, {"X": images[part].transpose(2, 3, 1, 0), "y": labels[part][:, None]})
    return images, labels % 10


@pytest.mark.parametrize("layout", ["", "CIFAR10"])
def test_cifar10(tmp_path, layout):
    images = write_cifar10(tmp_path / layout)
    data = CIFAR10(tmp_path, None, None)
    np.testing.assert_array_equal(data.train.images, images[:40])
    np.testing.assert_array_equal(data.test.images, images[40:])
    assert data.train.labels.tolist() == [*range(8)] * 5
    assert data.train.labels.dtype == np.int64
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [ARCHIVE]


@pytest.mark.parametrize("layout", ["", "SVHN"])
def test_svhn(tmp_path, layout):
    images, labels = write_svhn(tmp_path / layout)
    data = SVHN(tmp_path, None, None)
    np.testing.assert_array_equal(data.train.images, images[:12])
    np.testing.assert_array_equal(data.test.images, images[12:])
    assert [*data.train.labels, *data.test.labels] == labels.tolist()
    assert data.train.labels[9] == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_batch_3": None}, "not the binary version"),
        ({"data_batch_3": b"x" * 3072}, r"data_batch_3\.bin is truncated or corrupt: its 3072 bytes"),
        ({"test_batch": b""}, r"test_batch\.bin is truncated"),
        ({"test_batch": bytes([10] * 3073)}, r"test_batch\.bin is corrupt: it holds the label 10"),
    ],
)
def test_a_damaged_archive_is_named(tmp_path, changes, message):
    write_cifar10(tmp_path, **changes)
    with pytest.raises(UserError, match=message) as error:
        CIFAR10(tmp_path, None, None)
    assert str(tmp_path / ARCHIVE) in str(error.value)


@pytest.mark.parametrize("content", [b"", b"no archive", pickle.dumps({"data": 1})])
@pytest.mark.parametrize("source", [CIFAR10, SVHN], ids=["cifar10", "svhn"])
def test_files_of_another_kind(tmp_path, content, source):
    for file in source.files:
        (tmp_path / file.name).write_bytes(content)
    with pytest.raises(UserError, match=r"damaged"):
        source(tmp_path, None, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"X": np.zeros((32, 32, 3, 4)), "y": np.ones((4, 1))}, "holds float64"),
        ({"X": np.zeros((28, 28, 3, 4), np.uint8), "y": np.ones((4, 1))}, "not bytes of"),
        ({"X": np.zeros((32, 32, 3, 4), np.uint8), "y": np.ones((3, 1))}, "4 images, but 3 labels"),
        ({"Z": np.zeros(1)}, "KeyError"),
    ],
)
def test_a_mat_file_of_something_else(tmp_path, content, message):
    write_svhn(tmp_path)
    savemat(tmp_path / "test_32x32.mat", content)
    with pytest.raises(UserError, match=message):
        SVHN(tmp_path, None, None)


def test_a_missing_file_and_no_network(tmp_path, monkeypatch):
    monkeypatch.setattr(colour, "reachable", lambda url: False)
    for name, source in (("cifar10", CIFAR10), ("svhn", SVHN)):
        assert needs_download(RunConfig(dataset=name, data_dir=tmp_path))
        with pytest.raises(UserError, match="does not answer"):
            source(tmp_path, None, None)
    write_svhn(tmp_path)
    assert not needs_download(RunConfig(dataset="svhn", data_dir=tmp_path))
    (tmp_path / "train_32x32.mat").unlink()
    with pytest.raises(UserError, match=r"train_32x32\.mat is missing"):
        SVHN(tmp_path, None, None)


@pytest.mark.parametrize("sound", [True, False])
def test_a_download_is_checked(tmp_path, monkeypatch, sound):
    """From a file:// address: a wrong sum leaves nothing behind."""
    write_cifar10(tmp_path / "server")
    content = (tmp_path / "server" / ARCHIVE).read_bytes()
    md5 = colour.hashlib.md5(content).hexdigest() if sound else "0" * 32
    file = RemoteFile(ARCHIVE, (tmp_path / "server" / ARCHIVE).as_uri(), md5)
    source = DownloadedFiles("CIFAR-10", "CIFAR10", (file,), colour.read_cifar10)
    monkeypatch.setattr(colour, "reachable", lambda url: True)
    if sound:
        assert len(source(tmp_path / "data", None, None).train.images) == 40
        assert (tmp_path / "data" / "CIFAR10" / ARCHIVE).read_bytes() == content
    else:
        with pytest.raises(UserError, match="MD5 sum"):
            source(tmp_path / "data", None, None)
    assert [path.name for path in (tmp_path / "data").rglob("*") if path.is_file()] == [ARCHIVE] * sound


def test_the_config_trains_from_first_to_last(tmp_path, tiny):
    write_cifar10(tmp_path / "data", per_batch=10)
    shipped = read_config(ROOT / "configs" / "cifar10.yaml")
    assert (shipped.dataset, shipped.latent_dim) == ("cifar10", 32)
    result = train(tiny(dataset="cifar10", data_dir=tmp_path / "data", limit_train=None, limit_test=None, epochs=1))
    assert result.status == "finished"
    config = read_config(result.directory / "config.yaml")
    assert (config.image_size, config.channels) == (32, 3)
