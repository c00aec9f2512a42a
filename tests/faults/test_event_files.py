"""The event file of a real run with missing bytes or flipped bits: only complete records are read."""

import itertools
import random
import struct
import tracemalloc

import pytest

from attnae.reading.read import read_logs
from attnae.reading.tensorboard.records import masked_crc32c


@pytest.fixture(scope="module")
def content(undisturbed):
    return next(undisturbed[1].directory.glob("events.*")).read_bytes()


def records(content):
    """Where each record begins."""
    place, starts = 0, []
    while place < len(content):
        starts.append(place)
        place += 16 + struct.unpack_from("<Q", content, place)[0]
    assert place == len(content)
    return starts


def read(directory, content):
    """({(tag, step): value}, problems, status) of a run with this event file alone."""
    (directory / "events.out.tfevents.1795500000.host.1.0").write_bytes(content)
    (run,) = read_logs(directory)
    points = {
        (tag, step): value
        for tag, series in run.scalars.items()
        for step, value in zip(series.steps.tolist(), series.values.tolist(), strict=True)
    }
    return points, run.problems, run.status


def without_pictures(content):
    """The same records without the large ones, so that reading them many times is fast."""
    starts = [*records(content), len(content)]
    pieces = [content[start:end] for start, end in itertools.pairwise(starts)]
    return b"".join(piece for piece in pieces if len(piece) < 2000)


def test_cut_off_at_every_byte_of_the_last_records(content, tmp_path):
    """The completion mark is the last record; a scalar is before the pictures of the end."""
    small = without_pictures(content)
    whole, problems, status = read(tmp_path, small)
    assert (len(whole), problems, status) == (9 * 3 + 6, (), "finished")
    last = records(small)[-1]
    for size in range(last, len(small)):
        points, problems, status = read(tmp_path, small[:size])
        assert points == whole
        assert status == "unknown"
        assert len(problems) == (size > last)
    *_, before, end = records(small)
    for size in range(before + 1, end):
        points, problems, _ = read(tmp_path, small[:size])
        assert len(whole) - len(points) == 1
        assert points.items() <= whole.items()
        assert len(problems) == 1


def test_flipped_bits(content, tmp_path):
    """Every bit of some records, and random bits anywhere: only values that were written are read."""
    small = without_pictures(content)
    whole = read(tmp_path, small)[0]
    starts = records(small)
    draw = random.Random(0)
    places = [8 * starts[-2] + bit for bit in range(8 * (starts[-1] - starts[-2]))]
    places += [draw.randrange(8 * len(small)) for _ in range(100)]
    for place in places:
        damaged = bytearray(small)
        damaged[place // 8] ^= 1 << place % 8
        points, problems, _ = read(tmp_path, bytes(damaged))
        assert points.items() <= whole.items()
        assert len(problems) == 1


def test_of_zero_length(tmp_path):
    points, problems, status = read(tmp_path, b"")
    assert (points, status) == ({}, "unknown")
    assert "is empty" in problems[0]


@pytest.mark.parametrize("length", [2**64 - 1, 2**40, 10**9])
def test_huge_lengths_take_no_memory(content, tmp_path, length):
    """Even if the checksum of the length is right."""
    whole = read(tmp_path, content)[0]
    header = struct.pack("<Q", length)
    damaged = content + header + struct.pack("<I", masked_crc32c(header)) + bytes(100)
    tracemalloc.start()
    points, problems, _ = read(tmp_path, damaged)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert points == whole
    assert "ends in the middle of a record" in problems[0]
    assert peak < 3 * len(content)
