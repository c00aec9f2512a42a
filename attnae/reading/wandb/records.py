"""The records of a `.wandb` file: LevelDB's log framing around protobuf messages, decoded without either library.

The file begins with `:W&B`, a magic number and a version. Then come blocks of 32 KiB with chunks in them: a checksum
(CRC-32 of type and data), the length of the data, a type, and the data. A record is one chunk (type 1) or several
(types 2, 3, ..., 4). What is left of a block behind its last chunk is padding (LevelDB, "log_format.md").
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

FILE_HEADER = struct.Struct("<4sHB")
IDENT, MAGIC = b":W&B", 0xBEE1
CHUNK = struct.Struct("<IHB")
BLOCK_BYTES = 1 << 15
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
DAMAGED, CUT_OFF = -1, -2
MAX_FILE_BYTES = 1 << 30
MAX_RECORD_BYTES = 1 << 26


def is_wandb_file(path: Path) -> bool:
    """Whether the file begins as a `.wandb` file does."""
    with open(path, "rb") as file:
        head = file.read(FILE_HEADER.size)
    return len(head) == FILE_HEADER.size and FILE_HEADER.unpack(head)[:2] == (IDENT, MAGIC)


def read_records(path: Path, problems: list[str]) -> Iterator[bytes]:
    """Yield the payload of every whole record; what had to be left out is appended to `problems`.

    Behind a damaged chunk, reading goes on with the next block. The last record may be cut off by a crash.
    """
    damaged, cut = 0, False
    parts: list[bytes] = []
    held = 0  # bytes in parts
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            problems.append(f"{path.name}: what follows the first {MAX_FILE_BYTES >> 20} MiB is left out")
        with open(path, "rb") as file:
            for start in range(0, min(size, MAX_FILE_BYTES), BLOCK_BYTES):
                block = file.read(BLOCK_BYTES)
                for kind, data in _chunks(block, FILE_HEADER.size if start == 0 else 0):
                    if kind == CUT_OFF and len(block) < BLOCK_BYTES:
                        cut = True
                    elif kind in (CUT_OFF, DAMAGED) or held > MAX_RECORD_BYTES:
                        damaged += 1
                        parts, held = [], 0
                    elif kind in (FULL, FIRST):
                        parts, held = [data], len(data)
                    elif parts:
                        parts.append(data)
                        held += len(data)
                    if kind in (FULL, LAST) and parts:
                        yield b"".join(parts)
                        parts, held = [], 0
    except OSError as error:
        problems.append(f"{path.name} cannot be read to its end: {error.strerror or error}")
    if cut or parts:
        problems.append(f"{path.name} ends in the middle of a record")
    if damaged:
        problems.append(f"{path.name}: {damaged} damaged block(s) are left out")


def _chunks(block: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    """Type and data of each chunk of a block; the last may be DAMAGED or CUT_OFF instead."""
    while offset + CHUNK.size <= len(block):
        checksum, length, kind = CHUNK.unpack_from(block, offset)
        if checksum == length == kind == 0:
            return  # preallocated space
        data = block[offset + CHUNK.size : offset + CHUNK.size + length]
        if len(data) < length:
            yield CUT_OFF, b""
            return
        if not FULL <= kind <= LAST or zlib.crc32(data, zlib.crc32(bytes([kind]))) != checksum:
            yield DAMAGED, b""
            return
        yield kind, data
        offset += CHUNK.size + length
    if len(block) < BLOCK_BYTES and offset < len(block):
        yield CUT_OFF, b""


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: number, and its varint or fixed value as an int, or its bytes.

    Raises:
        ValueError: it is no message.
    """
    offset, size = 0, len(message)
    while offset < size:
        key, offset = _varint(message, offset)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, offset = _varint(message, offset)
            yield number, value
            continue
        length = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            length, offset = _varint(message, offset)
        if length is None or offset + length > size:
            raise ValueError("not a protobuf message")
        data = message[offset : offset + length]
        yield number, data if wire == 2 else int.from_bytes(data, "little")
        offset += length


def _varint(message: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while offset < len(message) and shift < 70:
        byte = message[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
        shift += 7
    raise ValueError("not a protobuf message")
