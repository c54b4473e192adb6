"""Attention along edges three ways, time and memory, as results/edges.json.

    python benchmarks/edges.py [--data FOLDER]

``threads``: this library's compiled loops. ``sparse``: torch's sparse products, head by head. ``gather``: the equations
as they stand, which hold the queries and keys of every edge. All three give ``lse``, ``P k`` and ``P^T q`` and the same
gradients. They take turns in one process, so that what else the machine does falls on all of them; the ratio is taken
within a turn. FOLDER holds ``tolokers.npz``; without it the graph is generated, degrees by a power law.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import time
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attractor.energy import Edges
from attractor.energy.ops.edges import along_edges, reference
from attractor.files import json_text, write_json
from attractor.provenance import provenance

HEADS, WIDTH = 4, 16
NODES, LINKS = 20_000, 500_000  # of the generated graph
Parts = tuple[Tensor, Tensor, Tensor]
Align = Callable[[Tensor, Tensor, Edges], Parts]


def by_sparse_products(q: Tensor, k: Tensor, edges: Edges) -> Parts:
    """Of each head: sampled products for the scores, a softmax over every row, a sparse matrix times the tokens."""
    indptr, indices, target, seen, by, order = patterns(edges)
    size = (edges.nodes, edges.nodes)
    heads = []
    for qh, kh in zip(q.unbind(1), k.unbind(1), strict=True):
        pattern = torch.sparse_csr_tensor(indptr, indices, q.new_zeros(edges.count), size)
        scores = torch.sparse.sampled_addmm(pattern, qh, kh.T, beta=0.0).values()
        highest = torch.segment_reduce(scores.detach(), "max", offsets=indptr)
        terms = (scores - highest[target]).exp()
        total = torch.zeros_like(highest).index_add(0, target, terms)
        p = terms / total.index_select(0, target)
        mix = torch.sparse_csr_tensor(indptr, indices, p, size) @ kh
        pull = torch.sparse_csr_tensor(seen, by, p[order], size) @ qh
        heads.append((highest + total.log(), mix, pull))
    lse, mix, pull = (torch.stack(parts, dim=1) for parts in zip(*heads, strict=True))
    return lse, mix, pull


@lru_cache
def patterns(edges: Edges) -> tuple[Tensor, ...]:
    """The rows, the columns, and where the numbers of the columns stand in the rows: made once for a graph."""
    indices, seen = edges.indices.long(), edges.transposed
    return edges.indptr, indices, edges.targets(), seen.indptr, seen.indices.long(), indices.argsort(stable=True)


WAYS: dict[str, Align] = {"threads": along_edges, "sparse": by_sparse_products, "gather": reference}


def graph(data: Path | None) -> tuple[str, Edges]:
    """Tolokers, or half a million links whose ends are drawn by a power law."""
    if data is not None:
        with np.load(data / "tolokers.npz", allow_pickle=False) as arrays:
            return "tolokers", Edges.build(torch.from_numpy(arrays["edges"].T), len(arrays["node_features"]))
    index = (torch.rand(2, LINKS).pow(3) * NODES).long()
    return "generated", Edges.build(index, NODES)


def forward(align: Align, q: Tensor, k: Tensor, edges: Edges) -> None:
    """All three results, no gradients."""
    with torch.no_grad():
        align(q, k, edges)


def train(align: Align, q: Tensor, k: Tensor, edges: Edges) -> None:
    """All three results, and the gradients of a function of them."""
    torch.autograd.grad(sum(part.square().sum() for part in align(q, k, edges)), (q, k))


def resident(field: str) -> float:
    """A figure of this process in MB: ``VmRSS`` (now) or ``VmHWM`` (at its highest since the last reset)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) / 1024


def run(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds, and the peak of memory in MB above the start (Linux)."""
    ctypes.CDLL(None).malloc_trim(0)  # gives back what the turn before has freed
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    before, start = resident("VmRSS"), time.perf_counter()
    work()
    return time.perf_counter() - start, resident("VmHWM") - before


def measure(pass_: Callable[..., None], q: Tensor, k: Tensor, edges: Edges, turns: int) -> dict[str, Any]:
    """Medians of every way, and how many times longer than the threads the others take, turn by turn."""
    for align in WAYS.values():
        pass_(align, q, k, edges)
    rounds = [{way: run(lambda a=align: pass_(a, q, k, edges)) for way, align in WAYS.items()} for _ in range(turns)]
    report: dict[str, Any] = {}
    for way in WAYS:
        seconds, peaks = zip(*(turn[way] for turn in rounds), strict=True)
        ratios = sorted(turn[way][0] / turn["threads"][0] for turn in rounds)
        report[way] = {"ms": 1e3 * statistics.median(seconds), "peak_mb": max(peaks)}
        report[way]["times_threads"] = {"median": statistics.median(ratios), "low": ratios[0], "high": ratios[-1]}
    return report


def check(q: Tensor, k: Tensor, edges: Edges) -> float:
    """The largest relative difference of the ways' results."""
    results = [align(q.detach(), k.detach(), edges) for align in WAYS.values()]
    return max(((a - b).norm() / b.norm()).item() for r in results[:2] for a, b in zip(r, results[2], strict=True))


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("results/edges.json"))
    args = parser.parse_args()
    warnings.filterwarnings("ignore", message="Sparse")
    torch.manual_seed(0)
    name, edges = graph(args.data)
    q, k = (torch.randn(edges.nodes, HEADS, WIDTH).div(WIDTH**0.25).requires_grad_() for _ in "qk")
    sizes = {"graph": name, "nodes": edges.nodes, "edges": edges.count, "highest_degree": int(edges.degrees().max())}
    report = {"name": "edges", **sizes, "heads": HEADS, "width": WIDTH, "turns": args.turns}
    report["difference"] = check(q, k, edges)
    for label, pass_ in {"forward": forward, "forward_backward": train}.items():
        report[label] = measure(pass_, q, k, edges, args.turns)
    write_json(args.out, {**report, **provenance()})
    print(json_text(report), end="")


if __name__ == "__main__":
    main()
