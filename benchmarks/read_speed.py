"""Speed of the log reader compared with TensorBoard's EventAccumulator and tbparse on the same files.

    python benchmarks/read_speed.py                              # both studies, about a minute
    python benchmarks/read_speed.py --pictures 4 --picture-kb 400  # a study of more than a gigabyte

Every reader reads all scalars of all runs of a study, from the page cache. The time is the shortest of `--repeats`
(readers that take more than a few seconds run once). Results are compared value by value. tbparse is measured if it is
installed.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tyro
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from attnae import tags
from attnae.reading.read import read_logs
from attnae.reading.tensorboard.records import CHECKSUM, HEADER, masked_crc32c

SLOW_S = 3.0

Scalars = dict[tuple[str, str], tuple[list[int], list[float]]]  # (run, tag) -> steps, values


@dataclasses.dataclass(frozen=True)
class Options:
    """Compare event file readers."""

    runs: int = 32
    """Number of runs in the study with pictures."""
    scalar_runs: int = 320
    """Runs of the study without pictures."""
    epochs: int = 25
    """Epochs of each run; each epoch logs 9 scalars."""
    pictures: int = 1
    """Pictures per epoch."""
    picture_kb: int = 100
    """Size of a picture in kilobytes."""
    repeats: int = 5
    """How often a fast reader is measured."""


def attnae(directory: Path) -> Scalars:
    return {
        (run.name, tag): (series.steps.tolist(), series.values.tolist())
        for run in read_logs(directory)
        for tag, series in run.scalars.items()
    }


def event_accumulator(directory: Path) -> Scalars:
    found: Scalars = {}
    for path in sorted(directory.iterdir()):
        accumulator = EventAccumulator(str(path), size_guidance={"scalars": 0, "images": 1})
        accumulator.Reload()
        for tag in accumulator.Tags()["scalars"]:
            events = accumulator.Scalars(tag)
            found[path.name, tag] = [event.step for event in events], [event.value for event in events]
    return found


def tbparse(directory: Path) -> Scalars:
    from tbparse import SummaryReader

    table = SummaryReader(str(directory), extra_columns={"dir_name"}, event_types={"scalars"}).scalars
    groups = table.groupby(["dir_name", "tag"])
    return {key: (group["step"].tolist(), group["value"].tolist()) for key, group in groups}


def write_study(directory: Path, runs: int, options: Options, *, pictures: bool) -> int:
    """Write a study like those of train.py, and return its size in bytes."""
    rng = np.random.default_rng(0)
    names = [tags.scalar(stage, metric) for stage in ("train", "val") for metric in tags.METRICS]
    picture = rng.bytes(1000 * options.picture_kb)
    size = 0
    for run in range(runs):
        summaries = []
        for epoch in range(1, options.epochs + 1):
            for tag in [*names, tags.LEARNING_RATE]:
                summaries.append((epoch, Summary.Value(tag=tag, simple_value=rng.normal())))
            for number in range(options.pictures if pictures else 0):
                image = Summary.Image(height=1, width=1, colorspace=3, encoded_image_string=picture)
                summaries.append((epoch, Summary.Value(tag=f"picture/{number}", image=image)))
        events = [Event(wall_time=0.0, file_version="brain.Event:2")]
        events += [Event(wall_time=float(step), step=step, summary=Summary(value=[value])) for step, value in summaries]
        path = directory / f"run{run:03d}" / "events.out.tfevents.1700000000.host.1.0"
        path.parent.mkdir()
        path.write_bytes(b"".join(_frames(events)))
        size += path.stat().st_size
    return size


def _frames(events: list[Event]) -> Iterator[bytes]:
    for event in events:
        payload = event.SerializeToString()
        length = HEADER.pack(len(payload), 0)[:8]
        yield (HEADER.pack(len(payload), masked_crc32c(length)) + payload + CHECKSUM.pack(masked_crc32c(payload)))


def compare(name: str, runs: int, options: Options, *, pictures: bool) -> None:
    """Time the readers alternately, so that a busy moment of the machine does not affect only one of them."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        size = write_study(directory, runs, options, pictures=pictures)
        print(f"{name}: {runs} runs, {size / 1e6:.1f} MB")
        readers: list[Callable[[Path], Scalars]] = [attnae, event_accumulator]
        if find_spec("tbparse") is not None:
            readers.append(tbparse)
        expected = attnae(directory)
        least = dict.fromkeys(readers, math.inf)
        for repeat in range(options.repeats):
            for reader in readers:
                if repeat and least[reader] > SLOW_S:
                    continue
                start = time.perf_counter()
                found = reader(directory)
                least[reader] = min(least[reader], time.perf_counter() - start)
                if found != expected:
                    sys.exit(f"{reader.__name__} and attnae disagree on the study {name}")
        for reader, seconds in least.items():
            print(f"  {reader.__name__:18} {seconds:8.3f} s  {seconds / least[attnae]:6.1f} x")
        print(f"  equal results: {len(expected)} series")


def main(options: Options) -> None:
    print(f"{os.cpu_count()} CPUs, Python {sys.version.split()[0]}")
    compare("with pictures", options.runs, options, pictures=True)
    compare("scalars only", options.scalar_runs, options, pictures=False)


if __name__ == "__main__":
    main(tyro.cli(Options))
