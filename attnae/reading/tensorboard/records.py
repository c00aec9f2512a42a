"""TFRecord framing: the payloads of an event file, every checksum verified, one record in memory at a time.

A record is its length (uint64), a checksum of these 8 bytes, the payload, and a checksum of the payload, all
little-endian (TensorFlow, `core/lib/io/record_writer.cc`).
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from crc32c import crc32c

HEADER = struct.Struct("<QI")
CHECKSUM = struct.Struct("<I")
FRAME_BYTES = HEADER.size + CHECKSUM.size
BUFFER_BYTES = 1 << 18


def masked_crc32c(data: bytes) -> int:
    """The CRC-32C of `data`, rotated by 15 bits and shifted by a constant, as TFRecord stores it."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def read_records(path: Path, problems: list[str]) -> Iterator[bytes]:
    """Yield the payload of every whole record of `path`; what had to be left out is appended to `problems`.

    A damaged payload is skipped, since its length is known to be right. After a damaged length no further record can
    be found. A record that runs past the end of the file is still being written, or was cut off by a crash.
    """
    damaged = 0
    lengths: dict[bytes, int] = {}  # by verified header: the records of one scalar tag share theirs
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a named pipe would wait for a writer
            problems.append(f"{path.name} is not a regular file")
            return
        if status.st_size == 0:
            problems.append(f"{path.name} is empty")
        offset, size = 0, status.st_size
        with open(path, "rb", buffering=BUFFER_BYTES) as file:
            read, pack = file.read, CHECKSUM.pack
            while offset < size:
                header = read(HEADER.size)
                length = lengths.get(header)
                if length is None and len(header) == HEADER.size:
                    length, checksum = HEADER.unpack(header)
                    if masked_crc32c(header[:8]) != checksum:
                        problems.append(_cut_off(path, f"is corrupt at byte {offset}", size - offset))
                        return
                    lengths[header] = length
                # Compared before reading, since reading allocates whatever the length claims.
                if length is None or (end := offset + FRAME_BYTES + length) > size:
                    problems.append(_cut_off(path, "ends in the middle of a record", size - offset))
                    return
                payload = read(length)
                if read(CHECKSUM.size) == pack(masked_crc32c(payload)):
                    yield payload
                else:
                    damaged += 1
                offset = end
    except OSError as error:
        problems.append(f"{path.name} cannot be read: {error.strerror or error}")
    finally:
        if damaged:
            problems.append(f"{path.name}: {damaged} record(s) with a wrong checksum are left out")


def _cut_off(path: Path, what: str, count: int) -> str:
    return f"{path.name} {what}: the last {count} bytes are left out"
