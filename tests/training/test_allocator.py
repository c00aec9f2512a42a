"""Settings of the memory allocator, where there is no glibc."""

import ctypes

import pytest

from attnae.training.allocator import keep_freed_memory


def no_name(name):
    raise TypeError("expected str, bytes or os.PathLike object, not NoneType")


@pytest.mark.parametrize("library", [no_name, lambda name: object()], ids=["Windows", "macOS"])
def test_other_systems_keep_their_settings(monkeypatch, library):
    monkeypatch.setattr(ctypes, "CDLL", library)
    keep_freed_memory()
