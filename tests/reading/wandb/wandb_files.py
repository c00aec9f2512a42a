"""Writes `.wandb` files byte by byte, from the description of LevelDB's log format and of W&B's protobuf messages."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

BLOCK = 32768
HEADER = b":W&B" + struct.pack("<HB", 0xBEE1, 0)


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | float | bytes | str) -> bytes:
    """A protobuf field: an int as a varint, a float as 64 bits, bytes and text with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def item(key: str | tuple[str, ...], value: Any) -> bytes:
    """Key (or nested keys) and JSON, as versions up to 0.31 write them."""
    keys = field(1, key) if isinstance(key, str) else b"".join(field(2, part) for part in key)
    return keys + field(16, json.dumps(value))


def framed(records: Iterable[bytes]) -> bytes:
    """Records in chunks that end at the boundaries of blocks of 32 KiB."""
    out = bytearray(HEADER)
    for record in records:
        first = True
        while first or record:
            left = BLOCK - len(out) % BLOCK
            if left < 7:
                out += bytes(left)
                left = BLOCK
            data, record = record[: left - 7], record[left - 7 :]
            kind = (1 if first else 4) if not record else (2 if first else 3)
            out += struct.pack("<IHB", zlib.crc32(bytes([kind]) + data), len(data), kind) + data
            first = False
    return bytes(out)


class WandbFile:
    """The records of one run, call by call."""

    def __init__(self, run_id: str, config: Mapping[str, Any], *, name: str = "", project: str = "toys") -> None:
        self.run_id = run_id
        updates = b"".join(field(1, item(key, value)) for key, value in {"_wandb": {}, **config}.items())
        start = field(1, 1_700_000_000) + field(2, 500_000_000)
        run = field(1, run_id) + field(3, project) + field(4, updates) + field(8, name) + field(17, start)
        self.records = [field(21, b""), field(17, run)]

    def history(self, step: int, row: Mapping[Any, Any]) -> WandbFile:
        items = {"_step": step, "_runtime": 2.0 * step, **row}
        body = b"".join(field(1, item(key, value)) for key, value in items.items())
        self.records.append(field(2, body + field(2, field(1, step) if step else b"")))
        return self

    def summary(self, values: Mapping[Any, Any], remove: Iterable[str] = ()) -> WandbFile:
        updates = b"".join(field(1, item(key, value)) for key, value in values.items())
        self.records.append(field(3, updates + b"".join(field(2, field(1, key)) for key in remove)))
        return self

    def config(self, values: Mapping[Any, Any], remove: Iterable[str] = ()) -> WandbFile:
        updates = b"".join(field(1, item(key, value)) for key, value in values.items())
        self.records.append(field(5, updates + b"".join(field(2, field(1, key)) for key in remove)))
        return self

    def exit(self, code: int) -> WandbFile:
        self.records.append(field(18, field(1, code) if code else b""))
        return self

    def write(self, root: Path, *, date: str = "20260101_000000", offline: bool = True) -> Path:
        directory = root / "wandb" / f"{'offline-' if offline else ''}run-{date}-{self.run_id}"
        (directory / "files").mkdir(parents=True, exist_ok=True)
        path = directory / f"run-{self.run_id}.wandb"
        path.write_bytes(framed(self.records))
        return path
