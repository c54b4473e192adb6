"""Compiled loops over the rows of a graph, or over other pieces of work, on the threads that torch computes on."""

from __future__ import annotations

import ctypes
import os
from bisect import bisect_left
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attractor.energy.ops.bfloat16 import array

Work = Callable[[], None]

PARTS = 4  # of the rows for each thread: hubs and leaves lie unevenly
GROUPS = 2  # likewise, of what needs memory of its own for every part
SMALL = 2**18  # numbers of rows and edges that take less time than it takes to share them out
# With threads of our own the bar is higher: torch's idle ones spin for some milliseconds and compete for the cores.
SMALL_FOR_OWN = 2**24


def over_rows(kernel: Callable[..., None], indptr: Tensor, *tensors: Tensor, cells: int = 64) -> None:
    """Call ``kernel(indptr, *tensors, first, last)`` for ranges of rows, all with about as many rows and edges.

    ``cells`` says how many numbers each of these takes, which decides whether one thread is enough.
    """
    arrays = [array(t) for t in (indptr, *tensors)]
    nodes = len(indptr) - 1
    size = nodes + int(indptr[-1])
    parts = _parts(size * cells)
    shares = [size * part // parts for part in range(1, parts)]
    cuts = [bisect_left(range(nodes), share, key=lambda v: v + int(arrays[0][v])) for share in shares]
    _share_out(kernel, arrays, [0, *cuts, nodes])


def over_parts(kernel: Callable[..., None], count: int, *operands: Any, cells: int) -> None:
    """Call ``kernel(*operands, first, last)`` for ranges of ``count`` pieces of work, of ``cells`` numbers each."""
    parts = min(count, _parts(count * cells))
    cuts = [count * part // parts for part in range(1, parts)]
    _share_out(kernel, [_arrays(operand) for operand in operands], [0, *cuts, count])


def _arrays(operand: Any) -> Any:
    """Tensors, also those in a tuple, as compiled loops take them."""
    if isinstance(operand, tuple):
        return tuple(map(_arrays, operand))
    return array(operand) if isinstance(operand, Tensor) else operand


def shares(count: int) -> Tensor:
    """Where each of the groups that ``count`` pieces of work are cut into begins, and the last one ends.

    For what every group adds up for itself: as few as keep the threads busy.
    """
    groups = min(count, GROUPS * torch.get_num_threads())
    return torch.arange(groups + 1) * count // max(groups, 1)


def _parts(numbers: int) -> int:
    """How many ranges work on so many numbers is cut into."""
    threads = torch.get_num_threads()
    small = numbers < (SMALL if _team else SMALL_FOR_OWN)
    return 1 if threads == 1 or small else PARTS * threads


def _share_out(kernel: Callable[..., None], arrays: list[Any], bounds: list[int]) -> None:
    ranges = pairwise(bounds)  # every thread takes the next one
    if len(bounds) == 2:
        _drain(kernel, arrays, ranges)
    else:
        on_threads(lambda: _drain(kernel, arrays, ranges), torch.get_num_threads())


def on_threads(work: Work, threads: int) -> None:
    """Run ``work`` on so many threads at once; what the first of them to fail raises is raised.

    On torch's own where they can be had. Never on numba's: those abort in a forked process and cannot be entered by two
    threads at once.
    """
    failures: list[BaseException] = []

    def guarded(*_: Any) -> None:
        try:
            work()
        except BaseException as failure:  # which would be printed and forgotten on a thread of another language
            failures.append(failure)

    if _team:
        _team(CALLBACK(guarded), None, threads, 0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            for _ in range(threads):
                pool.submit(guarded)
    if failures:
        raise failures[0]


def _drain(kernel: Callable[..., None], arrays: list[Any], ranges: Iterator[tuple[int, int]]) -> None:
    for first, last in ranges:
        kernel(*arrays, first, last)


CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _find_team() -> Any:
    """``GOMP_parallel(function, data, threads, flags)`` of the OpenMP runtime that torch itself is linked against."""
    try:
        return ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so")).GOMP_parallel
    except (OSError, AttributeError):  # another system, another runtime
        return None


def _leave_team() -> None:
    """In a forked process torch's threads are gone, but its runtime waits for them."""
    global _team
    _team = None


_team = _find_team()
if _team:
    os.register_at_fork(after_in_child=_leave_team)
