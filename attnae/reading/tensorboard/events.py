"""The event files of one directory -> scalars, hyper-parameters and completion mark."""

from __future__ import annotations

import math
import re
from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import NamedTuple

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_FLOAT, DT_INT32, DT_INT64, DT_STRING
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from attnae import tags
from attnae.reading.run import HParam, Series
from attnae.reading.settings import plain_number
from attnae.reading.tensorboard.plain_scalar import plain_scalar
from attnae.reading.tensorboard.records import read_records

MARK_TAGS = (tags.STATUS, tags.STATUS_EVENT)
HOST_IN_NAME = re.compile(r"tfevents\.\d+\.(.+?)(?:\.\d+){0,2}(?:\.v2)?$")
PLACEHOLDER_METRIC = "hp_metric"  # Lightning writes -1 under this tag to make the HParams page appear
SCALAR_PLUGINS = ("scalars", "")
PACKED = {DT_FLOAT: Struct("<f"), DT_DOUBLE: Struct("<d"), DT_INT32: Struct("<i"), DT_INT64: Struct("<q")}


class Points(NamedTuple):
    """Steps and values of one tag in the order of writing; 16 bytes a point."""

    steps: array[int]
    values: array[float]


def _no_points() -> Points:
    return Points(array("q"), array("d"))


@dataclass
class Log:
    """The content of the event files of one directory, in the order of writing.

    Attributes:
        sessions: wall time of the first and of the last event of each file.
        hosts: the machines that wrote the files, by the names of the files.
    """

    hparams: dict[str, HParam] = field(default_factory=dict)
    points: dict[str, Points] = field(default_factory=lambda: defaultdict(_no_points))
    marks: list[tuple[int, str]] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    started: float = math.nan
    sessions: list[tuple[float, float]] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    _plugins: dict[str, str] = field(default_factory=dict)

    def read(self, paths: Iterable[Path]) -> Log:
        """Add event files in the order in which they were opened, which is in their names."""
        for path in sorted(paths, key=_by_number):
            undecodable = 0
            first = last = None
            for payload in read_records(path, self.problems):
                first, last = first or payload, payload
                scalar = plain_scalar(payload)
                if scalar is not None:
                    self._add(*scalar)
                    continue
                try:
                    self._take(Event.FromString(payload))
                except DecodeError:
                    undecodable += 1
            if undecodable:
                self.problems.append(f"{path.name}: {undecodable} record(s) are not events and are left out")
            if (host := HOST_IN_NAME.search(path.name)) is not None:
                self.hosts.add(host[1])
            if first is not None and last is not None:
                self._take_session(first, last)
        return self

    def absorb(self, other: Log, *, prefix: str = "") -> None:
        """Add the log of another directory of the same run, with a prefix for its tags."""
        self.hparams = {**other.hparams, **self.hparams}
        for tag, points in other.points.items():
            mine = self.points[prefix + tag]
            mine.steps.extend(points.steps)
            mine.values.extend(points.values)
        self.marks += other.marks
        self.metrics += [prefix + metric for metric in other.metrics]
        self.problems += [prefix + problem for problem in other.problems]
        self.started = float(np.fmin(self.started, other.started))
        self.sessions += other.sessions
        self.hosts |= other.hosts

    def series(self) -> dict[str, Series]:
        """The scalars, by tag in alphabetical order; placeholders are left out."""
        found = {}
        for tag in sorted(self.points):
            steps, values = self.points[tag]
            if not steps or (tag == PLACEHOLDER_METRIC and all(value == -1 for value in values)):
                continue
            found[tag] = Series.from_writes(np.array(steps, np.int64), np.array(values, np.float64))
        return found

    @property
    def seconds(self) -> float:
        """The time in which some event file was being written; NaN if no tag has two steps, so that it tells nothing.

        A file is written by one process without a pause, from its first event to its last one. What lies between the
        files of a run that was resumed is no training time, and files that are written side by side count once.
        """
        if not any(len(set(points.steps[:1] + points.steps[-1:])) > 1 for points in self.points.values()):
            return math.nan
        total, end = 0.0, -math.inf
        for first, last in sorted(self.sessions):
            total += max(0.0, last - max(first, end))
            end = max(end, last)
        return total or math.nan

    @property
    def mark(self) -> str | None:
        return self.marks[-1][1] if self.marks else None

    def _add(self, tag: str, step: int, value: float) -> None:
        steps, values = self.points[tag]
        steps.append(step)
        values.append(value)

    def _take_session(self, first: bytes, last: bytes) -> None:
        try:
            begin, end = (Event.FromString(payload).wall_time for payload in (first, last))
        except DecodeError:
            return
        if 0 < begin <= end < math.inf:
            self.sessions.append((begin, end))

    def _take(self, event: Event) -> None:
        for value in event.summary.value:
            if value.HasField("simple_value"):
                self._add(value.tag, event.step, value.simple_value)
            else:
                self._take_tensor(value, event.step)
        if event.HasField("file_version"):  # the first event of every file
            self.started = float(np.fmin(self.started, event.wall_time))
        elif event.HasField("session_log") and event.session_log.status == SessionLog.START:
            self._void_from(event.step)

    def _take_tensor(self, value: Summary.Value, step: int) -> None:
        if value.HasField("metadata"):
            plugin = value.metadata.plugin_data
            self._plugins.setdefault(value.tag, plugin.plugin_name)
            if plugin.plugin_name == "hparams":
                self._take_hparams(HParamsPluginData.FromString(plugin.content))
        if not value.HasField("tensor"):
            return
        tensor = value.tensor
        if value.tag in MARK_TAGS:
            if tensor.dtype == DT_STRING and tensor.string_val:
                self.marks.append((step, tensor.string_val[0].decode(errors="replace").strip()))
        # Writers may send the metadata with the first value of a tag only.
        elif self._plugins.get(value.tag, "") in SCALAR_PLUGINS and tensor.dtype != DT_STRING:
            number = _scalar(tensor)
            if number is not None:
                self._add(value.tag, step, number)

    def _take_hparams(self, content: HParamsPluginData) -> None:
        if content.HasField("experiment"):
            for metric in content.experiment.metric_infos:
                self.metrics.append("/".join(filter(None, (metric.name.group, metric.name.tag))))
        # A map has no order of its own. Kind is a oneof: False and 0.0 are values, not absent ones.
        for name, value in sorted(content.session_start_info.hparams.items(), key=lambda item: item[0]):
            kind = value.WhichOneof("kind")
            if kind == "number_value":
                self.hparams[name] = plain_number(value.number_value)
            elif kind in ("bool_value", "string_value"):
                self.hparams[name] = getattr(value, kind)

    def _void_from(self, step: int) -> None:
        """Drop the steps from `step` on: a writer that resumes there announces it, and writes them again."""
        for tag, (steps, values) in self.points.items():
            kept = [(s, v) for s, v in zip(steps, values, strict=True) if s < step]
            self.points[tag] = Points(array("q", (s for s, _ in kept)), array("d", (v for _, v in kept)))
        self.marks = [mark for mark in self.marks if mark[0] < step]


def _scalar(tensor: TensorProto) -> float | None:
    """The value of a tensor with one number; None for any other tensor."""
    packed = PACKED.get(tensor.dtype)
    if packed is not None and len(tensor.tensor_content) == packed.size:
        return float(packed.unpack(tensor.tensor_content)[0])
    if any(dim.size != 1 for dim in tensor.tensor_shape.dim):
        return None
    from tensorboard.util.tensor_util import make_ndarray  # slow to import, and rarely needed

    try:
        return float(make_ndarray(tensor).item())
    except (TypeError, ValueError, LookupError):  # whatever a file claims about a tensor it does not hold
        return None


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Sort `...host.9` before `...host.10`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]
