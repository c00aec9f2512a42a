"""The state of the process that a context changes and restores."""

from __future__ import annotations

import gc

from attnae.process import NEW_OBJECTS, rare_garbage_collection


def test_garbage_is_looked_for_rarely_inside_the_context_only() -> None:
    before = gc.get_threshold()
    with rare_garbage_collection():
        assert gc.get_threshold() == (NEW_OBJECTS, *before[1:])
    assert gc.get_threshold() == before


def test_garbage_collection_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        before = gc.get_threshold()
        with rare_garbage_collection():
            assert not gc.isenabled()
            assert gc.get_threshold() == before
    finally:
        gc.enable()
