"""Compiled loops over the rows of a graph, on as many threads as torch has."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import torch
from numba import njit
from torch import Tensor

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

PARTS = 8  # of the rows for each thread: hubs and leaves lie unevenly
SMALL = 2**24  # numbers of rows and edges, some milliseconds: so long torch's own threads spin, and two more fight them
# Sums may be regrouped, but NaN and infinity stay what they are.
OPTIONS: Any = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz", "arcp"}}


def compiled(function: Kernel) -> Kernel:
    """The function in machine code, which is kept for the next process where there is a folder to keep it in."""
    try:
        return njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # no such folder
        return njit(**OPTIONS)(function)


def over_rows(kernel: Callable[..., None], indptr: Tensor, *tensors: Tensor, cells: int = 64) -> None:
    """Call ``kernel(indptr, *tensors, first, last)`` for ranges of rows, all with about as many rows and edges.

    ``cells`` says how many numbers each of these takes, which decides whether one thread is enough.
    Threads of Python, not numba's: those abort in a forked process and cannot be entered by two threads at once.
    """
    arrays = [t.detach().numpy() for t in (indptr, *tensors)]
    nodes, threads = len(indptr) - 1, torch.get_num_threads()
    work = nodes + int(indptr[-1])
    if threads == 1 or work * cells < SMALL:
        return kernel(*arrays, 0, nodes)
    shares = [work * part // (PARTS * threads) for part in range(PARTS * threads + 1)]
    bounds = [bisect_left(range(nodes), share, key=lambda v: v + int(arrays[0][v])) for share in shares]
    with ThreadPoolExecutor(threads) as pool:
        for part in [pool.submit(kernel, *arrays, *bound) for bound in pairwise(bounds)]:
            part.result()
