"""Scalars of one run, against TensorBoard's own EventAccumulator reading the same files."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.util.tensor_util import make_ndarray, make_tensor_proto

from attnae.reading.read import Run, read_logs
from tests.reading.event_logs import EventFile, frame

Points = dict[str, list[tuple[int, float]]]


def read_run(directory: Path) -> Run:
    (run,) = read_logs(directory)
    return run


def points(run: Run) -> Points:
    return {
        tag: list(zip(series.steps.tolist(), series.values.tolist(), strict=True))
        for tag, series in run.scalars.items()
    }


def reference(directory: Path) -> Points:
    accumulator = EventAccumulator(str(directory), size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    found = {
        tag: [(event.step, event.value) for event in accumulator.Scalars(tag)] for tag in accumulator.Tags()["scalars"]
    }
    for tag in accumulator.Tags()["tensors"]:
        tensors = accumulator.Tensors(tag)
        found[tag] = [(event.step, float(make_ndarray(event.tensor_proto).item())) for event in tensors]
    return found


def assert_equal(found: Points, expected: Points) -> None:
    assert found.keys() == expected.keys()
    for tag, values in expected.items():
        np.testing.assert_array_equal(np.array(found[tag]), np.array(values), err_msg=tag)


def test_random_scalars_between_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    file = EventFile()
    for step in range(200):
        for tag in ("train/loss", "val/loss", "lr"):
            file.scalar(tag, float(rng.normal() * 10.0 ** rng.integers(-30, 30)), step)
        file.image("picture", rng.bytes(2000), step)
    file.scalar("late", 1.5, 2**40)
    file.write(tmp_path)
    assert_equal(points(read_run(tmp_path)), reference(tmp_path))


def test_more_points_than_the_accumulator_keeps_by_default(tmp_path: Path) -> None:
    file = EventFile()
    for step in range(12_000):
        file.scalar("loss", step, step)
    file.write(tmp_path)
    series = read_run(tmp_path).scalars["loss"]
    np.testing.assert_array_equal(series.steps, np.arange(12_000))
    np.testing.assert_array_equal(series.values, np.arange(12_000.0))


def test_several_summaries_in_one_event(tmp_path: Path) -> None:
    image = Summary.Value(tag="picture", image=Summary.Image(encoded_image_string=b"x" * 5000))
    values = [
        Summary.Value(tag="a", simple_value=1.5),
        image,
        Summary.Value(tag="b", simple_value=-2.25),
    ]
    EventFile().event(7, summary=Summary(value=values)).write(tmp_path)
    assert points(read_run(tmp_path)) == {"a": [(7, 1.5)], "b": [(7, -2.25)]}


def test_non_finite_values_and_negative_zero_are_kept(tmp_path: Path) -> None:
    values = [math.nan, math.inf, -math.inf, -0.0]
    file = EventFile()
    for step, value in enumerate(values):
        file.scalar("loss", value, step)
    file.write(tmp_path)
    found = read_run(tmp_path).scalars["loss"].values
    np.testing.assert_array_equal(found, values)
    assert math.copysign(1, found[3]) == -1


AS_NUMBERS = ["float16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "int64", "bool"]
AS_BYTES = [*AS_NUMBERS, "uint32", "uint64"]


@pytest.mark.parametrize(
    ("dtype", "packed"), [(name, False) for name in AS_NUMBERS] + [(name, True) for name in AS_BYTES]
)
def test_tensor_scalars_of_every_type(tmp_path: Path, dtype: str, packed: bool) -> None:
    """TensorFlow 2 writes scalars as tensors: as raw bytes (`tensor_content`) or as numbers (`float_val`...)."""
    file = EventFile()
    for step, number in enumerate([0, 1, 100]):
        array = np.array(number, dtype=dtype)
        tensor = make_tensor_proto(array)
        if packed:
            content = array.tobytes()
            tensor = TensorProto(dtype=tensor.dtype, tensor_shape=tensor.tensor_shape, tensor_content=content)
        file.tensor("value", tensor, step)
    file.write(tmp_path)
    expected = reference(tmp_path)
    assert [value for _, value in expected["value"]] == [0, 1, float(np.array(100, dtype=dtype))]
    assert_equal(points(read_run(tmp_path)), expected)


def test_only_the_first_value_of_a_tag_has_to_name_its_plugin(tmp_path: Path) -> None:
    bare = Summary.Value(tag="loss", tensor=make_tensor_proto(np.float32(2.5)))
    other = Summary.Value(tag="embedding", tensor=make_tensor_proto(np.float32(9)))
    file = EventFile().tensor("loss", make_tensor_proto(np.float32(1.5)), 1)
    file.tensor("embedding", make_tensor_proto(np.float32(9)), 1, plugin="projector")
    file.event(2, summary=Summary(value=[bare])).event(2, summary=Summary(value=[other]))
    file.write(tmp_path)
    assert points(read_run(tmp_path)) == {"loss": [(1, 1.5), (2, 2.5)]}


def test_tensors_that_are_not_scalars_are_left_out(tmp_path: Path) -> None:
    file = EventFile().scalar("loss", 1.0)
    file.tensor("vector", make_tensor_proto(np.arange(3.0)))
    file.tensor("words", make_tensor_proto(b"word"))
    file.tensor("histogram", make_tensor_proto(np.float32(1)), plugin="histograms")
    file.write(tmp_path)
    run = read_run(tmp_path)
    assert points(run) == {"loss": [(0, 1.0)]}
    assert run.problems == ()


def write_resumed(directory: Path, restart: Callable[[EventFile], EventFile]) -> None:
    """Epochs 1 to 7, then again from 5 to 6: killed at 7, resumed after 4, killed again."""
    first, second = EventFile(), EventFile()
    for step in range(1, 8):
        first.scalar("loss", step, step)
    restart(second)
    for step in (5, 6):
        second.scalar("loss", 10 * step, step)
    first.write(directory, number=9)
    second.write(directory, number=10)


def test_a_restart_removes_later_steps_as_in_tensorboard(tmp_path: Path) -> None:
    write_resumed(tmp_path, lambda file: file.restart(5))
    found = points(read_run(tmp_path))
    assert found == {"loss": [(1, 1), (2, 2), (3, 3), (4, 4), (5, 50), (6, 60)]}
    assert_equal(found, reference(tmp_path))


def test_a_restart_from_the_beginning_leaves_no_empty_series(tmp_path: Path) -> None:
    EventFile().scalar("old", 1.0, 1).write(tmp_path, number=1)
    EventFile().restart(0).scalar("new", 2.0, 1).write(tmp_path, number=2)
    assert points(read_run(tmp_path)) == {"new": [(1, 2.0)]}


def test_without_a_restart_mark_the_later_value_of_a_step_is_used(tmp_path: Path) -> None:
    """The second file is `...10`, which as text would come before `...9`."""
    write_resumed(tmp_path, lambda file: file)
    assert points(read_run(tmp_path)) == {"loss": [(1, 1), (2, 2), (3, 3), (4, 4), (5, 50), (6, 60), (7, 7)]}


def test_the_first_files_steps_may_be_the_later_ones(tmp_path: Path) -> None:
    EventFile().scalar("loss", 2.0, 2).scalar("loss", 3.0, 3).write(tmp_path, number=1)
    EventFile().scalar("loss", 1.0, 1).write(tmp_path, number=2)
    assert points(read_run(tmp_path)) == {"loss": [(1, 1.0), (2, 2.0), (3, 3.0)]}


@pytest.mark.parametrize(("values", "kept"), [([-1.0], False), ([-1.0, -1.0], False), ([-1.0, 0.5], True)])
def test_lightnings_placeholder_is_not_a_metric(tmp_path: Path, values: list[float], kept: bool) -> None:
    file = EventFile().scalar("loss", 1.0)
    for step, value in enumerate(values):
        file.scalar("hp_metric", value, step)
    file.write(tmp_path)
    assert ("hp_metric" in read_run(tmp_path).scalars) == kept


def test_a_record_that_is_not_an_event_is_left_out_and_reported(tmp_path: Path) -> None:
    path = EventFile().scalar("loss", 1.0, 1).write(tmp_path)
    after = frame(b"\x0a\xff no event")
    path.write_bytes(path.read_bytes() + after + path.read_bytes())
    run = read_run(tmp_path)
    assert points(run) == {"loss": [(1, 1.0)]}
    assert run.problems == (f"{path.name}: 1 record(s) are not events and are left out",)


def test_broken_hyper_parameters_do_not_take_the_scalars_with_them(tmp_path: Path) -> None:
    data = SummaryMetadata.PluginData(plugin_name="hparams", content=b"\xff\xff\xff")
    broken = Summary.Value(tag="_hparams_/session_start_info", metadata=SummaryMetadata(plugin_data=data))
    path = EventFile().event(summary=Summary(value=[broken])).scalar("loss", 1.0, 1).write(tmp_path)
    run = read_run(tmp_path)
    assert (run.hparams, points(run)) == ({}, {"loss": [(1, 1.0)]})
    assert run.problems == (f"{path.name}: 1 record(s) are not events and are left out",)


def test_a_cut_off_file_beside_a_whole_one(tmp_path: Path) -> None:
    whole = EventFile().scalar("loss", 1.0, 1).write(tmp_path, number=1)
    cut = EventFile().scalar("loss", 2.0, 2).scalar("loss", 3.0, 3).write(tmp_path, number=2)
    cut.write_bytes(cut.read_bytes()[:-5])
    (tmp_path / "events.out.tfevents.3").touch()
    run = read_run(tmp_path)
    assert points(run) == {"loss": [(1, 1.0), (2, 2.0)]}
    assert len(run.problems) == 2
    assert run.problems[0].startswith("events.out.tfevents.3 is empty")
    assert run.problems[1].startswith(f"{cut.name} ends in the middle of a record")
    assert whole.exists()


@pytest.mark.parametrize("mark", ["finished", "diverged"])
def test_the_completion_mark(tmp_path: Path, mark: str) -> None:
    EventFile().scalar("loss", 1.0, 1).text("run/status/text_summary", mark, 1).write(tmp_path / "a")
    EventFile().scalar("loss", 1.0, 1).write(tmp_path / "b")
    assert [run.status for run in read_logs(tmp_path)] == [mark, "unfinished"]
    assert [run.status for run in read_logs(tmp_path / "b")] == ["unknown"]


def test_resuming_a_run_removes_its_completion_mark(tmp_path: Path) -> None:
    EventFile().scalar("loss", 1.0, 3).text("run/status/text_summary", "diverged", 3).write(tmp_path / "a")
    EventFile().restart(2).scalar("loss", 1.0, 2).write(tmp_path / "a", number=1)
    EventFile().scalar("loss", 1.0, 1).text("run/status/text_summary", "finished", 1).write(tmp_path / "b")
    assert [run.status for run in read_logs(tmp_path)] == ["unfinished", "finished"]


def test_no_payload_stops_the_reader(tmp_path: Path) -> None:
    """Records of a right checksum and random content: dropped or read, and what comes after them is there."""
    rng = np.random.default_rng(0)
    tensor = make_tensor_proto(np.float16(1.5))
    file = EventFile().hparams({"a": 1, "b": "x"}).tensor("t", tensor, 3).text("run/status", "finished")
    whole = [*map(bytes, RawEventFileLoader(str(file.scalar("s", 1.0, 2).write(tmp_path))).Load())]
    content = []
    for _ in range(5000):
        payload = bytearray(whole[rng.integers(len(whole))])
        for place in rng.integers(len(payload), size=rng.integers(1, 4)):
            payload[place] = rng.integers(256)
        content.append(frame(bytes(payload)))
    path = EventFile().scalar("after", 7.0, 1).write(tmp_path)
    path.write_bytes(b"".join(content) + path.read_bytes())
    run = read_run(tmp_path)
    assert points(run)["after"] == [(1, 7.0)]
    assert len(run.problems) == 1
    assert run.problems[0].endswith("record(s) are not events and are left out")
