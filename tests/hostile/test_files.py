"""Malicious YAML, names and images: refused in one line, or harmless."""

import numpy as np
import pytest
from PIL import Image

from attnae.cli import train_command
from attnae.config import RunConfig, read_config, read_yaml
from attnae.config.yaml_files import MOST_BYTES
from attnae.data.folder import load_folder
from attnae.errors import UserError
from attnae.reading.settings import read_yaml as read_settings
from attnae.rundir.directory import make_run_directory
from attnae.study.design import first_seeds
from attnae.study.file import read_study_file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("log_dir: null", "log_dir: an empty value is not a text"),
        ("name: yes", "name: True is not a text: put it in quotes"),
        ("name: {a: 1}", "name: {'a': 1} is not a text"),
        ("name: [a]", r"name: \['a'\] is not a text"),
        ("units: [4, 3, 2, --name=x]", "is not a list of whole numbers"),
        ("units: [[4, 3], 2, 1]", "is not a list of whole numbers"),
        ("act: elu\nseed: 1\nact: relu", "line 3: act is given twice"),
        ("units: &a [4, 3, 2]\nname: *a", r"line 2: \*a: write out what it stands for"),
        ("name: &a {b: *a}", r"line 1: \*a"),
        ("seed: 0x" + "F" * 5000, "line 1: a number of 5002 digits"),
        ('"a\\n\\e[31mb": 1', r"unknown option a \\x1b\[31mb"),
        ("name: " + "x" * MOST_BYTES, "larger than 1 MiB"),
    ],
)
def test_invalid_options_are_refused(tmp_path, text, message):
    path = tmp_path / "options.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as error:
        read_config(path)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400


def test_on_off_and_null_keep_their_meaning(tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text("compile: off\nbatch_norm: no\nlimit_train: null\nname: 'yes'\ndevices: 2\n")
    config = read_config(path)
    assert (config.compile, config.batch_norm, config.limit_train, config.name) == ("off", False, None, "yes")
    assert config.devices == "2"


BOMB = "a0: &a0 {leaf}\n" + "".join(
    f"a{n}: &a{n} {{{{x: *a{n - 1}, y: *a{n - 1}, z: *a{n - 1}}}}}\n" for n in range(1, 19)
)
MERGES = "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 19))


@pytest.mark.parametrize(
    "text", [BOMB.format(leaf="{}"), BOMB.format(leaf="lol"), MERGES], ids=["empty", "laughs", "merges"]
)
def test_aliases_cannot_expand_to_billions_of_values(tmp_path, text):
    (tmp_path / "hparams.yaml").write_text(text)
    problems = []
    assert read_settings(tmp_path, problems) == {}
    assert problems == ["hparams.yaml cannot be read: its aliases expand to more than 1 MiB"]
    with pytest.raises(UserError, match="write out what it stands for"):
        read_yaml(tmp_path / "hparams.yaml")


def test_settings_keep_ordinary_aliases_and_merges(tmp_path):
    (tmp_path / "hparams.yaml").write_text("base: &b {act: elu, lr: 'nan'}\nrun: {<<: *b, act: relu}\n")
    settings = read_settings(tmp_path, [])
    assert settings == {"base/act": "elu", "base/lr": "nan", "run/act": "relu", "run/lr": "nan"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("factors: {act: [elu], act: [relu]}", "line 1: act is given twice"),
        ("factors: {act: [elu]}\noptions: {1: 2}", "unknown option 1"),
        ("factors: {act: [elu]}\nseeds: 1000000000", "1,000,000,000 seeds: a study has at most 100,000"),
        ("factors: {lr: [1e-4, 1e-3]}\nreplicates: 60000", "replicates make 120,000 runs: a study has at most 100,000"),
        ("factors: {lr: [1e-4, 1e-3]}\nseeds: 60000", "make 120,000 runs: a study has at most 100,000"),
        ("factors: {act: [elu]}\noptions: {name: ../x}", "must be the name of one folder"),
    ],
)
def test_invalid_studies_are_refused(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    path.write_text(text)

    def design():
        file = read_study_file(path)
        return file.design(RunConfig(**file.first_cell()))

    with pytest.raises(UserError, match=message):
        design()


def test_too_many_seeds_are_refused_before_they_are_listed():
    with pytest.raises(UserError, match="at most 100,000"):
        first_seeds(0, 10**30)


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a\0b", "..", "x" * 300, "😀" * 51, "a\nb", "\udcff", ""])
@pytest.mark.parametrize("study", [False, True])
def test_a_name_outside_the_log_directory_is_refused(tmp_path, monkeypatch, capsys, name, study):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text("factors: {act: [elu, relu]}\n")
    code = train_command(["--dataset=digits", f"--name={name}", *(["--study", "s.yaml"] if study else [])])
    error = capsys.readouterr().err
    assert (code, error[:14], error.count("\n")) == (2, "error: --name ", 1) if not study else code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


@pytest.mark.parametrize("name", ["😀" * 50, "-rf", "a b", "[red]", "<b>", "x" * 200])
def test_an_unusual_name_is_accepted(tiny, name):
    config = tiny(name=name)
    assert make_run_directory(config).resolve().parent == config.log_dir.resolve()


def test_an_image_that_decompresses_to_gigabytes_is_refused(tmp_path):
    """A real one: 400 million pixels in some 50 kB, refused before any of them is unpacked."""
    for index in range(2):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / f"{index}.png")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 100_000
    with pytest.raises(UserError, match=r"bomb\.png has too many pixels for an image"):
        load_folder(tmp_path, 8, 1)


def test_images_with_a_wrong_ending_and_circular_links(tmp_path):
    """What an image is, is seen from its content; a file link in a circle is no file."""
    for index in range(3):
        Image.fromarray(np.full((8, 8), index, np.uint8)).save(tmp_path / f"{index}.jpg", format="png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "notes.txt").write_text("no image")
    loaded = load_folder(tmp_path, None, None)
    assert sorted({*loaded.train.images.ravel(), *loaded.test.images.ravel()}) == [0, 1, 2]
    (tmp_path / "page.png").write_text("<html>")
    with pytest.raises(UserError, match=r"page\.png is not an image despite its suffix"):
        load_folder(tmp_path, None, None)
