"""The most common event, one scalar and nothing else, decoded faster than by the protobuf library.

An event with a wall time, a step and a summary of one value that has only a tag and a `simple_value` has one canonical
encoding (protobuf.dev, "Encoding"; keys are field number * 8 + wire type):

    09 wall time (8 bytes)  10 step (varint; left out if 0)  2A length of the summary
    0A length of the value  0A length of the tag  tag  15 simple_value (float32)
"""

from __future__ import annotations

import re
import struct

_MATCH = re.compile(
    rb"\x09.{8}(?:\x10([\x80-\xFF]{0,8}[\x00-\x7F]))?\x2A(.)\x0A(.)\x0A(.)(.{1,100})\x15(.{4})", re.DOTALL
).fullmatch
_FLOAT32 = struct.Struct("<f").unpack


def plain_scalar(payload: bytes) -> tuple[str, int, float] | None:
    """Tag, step and value of such an event; None for any other payload, which the library has to decode."""
    found = _MATCH(payload)
    if found is None:
        return None
    varint, summary, value, length, tag, number = found.groups()
    size = len(tag)
    if length[0] != size or value[0] != size + 7 or summary[0] != size + 9:
        return None
    step = 0
    if varint is not None:
        for byte in varint[::-1]:
            step = step << 7 | byte & 0x7F
    try:
        return tag.decode(), step, _FLOAT32(number)[0]
    except UnicodeDecodeError:
        return None
