"""Files of a run that are missing, garbled, edited, or something else altogether."""

import json
import pickle
import shutil

import pytest
import torch

from attnae.cli import train_command
from attnae.rundir.checkpoint import CHECKPOINT, PARTS
from attnae.rundir.directory import read_metrics
from tests.faults.conftest import contents
from tests.faults.processes import run
from tests.faults.test_disk import write_study
from tests.faults.test_kill import assert_same_end


def resume(directory, capsys, *args):
    """(exit code, what was printed to standard error)."""
    code = train_command(["--resume", str(directory), *args])
    return code, capsys.readouterr().err


def assert_refused(directory, capsys, *parts):
    """One line, exit code 2, and every file as it was."""
    before = contents(directory)
    code, errors = resume(directory, capsys)
    assert (code, len(errors.splitlines())) == (2, 1), errors
    for part in parts:
        assert part in errors
    assert {path: content for path, content in contents(directory).items() if path.name != ".lock"} == {
        path: content for path, content in before.items() if path.name != ".lock"
    }


CONFIGS = {
    "missing": (None, "there is no config.yaml"),
    "empty list": (b"[]", "must hold lines such as"),
    "not text": (b"\xff\xfe\x00", "config.yaml is not text"),
    "not YAML": (b"act: [", "config.yaml, line 1 is not plain YAML"),
    "a misspelt option": (b"atc: elu", "unknown option atc; perhaps you meant act"),
    "a wrong type": (b"epochs: many", "epochs: 'many' is not a whole number"),
    "out of range": (b"epochs: 0", "--epochs 0: must be at least 1"),
}


@pytest.mark.parametrize("content", CONFIGS)
def test_config_yaml(half_done, capsys, content):
    content, message = CONFIGS[content]
    (half_done / "config.yaml").unlink()
    if content is not None:
        (half_done / "config.yaml").write_bytes(content)
    assert_refused(half_done, capsys, message)


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        ("latent_dim: 2", "latent_dim: 3", "vae.to_latent.fc1.weight is 2x32 in the checkpoint and 3x32 in the model"),
        ("batch_norm: true", "batch_norm: false", "missing in the model"),
        ("spatial_attention: false", "spatial_attention: true", "missing in the checkpoint"),
    ],
)
def test_options_of_another_model(half_done, capsys, one, other, where):
    config = (half_done / "config.yaml").read_text()
    assert one in config
    (half_done / "config.yaml").write_text(config.replace(one, other))
    assert_refused(half_done, capsys, "last.ckpt does not fit the options in config.yaml", where)


@pytest.mark.parametrize("part", PARTS)
def test_a_checkpoint_without_a_part(half_done, capsys, part):
    content = torch.load(half_done / CHECKPOINT, weights_only=True)
    for broken in ({name: value for name, value in content.items() if name != part}, {**content, part: None}):
        torch.save(broken, half_done / CHECKPOINT)
        assert_refused(half_done, capsys, f"is damaged (no valid entry {part}): delete it to start the run")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"junk" * 500, pickle.dumps({"epoch": 1}, protocol=2)])
def test_a_checkpoint_that_is_none(half_done, capsys, content):
    (half_done / CHECKPOINT).write_bytes(content)
    assert_refused(half_done, capsys, "last.ckpt")


def test_a_truncated_checkpoint(half_done, capsys):
    whole = (half_done / CHECKPOINT).read_bytes()
    for size in range(0, len(whole), len(whole) // 7):
        (half_done / CHECKPOINT).write_bytes(whole[:size])
        assert_refused(half_done, capsys, "last.ckpt")


@pytest.mark.parametrize("name", ["metrics.json", "figure.png", "checkpoints", "checkpoints/last.ckpt", "config.yaml"])
def test_something_else_in_the_way(half_done, capsys, name):
    place = half_done / name
    if place.is_dir():
        shutil.rmtree(place)
        place.write_text("a file")
    else:
        place.unlink(missing_ok=True)
        place.mkdir()
    assert_refused(half_done, capsys, str(place) if name != "config.yaml" else "there is no config.yaml")


WRONG = ["status", "metrics", "wall_time_s", "dataset", "versions", "host"]


@pytest.mark.parametrize("content", ["missing", "cut off", "a list", "of wrong types"])
def test_metrics_json_is_written_anew(undisturbed, half_done, capsys, content):
    path = half_done / "metrics.json"
    whole = path.read_text()
    texts = {
        "cut off": whole[: len(whole) // 2],
        "a list": "[]",
        "of wrong types": json.dumps({**json.loads(whole), **{name: [["?"]] for name in WRONG}}),
    }
    path.unlink()
    if content != "missing":
        path.write_text(texts[content])
    if content != "of wrong types":  # they are all the same to a resume: nothing
        assert read_metrics(half_done) == {}
        return
    assert read_metrics(half_done).keys() == json.loads(whole).keys() - {*WRONG}
    code, errors = resume(half_done, capsys)
    assert code == 0, errors
    assert_same_end(half_done, undisturbed[1].directory)


def test_names_that_are_not_utf8_and_too_long(half_done, capsys):
    place = half_done.with_name("\udcff\udcfe")
    half_done.rename(place)
    code, errors = resume(place, capsys)
    assert code == 0, errors
    code, errors = resume("x" * 5000, capsys)
    assert (code, len(errors.splitlines())) == (2, 1)
    assert "File name too long" in errors


def test_an_analysis_beside_garbled_records(tmp_path):
    """metrics.json only adds to what the events say: whatever it holds, the analysis is made."""
    write_study(tmp_path / "logs")
    nested = "{" + '"dataset": {' * 900 + "}" * 901
    wrong = json.dumps({name: [["?"]] for name in WRONG})
    for number, text in enumerate(["", "[]", wrong, nested, "[" * 100_000, '{"dataset": 1, "metrics": "x"}', "\x00"]):
        (tmp_path / "logs" / f"run-{number}" / "metrics.json").write_text(text)
    code, screen = run([tmp_path / "logs", "--permutations", 99], tmp_path / "screen", script="analyze")
    assert code == 0, screen
    assert "Traceback" not in screen
    assert "metrics.json cannot be read" in (tmp_path / "logs" / "analysis" / "report.html").read_text()
