"""Settings of the C library's memory allocator."""

import ctypes

# From glibc's malloc.h (mallopt(3)).
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Keep the memory of freed CPU tensors for later ones, instead of returning it to the system.

    With its default settings glibc requests every large block from the kernel, which then clears each page of it: an
    uncompiled step would take 1.10 times as long (docs/performance.md). With other C libraries, as on macOS and
    Windows, this does nothing. The settings last as long as the process: glibc has no function that reads them.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc; on Windows, None names no library
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
