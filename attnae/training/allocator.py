"""The C library's allocator, told to keep the memory that a training step frees for the next one."""

import ctypes

# From glibc's malloc.h (mallopt(3)).
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Memory of tensors on the CPU is used again, not given back to the system.

    By default glibc takes every large block from the kernel anew, which then has to clear each page of it: an
    eager step would take 1.10 times as long (docs/performance.md). Other C libraries are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
