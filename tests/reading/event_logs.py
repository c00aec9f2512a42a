"""Writes event files fast, byte for byte as TensorBoard's own writer would, so that tests need no training.

`write_study` turns a table with one row per run into a log directory; `EventFile` writes one file event by event.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import crc32c
import pandas as pd
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from attnae import tags


def masked_crc(data: bytes) -> int:
    crc = crc32c.crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def frame(payload: bytes) -> bytes:
    """One TFRecord: length, its checksum, payload, its checksum."""
    length = struct.pack("<Q", len(payload))
    return b"".join([length, struct.pack("<I", masked_crc(length)), payload, struct.pack("<I", masked_crc(payload))])


class EventFile:
    """The bytes of one event file, built up call by call; `write` puts them into a directory."""

    def __init__(self, *, wall_time: float = 1_700_000_000.0) -> None:
        self.wall_time = wall_time
        self._records = [frame(Event(wall_time=wall_time, file_version="brain.Event:2").SerializeToString())]

    def event(self, step: int = 0, **what: Any) -> EventFile:
        self.wall_time += 1
        event = Event(wall_time=self.wall_time, step=step, **what)
        self._records.append(frame(event.SerializeToString()))
        return self

    def scalar(self, tag: str, value: float, step: int = 0) -> EventFile:
        return self.event(step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))

    def tensor(self, tag: str, tensor: TensorProto, step: int = 0, *, plugin: str = "scalars") -> EventFile:
        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=plugin))
        value = Summary.Value(tag=tag, tensor=tensor, metadata=metadata)
        return self.event(step, summary=Summary(value=[value]))

    def text(self, tag: str, text: str, step: int = 0) -> EventFile:
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(dtype=DT_STRING, tensor_shape=shape, string_val=[text.encode()])
        return self.tensor(tag, tensor, step, plugin="text")

    def image(self, tag: str, encoded: bytes, step: int = 0) -> EventFile:
        image = Summary.Image(height=1, width=1, colorspace=3, encoded_image_string=encoded)
        return self.event(step, summary=Summary(value=[Summary.Value(tag=tag, image=image)]))

    def hparams(self, values: Mapping[str, Any]) -> EventFile:
        content = HParamsPluginData(version=0)
        for name, value in values.items():
            setattr(content.session_start_info.hparams[name], _kind(value), value)
        return self.plugin("_hparams_/session_start_info", content)

    def declared_metrics(self, names: Iterable[str]) -> EventFile:
        content = HParamsPluginData(version=0)
        for name in names:
            content.experiment.metric_infos.add().name.tag = name
        return self.plugin("_hparams_/experiment", content)

    def plugin(self, tag: str, content: HParamsPluginData) -> EventFile:
        data = SummaryMetadata.PluginData(plugin_name="hparams", content=content.SerializeToString())
        value = Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=data))
        return self.event(0, summary=Summary(value=[value]))

    def restart(self, step: int) -> EventFile:
        """What a resumed writer writes first: all values from `step` on are to be ignored."""
        return self.event(step, session_log=SessionLog(status=SessionLog.START))

    def getvalue(self) -> bytes:
        return b"".join(self._records)

    def write(self, directory: Path, *, number: int = 0) -> Path:
        """Write into `directory`; `number` orders several files of one run."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"events.out.tfevents.{1_700_000_000 + number}.host.1.{number}"
        path.write_bytes(self.getvalue())
        return path


def _kind(value: Any) -> str:
    """The field of a protobuf Value; numpy's scalars count as Python's."""
    if isinstance(value, bool):
        return "bool_value"
    return "string_value" if isinstance(value, str) else "number_value"


def write_study(
    directory: Path,
    table: pd.DataFrame,
    factors: Sequence[str],
    response_tag: str = "test/loss",
    *,
    response: str = "response",
    seed: str | None = "seed",
    status: str | None = None,
    constants: Mapping[str, Any] | None = None,
    step: int = 1,
) -> list[Path]:
    """Write one run a row of `table` below `directory` and return the run directories, in the table's order.

    Args:
        directory: the log directory; a run is named `run_0000`, `run_0001`, ...
        table: columns named in `factors`, `response`, and, where they are there, `seed` and `status`.
        factors: columns that become hyper-parameters (bools stay bools, numbers numbers, the rest strings).
        response_tag: the scalar tag that gets the response, as one point at `step` (NaN stays NaN).
        response: the column of the response. Its values become float32, as event files keep them.
        seed: column that becomes the hyper-parameter `seed`; ignored if None or not in the table.
        status: column of completion marks ("finished", "diverged"; else no mark); None: every run "finished".
        constants: hyper-parameters that are the same in all runs.
    """
    names = [*factors, *([seed] if seed is not None and seed in table else [])]
    runs = []
    for number, row in enumerate(table.to_dict(orient="records")):
        hparams = {"seed" if name == seed else name: _plain(row[name]) for name in names}
        file = EventFile().declared_metrics([response_tag]).hparams({**(constants or {}), **hparams})
        file.scalar(response_tag, float(row[response]), step)
        mark = tags.FINISHED if status is None else row[status]
        if mark in (tags.FINISHED, tags.DIVERGED):
            file.text(tags.STATUS_EVENT, mark, step)
        runs.append(directory / f"run_{number:04d}")
        file.write(runs[-1])
    return runs


def _plain(value: Any) -> bool | float | str:
    """A table cell as Python's bool, float or str; numpy scalars know how to become one."""
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, (bool, int, float)) else str(value)
