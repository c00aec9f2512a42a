"""TFRecord framing, compared with TensorBoard's own writer and reader, and with every kind of damage."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.summary.writer.record_writer import RecordWriter

from attnae.reading.tensorboard.records import masked_crc32c, read_records
from tests.reading.event_logs import EventFile, frame, masked_crc

PAYLOADS = [b"", b"a", b"hello" * 7, bytes(range(256)) * 3, b"end"]
CONTENT = b"".join(map(frame, PAYLOADS))
ENDS = [sum(len(payload) + 16 for payload in PAYLOADS[:n]) for n in range(len(PAYLOADS) + 1)]


def read(path: Path, content: bytes) -> tuple[list[bytes], list[str]]:
    path.write_bytes(content)
    problems: list[str] = []
    return list(read_records(path, problems)), problems


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.out.tfevents.1.host"


def test_framing_is_tensorboards() -> None:
    stream = io.BytesIO()
    writer = RecordWriter(stream)
    for payload in PAYLOADS:
        writer.write(payload)
    assert stream.getvalue() == CONTENT
    assert all(masked_crc32c(payload) == masked_crc(payload) for payload in PAYLOADS)


def test_whole_file(path: Path) -> None:
    assert read(path, CONTENT) == (PAYLOADS, [])


def test_a_file_truncated_at_any_byte_keeps_its_complete_records(path: Path) -> None:
    for size in range(1, len(CONTENT)):
        payloads, problems = read(path, CONTENT[:size])
        whole = [payload for payload, end in zip(PAYLOADS, ENDS[1:], strict=True) if end <= size]
        lost = size - max(end for end in ENDS if end <= size)
        named = f"{path.name} ends in the middle of a record: the last {lost} bytes are left out"
        assert (payloads, problems) == (whole, [named] if lost else []), size


def test_empty_file(path: Path) -> None:
    assert read(path, b"") == ([], [f"{path.name} is empty"])


def test_one_flipped_bit_anywhere(path: Path) -> None:
    """In a header, all later records are lost, since their places are unknown; elsewhere, one record is lost."""
    for place in range(len(CONTENT)):
        damaged = bytearray(CONTENT)
        damaged[place] ^= 1 << place % 8
        hit = max(n for n, start in enumerate(ENDS) if start <= place)
        lost = len(CONTENT) - ENDS[hit]
        if place - ENDS[hit] < 12:
            whole = PAYLOADS[:hit]
            named = f"{path.name} is corrupt at byte {ENDS[hit]}: the last {lost} bytes are left out"
        else:
            whole = PAYLOADS[:hit] + PAYLOADS[hit + 1 :]
            named = f"{path.name}: 1 record(s) with a wrong checksum are left out"
        assert read(path, bytes(damaged)) == (whole, [named]), place


def test_every_header_is_verified_also_after_an_equal_length(path: Path) -> None:
    twice = frame(b"same") * 2
    start = len(twice) // 2
    damaged = bytearray(twice)
    damaged[start + 9] ^= 1
    payloads, problems = read(path, bytes(damaged))
    assert payloads == [b"same"]
    assert "is corrupt at byte 20" in problems[0]


@pytest.mark.parametrize("length", [2**64 - 1, 2**63, 2**40, 1000])
def test_a_length_beyond_the_file_is_never_allocated(path: Path, length: int) -> None:
    header = struct.pack("<Q", length)
    tracemalloc.start()
    payloads, problems = read(path, CONTENT + header + struct.pack("<I", masked_crc(header)) + b"abc")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert payloads == PAYLOADS
    assert problems == [f"{path.name} ends in the middle of a record: the last 15 bytes are left out"]
    assert peak < 2_000_000


def test_zeros_after_the_last_record(path: Path) -> None:
    """A crash of the machine can leave these: a length of 0 with a checksum of 0 is not a record."""
    payloads, problems = read(path, CONTENT + bytes(4096))
    assert payloads == PAYLOADS
    assert problems == [f"{path.name} is corrupt at byte {len(CONTENT)}: the last 4096 bytes are left out"]


def test_memory_does_not_grow_with_the_pictures(path: Path) -> None:
    picture = os.urandom(500_000)
    file = EventFile()
    for step in range(40):
        file.image("picture", picture, step)
    path.write_bytes(file.getvalue())
    tracemalloc.start()
    count = sum(1 for _ in read_records(path, []))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 41
    assert peak < 3 * len(picture)


def test_the_same_records_as_tensorboard(path: Path) -> None:
    file = EventFile()
    for step in range(50):
        file.scalar("loss", step / 3, step)
    content = file.getvalue()
    for size in (len(content), len(content) - 1, len(content) - 20, len(content) // 2):
        ours, _ = read(path, content[:size])
        assert ours == list(RawEventFileLoader(str(path)).Load())


def test_a_file_that_cannot_be_opened_is_a_problem(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "directory").mkdir()
    for name, message in [
        ("pipe", "pipe is not a regular file"),
        ("directory", "directory is not a regular file"),
        ("dangling", "dangling cannot be read: No such file or directory"),
    ]:
        problems: list[str] = []
        assert list(read_records(tmp_path / name, problems)) == []
        assert problems == [message]
