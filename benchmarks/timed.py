"""Time and memory of one piece of work in this process (Linux); the standard library alone, for peers' interpreters."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def resident(field: str) -> float:
    """A figure of this process in MB: ``VmRSS`` (now) or ``VmHWM`` (at its highest since the last reset)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) / 1024


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """Seconds of ``work``, those of the processor, and the peak of memory in MB above what is held before it."""
    ctypes.CDLL(None).malloc_trim(0)  # gives back what the turn before has freed
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    before, start, processor = resident("VmRSS"), time.perf_counter(), time.process_time()
    work()
    spent = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - processor}
    return {**spent, "peak_mb": resident("VmHWM") - before}
