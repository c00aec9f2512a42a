"""How busy other processes keep the machine, and how many threads leaves."""

from __future__ import annotations

import os
import time
from pathlib import Path

# The times that the cores have spent since the machine was started, in ticks: proc_stat(5).
CPU_TIMES = Path("/proc/stat")
USER, NICE, SYSTEM, IRQ, SOFTIRQ, STEAL = 0, 1, 2, 5, 6, 7
LEAST_SECONDS = 0.2


class OtherLoad:
    """Measures, from its creation on, how many cores other processes use. Known on Linux only."""

    def __init__(self) -> None:
        self._busy, self._own, self._clock = _busy_seconds(), time.process_time(), time.monotonic()

    def cores(self) -> float | None:
        """The mean number of cores that other processes kept busy; None if unknown, or too short to tell."""
        busy, seconds = _busy_seconds(), time.monotonic() - self._clock
        if busy is None or self._busy is None or seconds < LEAST_SECONDS:
            return None
        return max(0.0, (busy - self._busy - (time.process_time() - self._own)) / seconds)

    def warning(self, threads: int) -> str | None:
        """A sentence for a run whose threads would wait for cores that are busy, or None."""
        busy, cores = self.cores(), os.cpu_count() or 1
        if threads == 1 or busy is None:
            return None
        free = max(1, round(cores - busy))
        if threads <= free:
            return None
        return (
            f"Other processes keep about {busy:.1f} of the {cores} cores busy. The {threads} threads of this run wait "
            f"for each other in every step, so it can be many times slower than on a quiet machine: "
            f"use --threads {free}."
        )


def _busy_seconds() -> float | None:
    """The seconds for which all cores together were busy since the machine was started; None if unknown."""
    try:
        ticks = [int(field) for field in CPU_TIMES.read_text().partition("\n")[0].split()[1:]]
        busy = sum(ticks[kind] for kind in (USER, NICE, SYSTEM, IRQ, SOFTIRQ, STEAL))
        return busy / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, LookupError, AttributeError):
        return None
