"""The fast decoder of plain scalars says what the protobuf library says, or nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata

from attnae.reading.tensorboard.plain_scalar import plain_scalar


def event(tag: str = "loss", step: int = 3, value: float = 0.5, **fields: object) -> Event:
    return Event(
        wall_time=1.7e9,
        step=step,
        summary=Summary(value=[Summary.Value(tag=tag, simple_value=value, **fields)]),
    )


@pytest.mark.parametrize("step", [0, 1, 127, 128, 300, 2**14, 2**31, 2**53 + 1, 2**62])
@pytest.mark.parametrize("tag", ["x", "train/loss", "\x15\x2a\x0a", "é" * 20, "t" * 100])
def test_plain_scalars(step: int, tag: str) -> None:
    for value in (0.0, -0.0, 1 / 3, math.inf, -math.inf, 1e-45):
        payload = event(tag, step, value)
        expected = payload.summary.value[0].simple_value
        found = plain_scalar(payload.SerializeToString())
        assert found == (tag, step, expected)
        assert math.copysign(1, found[2]) == math.copysign(1, expected)
    found = plain_scalar(event(tag, step, math.nan).SerializeToString())
    assert found is not None
    assert math.isnan(found[2])


@pytest.mark.parametrize(
    "other",
    [
        event(step=-1),
        event(tag="t" * 101),
        event(tag=""),
        event(node_name="n"),
        event(metadata=SummaryMetadata(display_name="d")),
        Event(step=3, summary=event().summary),
        Event(wall_time=1, summary=Summary(value=[event().summary.value[0]] * 2)),
        Event(wall_time=1, summary=Summary(value=[Summary.Value(tag="loss")])),
        Event(wall_time=1, file_version="brain.Event:2"),
        Event(wall_time=1),
    ],
)
def test_all_others_are_left_to_the_library(other: Event) -> None:
    assert plain_scalar(other.SerializeToString()) is None


def test_the_result_is_always_that_of_the_library() -> None:
    """Random changes of real payloads: where it gives an answer, it is the whole content of the event."""
    rng = np.random.default_rng(0)
    whole = [event(tag, step).SerializeToString() for tag in ("a", "train/loss") for step in (0, 5, 1000)]
    answers = 0
    for _ in range(50_000):
        payload = bytearray(whole[rng.integers(len(whole))])
        for place in rng.integers(len(payload), size=rng.integers(1, 4)):
            payload[place] = rng.integers(256)
        found = plain_scalar(bytes(payload))
        if found is not None:
            answers += 1
            library = Event.FromString(bytes(payload))
            (value,) = library.summary.value
            assert found[:2] == (value.tag, library.step)
            np.testing.assert_equal(found[2], value.simple_value)
            library.summary.value[0].ClearField("simple_value")
            assert [field.name for field, _ in library.summary.value[0].ListFields()] == ["tag"]
            assert {field.name for field, _ in library.ListFields()} <= {"wall_time", "step", "summary"}
    assert answers > 10_000
