"""Damaged copies of a file, always the same ones, and what a reader may do with them."""

from __future__ import annotations

import random
import shutil

from attnae.errors import UserError


def flipped(path, folder, count=50, seed=0):
    """Copies of a file, each with one byte changed at a random place."""
    content = path.read_bytes()
    draw = random.Random(seed)
    for number in range(count):
        place = draw.randrange(len(content))
        changed = bytearray(content)
        changed[place] ^= draw.randrange(1, 256)
        yield _copy(folder / f"flipped-{number}", path.name, bytes(changed))


def cut(path, folder, most=60):
    """Copies of a file that end at the end of a line, or within the line after it; evenly spaced, at most so many."""
    content = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(content) if byte == ord("\n")] or [len(content)]
    places = sorted({0, *ends, *(end + 3 for end in ends if end + 3 < len(content))})
    for place in places[:: max(1, len(places) // most)]:
        yield _copy(folder / f"cut-{place}", path.name, content[:place])


def _copy(folder, name, content):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    return folder / name


def runs_or_mistake(read, path):
    """The runs that `read` finds at a path, or None after a `UserError` in one line. Any other error is raised."""
    try:
        return read(path)
    except UserError as error:
        message = str(error)
    assert "\n" not in message
    return None
