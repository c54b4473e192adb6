"""Where nodes are in their graph: random walks, and eigenvectors of the Laplacian, of every graph once."""

from __future__ import annotations

from functools import partial
from threading import Lock

import numpy as np
import torch
from cachetools import LRUCache, cached
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import eigsh
from torch import Tensor

from attractor.data.graphs.graph_set import GraphSet

COLUMNS = 512  # of a power of the adjacency that are held at once
DENSE = 1024  # nodes up to which all eigenvectors are taken, and the few that are wanted kept
REMEMBERED = 2**29  # bytes of structure, of either kind


def _bytes(found: NDArray[np.float32] | tuple[NDArray[np.float32], ...]) -> int:
    return sum(array.nbytes for array in (found if isinstance(found, tuple) else (found,)))


_memory = partial(LRUCache, REMEMBERED, _bytes)


def walks(graphs: GraphSet, steps: int) -> tuple[Tensor, Tensor]:
    r"""Entries of ``S^t``, ``S = D^-1/2 A D^-1/2``, for t from 1 to ``steps``: on the diagonal and along the edges.

    ``(T, steps)`` is the probability that a walk from a node is back there after t steps; ``(E, steps)``, of an edge,
    is that of a walk from one end to the other times the root of the ratio of their degrees, the same both ways. Both
    move along when nodes are relabelled. O(n E) of a graph with n nodes.
    Source: Ma et al. 2023, Graph Inductive Biases in Transformers without Message Passing, section 3.1.
    """
    parts = [_walks(n, index, steps) for n, index in _each(graphs)]
    nodes, edges = (np.concatenate(part) for part in zip(*parts, strict=True))
    return torch.from_numpy(nodes), torch.from_numpy(edges)


def eigenvectors(graphs: GraphSet, count: int) -> Tensor:
    """The ``count`` eigenvectors of ``I - D^-1/2 A D^-1/2`` after the lowest, ``(T, count)``, 0 where there are fewer.

    Signs, and bases where eigenvalues are equal, are as chance has it: they change when nodes are relabelled.
    Source: Dwivedi and Bresson 2021, A Generalization of Transformer Networks to Graphs, section 2.
    """
    if not count:
        return torch.zeros(len(graphs.x), 0)
    return torch.from_numpy(np.concatenate([_eigenvectors(n, index, count) for n, index in _each(graphs)]))


def _each(graphs: GraphSet) -> list[tuple[int, bytes]]:
    """Nodes, and edges of nodes numbered from 0, of every graph."""
    ends = graphs.edge_ptr.tolist()
    index, starts = graphs.edge_index.numpy().astype(np.int32), graphs.ptr.tolist()
    return [
        (starts[i + 1] - starts[i], (index[:, ends[i] : ends[i + 1]] - np.int32(starts[i])).tobytes())
        for i in range(len(graphs))
    ]


def _normalised(n: int, index: bytes) -> tuple[csr_array, NDArray[np.int32]]:
    """``S`` and its edges."""
    source, target = np.frombuffer(index, dtype=np.int32).reshape(2, -1)
    degree = np.bincount(target, minlength=n).clip(min=1)
    values = 1 / np.sqrt(degree[source] * degree[target])
    return csr_array((values, (target, source)), shape=(n, n)), np.stack([source, target])


@cached(_memory(), lock=Lock())
def _walks(n: int, index: bytes, steps: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    adjacency, (source, target) = _normalised(n, index)
    nodes = np.empty((n, steps), dtype=np.float32)
    edges = np.empty((len(source), steps), dtype=np.float32)
    for first in range(0, n, COLUMNS):
        last = min(first + COLUMNS, n)
        mine = (source >= first) & (source < last)
        power = eye_array(n, format="csr")[:, first:last].toarray()
        for t in range(steps):
            power = adjacency @ power
            nodes[first:last, t] = power[np.arange(first, last), np.arange(last - first)]
            edges[mine, t] = power[target[mine], source[mine] - first]
    return nodes, edges


@cached(_memory(), lock=Lock())
def _eigenvectors(n: int, index: bytes, count: int) -> NDArray[np.float32]:
    adjacency, _ = _normalised(n, index)
    wanted = min(count + 1, n)
    if n <= DENSE or wanted == n:
        vectors = eigh(np.eye(n) - adjacency.toarray(), subset_by_index=(0, wanted - 1))[1]
    else:
        start = np.random.default_rng(0).uniform(size=n)  # ones are an eigenvector of a regular graph: no start at all
        values, vectors = eigsh(adjacency + eye_array(n), k=wanted, which="LA", v0=start)  # nor is one that becomes 0
        vectors = vectors[:, (-values).argsort()]
    kept = np.zeros((n, count), dtype=np.float32)
    kept[:, : wanted - 1] = vectors[:, 1:]
    return kept
