"""Reading data sets from disk, and what is said where they are missing or broken."""

import gzip
import inspect
import io
import struct
import time
import zlib

import numpy as np
import pytest

from attnae.data import sources
from attnae.data.sources import MNIST, reachable, read_idx, resolve_auto, source_of
from attnae.errors import UserError


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(sources, "reachable", lambda url: False)


def write_idx_set(folder, compress=(), train=6, test=4):
    """A tiny data set of four IDX files; returns its images."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    arrays = {}
    for name, shape in zip(MNIST.FILES, [(train, 28, 28), (train,), (test, 28, 28), (test,)], strict=True):
        arrays[name] = generator.integers(0, 256, shape, dtype=np.uint8)
        content = idx(arrays[name])
        if name in compress:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return arrays


@pytest.mark.parametrize("layout", ["MNIST/raw", ""])
@pytest.mark.parametrize("compress", [(), MNIST.FILES, MNIST.FILES[:1]])
def test_idx_files_plain_or_gz_in_either_layout(tmp_path, layout, compress, offline):
    arrays = write_idx_set(tmp_path / layout, compress)
    loaded = source_of("mnist")(tmp_path, None, None)
    np.testing.assert_array_equal(loaded.train.images[:, 0], arrays[MNIST.FILES[0]])
    np.testing.assert_array_equal(loaded.train.labels, arrays[MNIST.FILES[1]])
    np.testing.assert_array_equal(loaded.test.images[:, 0], arrays[MNIST.FILES[2]])
    np.testing.assert_array_equal(loaded.test.labels, arrays[MNIST.FILES[3]])


@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST"), ("kmnist", "KMNIST")]
)
def test_each_set_has_its_own_folder(tmp_path, name, folder, offline):
    write_idx_set(tmp_path / folder / "raw")
    assert len(source_of(name)(tmp_path, None, None).train.images) == 6
    others = {"mnist", "fashion-mnist", "kmnist"} - {name}
    for other in others:
        with pytest.raises(UserError, match="does not answer"):
            source_of(other)(tmp_path, None, None)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-1], "truncated or corrupt"),
        (lambda content: content + b"x", "truncated or corrupt"),
        (lambda content: content[:10], "not an IDX file"),
        (lambda content: b"", "not an IDX file"),
        (lambda content: b"\x00\x00\x0d" + content[3:], "not an IDX file"),
        (lambda content: content[:4] + b"\xff" * 12 + content[16:], "truncated or corrupt"),
    ],
)
def test_a_broken_file_is_named(tmp_path, damage, message):
    write_idx_set(tmp_path)
    path = tmp_path / MNIST.FILES[2]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=message) as error:
        source_of("mnist")(tmp_path, None, None)
    assert str(path) in str(error.value)


def test_a_broken_gz_is_named(tmp_path):
    path = tmp_path / "x.gz"
    for content in (b"no gzip", gzip.compress(b"0" * 100)[:-5], b""):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"x\.gz"):
            read_idx(path, 1)


def test_a_missing_sister_is_named(tmp_path, offline):
    write_idx_set(tmp_path)
    (tmp_path / MNIST.FILES[1]).unlink()
    with pytest.raises(UserError, match="train-labels-idx1-ubyte is missing"):
        source_of("mnist")(tmp_path, None, None)


def test_images_and_labels_must_match(tmp_path):
    write_idx_set(tmp_path)
    (tmp_path / MNIST.FILES[1]).write_bytes(idx(np.zeros(5, np.uint8)))
    with pytest.raises(UserError, match="6 images"):
        source_of("mnist")(tmp_path, None, None)


def test_images_of_another_size_are_named(tmp_path):
    write_idx_set(tmp_path)
    (tmp_path / MNIST.FILES[0]).write_bytes(idx(np.zeros((6, 28, 20), np.uint8)))
    with pytest.raises(UserError, match="train-images-idx3-ubyte holds images of 20x28"):
        source_of("mnist")(tmp_path, None, None)


def test_mnist_by_name_never_falls_back(tmp_path, offline):
    with pytest.raises(UserError, match="--dataset digits"):
        source_of("mnist")(tmp_path, None, None)
    assert not list(tmp_path.iterdir())


def test_auto_takes_digits_with_a_warning_where_there_is_no_mnist(tmp_path, offline):
    name, warning = resolve_auto(tmp_path)
    assert name == "digits"
    assert "digits instead" in warning


def test_auto_takes_mnist_from_disk_without_asking_the_network(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "reachable", lambda url: pytest.fail("asked the network"))
    write_idx_set(tmp_path / "MNIST" / "raw")
    assert resolve_auto(tmp_path) == ("mnist", None)


def test_auto_does_not_take_unnamed_files_for_mnist(tmp_path, offline):
    write_idx_set(tmp_path)
    assert resolve_auto(tmp_path)[0] == "digits"


def test_auto_does_not_pass_over_an_incomplete_mnist(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "reachable", lambda url: pytest.fail("asked the network"))
    write_idx_set(tmp_path / "MNIST" / "raw")
    (tmp_path / "MNIST" / "raw" / MNIST.FILES[1]).unlink()
    with pytest.raises(UserError, match=r"train-labels-idx1-ubyte is missing .* delete the other files"):
        resolve_auto(tmp_path)


def test_a_failing_download_leaves_nothing_behind(tmp_path, monkeypatch):
    from torchvision import datasets

    def half_way(root, download):
        (tmp_path / "seen").touch()
        from pathlib import Path

        (Path(root) / "MNIST").mkdir()
        raise RuntimeError("connection lost")

    half_way.mirrors = ["http://localhost/"]
    monkeypatch.setattr(datasets, "MNIST", half_way)
    monkeypatch.setattr(sources, "reachable", lambda url: True)
    with pytest.raises(UserError, match="connection lost"):
        MNIST.download(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["seen"]
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="failed"):
        MNIST.download(tmp_path / "file")


def test_a_download_arrives_whole(tmp_path, monkeypatch):
    from pathlib import Path

    from torchvision import datasets

    def whole(root, download):
        write_idx_set(Path(root) / "MNIST" / "raw")

    whole.mirrors = ["http://localhost/"]
    monkeypatch.setattr(datasets, "MNIST", whole)
    monkeypatch.setattr(sources, "reachable", lambda url: True)
    assert len(source_of("mnist")(tmp_path / "new", None, None).test.images) == 4
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["MNIST"]


def test_the_probe_gives_up_in_time(monkeypatch):
    import urllib.request

    monkeypatch.setattr(urllib.request, "urlopen", lambda *args, **options: time.sleep(30) or io.BytesIO())
    begun = time.monotonic()
    assert not reachable("http://localhost/", seconds=0.1)
    assert time.monotonic() - begun < 20
    assert inspect.signature(reachable).parameters["seconds"].default == 5


def test_the_probe_sees_a_server():
    import http.server
    import threading

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert reachable(f"http://127.0.0.1:{server.server_port}/")
    finally:
        server.shutdown()
        server.server_close()
    assert not reachable(f"http://127.0.0.1:{server.server_port}/", seconds=2)


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    digits = load_digits()
    loaded = source_of("digits")(None, None, None)
    assert (len(loaded.train.images), len(loaded.test.images)) == (1498, 299)
    is_test = np.zeros(1797, bool)
    is_test[sorted(range(1797), key=lambda position: zlib.crc32(str(position).encode()))[:299]] = True
    np.testing.assert_allclose(loaded.test.images[:, 0] / 255, digits.images[is_test] / 16, atol=0.5 / 255)
    np.testing.assert_allclose(loaded.train.images[:, 0] / 255, digits.images[~is_test] / 16, atol=0.5 / 255)
    np.testing.assert_array_equal(loaded.test.labels, digits.target[is_test])
    counts = np.bincount(loaded.test.labels)
    assert counts.min() > 20
    assert counts.max() < 40
    assert loaded.train.images.dtype == np.uint8


def test_real_mnist(mnist_dir):
    loaded = source_of("mnist")(mnist_dir, None, None)
    assert loaded.train.images.shape == (60_000, 1, 28, 28)
    assert loaded.test.images.shape == (10_000, 1, 28, 28)
    # Published mean and standard deviation of the training pixels.
    assert loaded.train.images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert loaded.train.images.std() / 255 == pytest.approx(0.3081, abs=5e-5)
    assert np.bincount(loaded.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
