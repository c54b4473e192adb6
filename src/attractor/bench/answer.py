"""A process that holds one side of a comparison and runs a pass of it whenever it is told to.

    PYTHON answer.py SIDE.py SPEC

SIDE.py defines ``passes(spec)``, which gives a function for each name: it does one whole pass and returns when that is
done; ``versions()`` of what runs; ours ``operations(spec)``, the floating-point operations of every pass, and
``device_mb`` (see :func:`timed`). SPEC is the case as JSON, and for published code the ``clone`` it lies in. Every line
read names a pass, every line written is what it took, as JSON; the first one comes when everything has run twice. The
standard library alone, for interpreters that have nothing of ours.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONG = 1.0  # seconds: a pass of a tenth of that is else at the mercy of whatever the machine does beside it


def resident(field: str) -> float:
    """A figure of this process in MB: ``VmRSS`` (now) or ``VmHWM`` (at its highest since the last reset)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) / 1024


def timed(work: Callable[[], Any], device_mb: Callable[[bool], float | None] = lambda reset: None) -> dict[str, float]:
    """Seconds of ``work``, those of the processor, and the peak of memory in MB above what is held before it.

    The first run measures memory (the device's, where ``device_mb`` tells it) and warms up. Runs are then timed until
    ``LONG`` seconds have passed, at least one; the medians count.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)  # gives back what the turn before has freed
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    before, held = resident("VmRSS"), device_mb(True)
    work()
    top, peak = resident("VmHWM"), device_mb(False)
    spent: list[tuple[float, float]] = []
    while not spent or sum(seconds for seconds, _ in spent) < LONG:
        start, processor = time.perf_counter(), time.process_time()
        work()
        spent.append((time.perf_counter() - start, time.process_time() - processor))
    seconds, cpu_seconds = map(statistics.median, zip(*spent, strict=True))
    memory = top - before if held is None or peak is None else peak - held
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": memory}


def load(side: Path) -> Any:
    """The module in a file, beside which it finds others."""
    sys.path.insert(0, str(side.parent))
    spec = importlib.util.spec_from_file_location(side.stem, side)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Get ready, say so, and answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not be taken for an answer
    side, spec = Path(sys.argv[1]), json.loads(sys.argv[2])
    module = load(side)
    ready = module.passes(spec)
    for run in ready.values():
        run()
        run()
    gauge = [module.device_mb] if hasattr(module, "device_mb") else []
    operations = module.operations(spec) if hasattr(module, "operations") else {}
    print(json.dumps({"versions": module.versions(), "operations": operations}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(timed(ready[line.strip()], *gauge)), file=answers, flush=True)


if __name__ == "__main__":
    main()
