"""Sides in turn, A B A B, so that what else the machine does falls on all of them; ratios within a turn."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any

from attractor.bench import answer
from attractor.bench.cases import Case
from attractor.errors import InputError
from attractor.models.device import has_bf16

if TYPE_CHECKING:
    from typing_extensions import Self

SIDES = Path(__file__).parent / "sides"
PRECISIONS = ("float32", "bfloat16")
Figures = dict[str, float]
Say = Callable[[str], None]


class Side:
    """One side of a case in a process of its own, alive and waiting to be told what to run.

    Raises :class:`InputError` when the process ends before it has answered.
    """

    def __init__(self, name: str, file: str, spec: dict[str, Any], python: str = sys.executable):
        self.name = name
        command = [python, answer.__file__, str(SIDES / f"{file}.py"), json.dumps(spec)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = self._answer()

    def __call__(self, name: str) -> Figures:
        """Time and memory of one pass."""
        assert self.process.stdin
        print(name, file=self.process.stdin, flush=True)
        return self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise InputError(f"{self.name} stopped before it had answered; what it said stands above")
        return json.loads(line)


def measure(
    case: Case, peers: dict[str, tuple[Path, str]], *, turns: int, seed: int, device: str, say: Say
) -> dict[str, Any]:
    """Every pass of every side, ours in every precision of the device, beside what the machine can do.

    ``peers``: the clone and the interpreter of every published code that is at hand; of the others ``say`` tells.
    """
    with ExitStack() as stack:
        spec = {**case.spec, "seed": seed, "device": device}
        if case.inputs:
            spec["file"] = str(case.inputs(Path(stack.enter_context(TemporaryDirectory())), seed))
        ours = precisions(device, say)
        sides = {side.name: stack.enter_context(side) for side in _sides(case, peers, spec, ours, say)}
        machine = stack.enter_context(Side("rates", "rates", {**spec, "precisions": ours}))
        operations, limits = sides["float32"].ready["operations"], machine.ready["operations"]
        rounds: dict[str, list[dict[str, Figures]]] = {name: [] for name in operations}
        seconds: dict[str, list[float]] = {rate: [] for rate in limits}
        for name, turn in product(operations, range(turns)):
            say(f"{case.title}: {name}, turn {turn + 1} of {turns}")
            order = list(sides) if turn % 2 == 0 else list(reversed(sides))
            rounds[name].append({side: sides[side](name) for side in order})
            for rate in limits:
                seconds[rate].append(machine(rate)["seconds"])
    rates = {rate: count / statistics.median(seconds[rate]) for rate, count in limits.items()}
    return {
        "title": case.title,
        "spec": case.spec,
        "turns": turns,
        "passes": {name: summary(rounds[name], count, rates) for name, count in operations.items()},
        "runs_on": {name: side.ready["versions"] for name, side in sides.items()},
        "rates": rates,
    }


def _sides(
    case: Case, peers: dict[str, tuple[Path, str]], spec: dict[str, Any], ours: list[str], say: Say
) -> Iterator[Side]:
    """Ours in every precision, then every published code that is at hand."""
    for precision in ours:
        yield Side(precision, case.side, {**spec, "precision": precision})
    for name, file in case.peers.items():
        if name in peers:
            clone, python = peers[name]
            yield Side(name, file, {**spec, "precision": "float32", "clone": str(clone)}, python)
        else:
            say(f"{name}: skipped, no checkout was given (--peer {name}=PATH)")


def precisions(device: str, say: Say) -> list[str]:
    """Those that the device computes in; ``say`` tells of the other."""
    if has_bf16(device):
        return list(PRECISIONS)
    say("bfloat16: skipped, this processor only emulates it")
    return ["float32"]


def summary(rounds: list[dict[str, Figures]], operations: float, rates: dict[str, float]) -> dict[str, Any]:
    """Medians of every side, the floor, and how many times longer every published code takes, turn by turn."""
    ours = [side for side in rounds[0] if side in PRECISIONS]
    found: dict[str, Any] = {"operations": operations, "sides": {}}
    for side in rounds[0]:
        taken = [turn[side] for turn in rounds]
        row = {
            "ms": 1e3 * statistics.median(t["seconds"] for t in taken),
            "cpu_ms": 1e3 * statistics.median(t["cpu_seconds"] for t in taken),
            "peak_mb": max(t["peak_mb"] for t in taken),
        }
        if side in ours:
            row["floor_ms"] = 1e3 * operations / rates[side]
            row["of_floor"] = row["floor_ms"] / row["ms"]
        found["sides"][side] = row
    for side in ours:
        peers = [peer for peer in rounds[0] if peer not in ours]
        against = {peer: [t[peer]["seconds"] / t[side]["seconds"] for t in rounds] for peer in peers}
        found["sides"][side]["times_faster"] = {
            peer: {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
            for peer, ratios in against.items()
        }
    return found


def on_threads(threads: int) -> int:
    """Keep this process, and those it starts, to so many cores; how many there are.

    Raises :class:`InputError` where there are fewer.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise InputError("processes cannot be kept to some cores on this system; run the benchmark on Linux")
    cores = sorted(os.sched_getaffinity(0))
    if not 1 <= threads <= len(cores):
        raise InputError(f"threads must be 1 to {len(cores)}, the cores there are, not {threads}")
    os.sched_setaffinity(0, cores[:threads])
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(threads)
    return threads
