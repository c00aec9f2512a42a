"""W&B's directories, written byte by byte: settings, series, how runs end, and whatever can be broken about them."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest

from attnae.reading.read import Run, read_logs
from attnae.reading.wandb.records import fields, read_records
from tests.reading.wandb.wandb_files import BLOCK, WandbFile, field, framed


def only(root: Path) -> Run:
    (run,) = read_logs(root)
    return run


def points(run: Run, tag: str) -> list[tuple[int, float]]:
    series = run.scalars[tag]
    return list(zip(series.steps.tolist(), series.values.tolist(), strict=True))


def test_settings_series_and_status(tmp_path: Path) -> None:
    file = WandbFile("abc", {"act": "relu", "bn": True, "opt": {"lr": 1e-3, "betas": [0.9, 0.99]}}, name="relu-1")
    file.history(0, {"loss": 2.5, "val/acc": 0.25, ("nested", "a"): 1})
    file.history(7, {"loss": 1.25, "val/acc": math.nan, "picture": {"_type": "image-file", "size": 3}})
    file.summary({"loss": 1.25, "best": 0.5, ("loss2", "min"): 0.125}).exit(0).write(tmp_path)
    run = only(tmp_path)
    assert (run.name, run.status, run.group, run.format) == ("relu-1", "finished", "toys", "W&B")
    assert run.hparams == {"act": "relu", "bn": True, "opt/lr": 1e-3, "opt/betas": "0.9 0.99"}
    assert points(run, "loss") == [(0, 2.5), (7, 1.25)]
    assert points(run, "val/acc")[0] == (0, 0.25)
    assert math.isnan(run.final["val/acc"])
    assert points(run, "nested/a") == [(0, 1)]
    assert points(run, "best") == [(7, 0.5)]
    assert points(run, "loss2/min") == [(7, 0.125)]
    assert sorted(run.scalars) == ["best", "loss", "loss2/min", "nested/a", "val/acc"]
    assert (run.started, run.seconds, run.problems) == (1_700_000_000.5, 14.0, ())
    assert run.source == str(run.directory) == str(tmp_path / "wandb" / "offline-run-20260101_000000-abc")


@pytest.mark.parametrize(("code", "status"), [(0, "finished"), (1, "failed"), (255, "failed"), (None, "unfinished")])
def test_how_a_run_ends(tmp_path: Path, code: int | None, status: str) -> None:
    file = WandbFile("abc", {"a": 1}).history(0, {"loss": 1.5})
    if code is not None:
        file.exit(code)
    file.write(tmp_path)
    assert only(tmp_path).status == status


def test_updates_and_removals(tmp_path: Path) -> None:
    file = WandbFile("abc", {"a": 1, "b": {"c": 1, "d": 2}, "e": 3}).history(0, {"loss": 1.5})
    file.config({"a": 10, ("b", "c"): 20}, remove=["e"]).config({"f": None}).summary({"x": 1.5}).summary(
        {}, remove=["x"]
    )
    file.write(tmp_path)
    run = only(tmp_path)
    assert run.hparams == {"a": 10, "b/c": 20, "b/d": 2, "f": "None"}
    assert list(run.scalars) == ["loss"]


def test_typed_values(tmp_path: Path) -> None:
    """Newer versions can write a typed field in place of JSON."""
    file = WandbFile("abc", {})
    typed = {"i": field(5, -3), "d": field(6, 0.25), "t": field(7, "elu"), "b": field(4, 1), "j": field(8, '{"x": 1}')}
    file.records.append(field(5, b"".join(field(1, field(1, key) + value) for key, value in typed.items())))
    row = b"".join(field(1, field(1, key) + value) for key, value in {"loss": field(6, 1.5), "n": field(3, 0)}.items())
    file.records.append(field(2, row + field(2, field(1, 4))))
    file.write(tmp_path)
    run = only(tmp_path)
    assert run.hparams == {"i": -3, "d": 0.25, "t": "elu", "b": True, "j/x": 1}
    assert {tag: points(run, tag) for tag in run.scalars} == {"loss": [(4, 1.5)]}


def test_records_longer_than_a_block(tmp_path: Path) -> None:
    """Every length around the end of a block, where chunks are split and the rest is padded."""
    generator = random.Random(1)
    for extra in range(-30, 30):
        records = [generator.randbytes(BLOCK + extra), b"", b"x", generator.randbytes(3 * BLOCK), b"end"]
        path = tmp_path / "run-a.wandb"
        path.write_bytes(framed(records))
        problems: list[str] = []
        assert list(read_records(path, problems)) == records
        assert problems == []


def test_a_resumed_run_and_the_link_to_the_latest(tmp_path: Path) -> None:
    WandbFile("abc", {"lr": 0.1}).history(0, {"loss": 3.5}).history(1, {"loss": 2.5}).exit(1).write(tmp_path)
    later = WandbFile("abc", {"lr": 0.1}).history(1, {"loss": 2.25}).history(2, {"loss": 1.5}).exit(0)
    later.write(tmp_path, date="20260102_000000", offline=False)
    (tmp_path / "wandb" / "latest-run").symlink_to("run-20260102_000000-abc", target_is_directory=True)
    run = only(tmp_path)
    assert points(run, "loss") == [(0, 3.5), (1, 2.25), (2, 1.5)]
    assert (run.status, run.problems) == ("finished", ())


def test_names_that_repeat_get_their_id(tmp_path: Path) -> None:
    for run_id, name in (("a", "relu"), ("b", "relu"), ("c", "elu")):
        WandbFile(run_id, {"act": name}, name=name).history(0, {"loss": 1.5}).write(tmp_path)
    assert [run.name for run in read_logs(tmp_path)] == ["elu", "relu (a)", "relu (b)"]


def test_settings_in_the_name(tmp_path: Path) -> None:
    WandbFile("a", {}, name="lr0.01_bn1").history(0, {"loss": 1.5}).write(tmp_path)
    (run,) = read_logs(tmp_path, name_pattern="lr{lr}_bn{bn}")
    assert run.hparams == {"lr": 0.01, "bn": 1}


def write_files(directory: Path) -> Path:
    """What an online run leaves: YAML and JSON."""
    files = directory / "files"
    files.mkdir(parents=True, exist_ok=True)
    (files / "config.yaml").write_text(
        "wandb_version: 1\n_wandb:\n  desc: null\n  value: {cli_version: 0.12}\n"
        "act:\n  desc: null\n  value: elu\nopt:\n  value: {lr: 1e-3}\n"
    )
    (files / "wandb-summary.json").write_text(
        '{"loss": 0.5, "acc": NaN, "_step": 9, "_runtime": 12.5, "_wandb": {"runtime": 12}, "table": {"_type": "t"}}'
    )
    return files


def test_yaml_and_json_without_a_wandb_file(tmp_path: Path) -> None:
    write_files(tmp_path / "wandb" / "run-20260101_000000-xyz")
    run = only(tmp_path)
    assert (run.name, run.status) == ("run-20260101_000000-xyz", "unknown")
    assert run.hparams == {"act": "elu", "opt/lr": 1e-3}
    assert run.final["loss"] == 0.5
    assert math.isnan(run.final["acc"])
    assert (sorted(run.scalars), run.seconds) == (["acc", "loss"], 12.5)


def test_yaml_and_json_beside_an_empty_wandb_file(tmp_path: Path) -> None:
    path = WandbFile("xyz", {"act": "relu"}).write(tmp_path)
    write_files(path.parent)
    assert only(tmp_path).hparams == {"act": "relu"}
    path.write_bytes(b"")
    run = only(tmp_path)
    assert run.hparams == {"act": "elu", "opt/lr": 1e-3}
    assert run.problems == ("run-xyz.wandb does not begin as a .wandb file does",)


def test_cut_at_any_byte(tmp_path: Path) -> None:
    """Whole records are kept, and the cut is named unless it lies between two records."""
    file = WandbFile("abc", {"act": "relu"}, name="n")
    for step in range(3):
        file.history(step, {"loss": 2.5 - step})
    path = file.exit(0).write(tmp_path)
    whole = path.read_bytes()
    ends = [7]
    for record in file.records:
        ends.append(ends[-1] + 7 + len(record))
    for size in range(7, len(whole)):
        path.write_bytes(whole[:size])
        run = only(tmp_path)
        kept = sum(end <= size for end in ends) - 1
        assert len(run.scalars["loss"].steps if "loss" in run.scalars else []) == min(max(kept - 2, 0), 3)
        assert run.problems == (() if size in ends else ("run-abc.wandb ends in the middle of a record",))
        assert run.status == "unfinished"


def test_flipped_bytes_lose_a_block_and_nothing_else(tmp_path: Path) -> None:
    file = WandbFile("abc", {"act": "relu"}, name="n")
    for step in range(1_500):
        file.history(step, {"loss": 0.5 + step})
    path = file.exit(0).write(tmp_path)
    whole = path.read_bytes()
    generator = random.Random(2)
    for _ in range(20):
        place = generator.randrange(7, len(whole))
        damaged = bytearray(whole)
        damaged[place] ^= 1 << generator.randrange(8)
        path.write_bytes(damaged)
        run = only(tmp_path)
        assert len(run.problems) == 1
        assert "damaged block" in run.problems[0] or "ends in the middle" in run.problems[0]
        if "loss" in run.scalars:
            series = run.scalars["loss"]
            assert np.array_equal(series.values, series.steps + 0.5)  # a checksum guards every value
            assert len(series.steps) >= 1_500 - 2 * BLOCK // 50


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 40,
        field(17, field(4, field(1, field(1, "a") + field(16, "[" * 20_000)))),
        field(17, field(4, field(1, field(1, "a") + field(16, "1" * 5_000)))),
        field(2, field(1, field(1, "loss") + field(16, "1" + "0" * 400))),
        field(2, field(1, field(1, "loss") + field(16, '{"a":' * 500 + "1" + "}" * 500))),
        field(3, field(1, field(1, "loss") + field(6, (1 << 64) - 1))),
        field(17, field(17, field(1, (1 << 64) - 1))),
    ],
)
def test_hostile_records(tmp_path: Path, content: bytes) -> None:
    file = WandbFile("abc", {"act": "relu"}).history(0, {"loss": 1.5})
    file.records.insert(2, content)
    file.write(tmp_path)
    run = only(tmp_path)
    assert points(run, "loss")[0] == (0, 1.5)
    assert run.hparams["act"] == "relu"


def test_a_million_tags_are_too_many(tmp_path: Path) -> None:
    row = {f"t{number}": 0.5 for number in range(3_000)}
    WandbFile("abc", {}).history(0, row).write(tmp_path)
    run = only(tmp_path)
    assert len(run.scalars) == 2_000
    assert run.problems == ("only the first 2,000 scalar tags are read",)


def test_another_file_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "run-1.wandb").write_text(json.dumps({"loss": 1}))
    run = only(tmp_path)
    assert run.problems == ("run-1.wandb does not begin as a .wandb file does",)
    with pytest.raises(ValueError, match="not a protobuf message"):
        list(fields(b"\x0b\x01"))
