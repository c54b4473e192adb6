"""Small graphs drawn around some nodes of a large one, so that a step of training costs the same on any graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from attractor.energy import Edges
from attractor.energy.ops.compiling import compiled
from attractor.errors import InputError


@dataclass(frozen=True, eq=False)
class Sample:
    """A part of a graph, its nodes numbered anew.

    ``nodes``: int64 ``(n,)``, their numbers in the whole graph, the first ``seeds`` of them being those asked for, in
    that order. ``edges``: what was drawn of every relation, between the new numbers.
    """

    nodes: Tensor
    edges: tuple[Edges, ...]
    seeds: int


class NeighbourSampler:
    """Draws the neighbourhoods of seed nodes: ``fanouts[i]`` neighbours of each node that is i hops away.

    Neighbours are drawn uniformly and without replacement among those that a node sees, all where there are fewer;
    as many in every relation. What was drawn keeps its kind: both ends see each other unless the relation is directed,
    and every node sees itself where it does in the whole graph. Time is O(seeds x fanouts) a sample, whatever the
    degrees and the number of nodes. The sampler holds 4 bytes a node, cleared after each sample where it wrote: for
    one thread at a time. Raises :class:`InputError` on relations of different graphs and on a fanout below 1.
    Sources: GraphSAGE (Hamilton et al. 2017), appendix A; draws by Bentley and Floyd 1987, "A sample of brilliance".
    """

    def __init__(self, edges: Sequence[Edges], fanouts: Sequence[int]):
        sizes = sorted({relation.nodes for relation in edges})
        if len(sizes) != 1:
            raise InputError(f"a sampler needs relations on the same nodes, at least one; these are on {sizes}")
        if not fanouts or min(fanouts) < 1:
            raise InputError(f"fanouts must be numbers of neighbours above 0, one a hop, not {tuple(fanouts)}")
        self.edges, self.fanouts = tuple(edges), tuple(fanouts)
        self._loops = [_has_loops(relation) for relation in edges]
        self._number = np.full(sizes[0], -1, dtype=np.int32)  # the new number of a node that is in the sample

    def sample(self, seeds: Tensor, seed: int | Sequence[int] = 0) -> Sample:
        """The neighbourhood of the nodes ``seeds``, int32 or int64 ``(S,)``; the same again for the same ``seed``.

        Raises :class:`InputError` unless they are different nodes of the graph.
        """
        self._check(seeds)
        rng = np.random.default_rng(seed)
        nodes, drawn, seen = seeds.long().numpy(), [], 0
        self._number[nodes] = np.arange(len(nodes))
        for fanout in self.fanouts:
            hop, seen = nodes[seen:], len(nodes)
            for relation in self.edges:
                indptr, indices = (t.numpy() for t in relation.arrays)
                pairs, new = _draw(indptr, indices, hop, len(nodes), fanout, rng, self._number)
                drawn.append(torch.from_numpy(pairs))
                nodes = np.concatenate([nodes, new])
        self._number[nodes] = -1
        edges = (self._local(r, drawn[r :: len(self.edges)], len(nodes)) for r in range(len(self.edges)))
        return Sample(torch.from_numpy(nodes), tuple(edges), len(seeds))

    def batches(self, seeds: Tensor, size: int, *, seed: int = 0, epoch: int = 0) -> Iterator[Sample]:
        """Samples around all ``seeds``, ``size`` at a time and the last fewer, in another order every epoch."""
        order = np.random.default_rng((seed, epoch)).permutation(len(seeds))
        for number, batch in enumerate(seeds[torch.from_numpy(order)].split(size)):
            yield self.sample(batch, (seed, epoch, number))

    def _local(self, relation: int, drawn: list[Tensor], nodes: int) -> Edges:
        directed = self.edges[relation].reverse is not None
        return Edges.build(torch.cat(drawn, dim=1), nodes, directed=directed, self_loops=self._loops[relation])

    def _check(self, seeds: Tensor) -> None:
        if seeds.ndim != 1 or seeds.dtype not in (torch.int32, torch.int64) or not len(seeds):
            raise InputError(f"seeds must be int32 or int64 (nodes,), not {seeds.dtype} of shape {tuple(seeds.shape)}")
        last, ordered = len(self._number) - 1, seeds.sort().values
        for node in (int(ordered[0]), int(ordered[-1])):
            if not 0 <= node <= last:
                raise InputError(f"seeds name node {node}, but nodes are numbered 0 to {last}")
        if len(repeated := ordered[1:][ordered.diff() == 0]):
            raise InputError(f"seeds name node {int(repeated[0])} more than once; give every node once")


def _has_loops(edges: Edges) -> bool:
    """Whether nodes see themselves: all of them do, or none."""
    return bool((edges.indices[: int(edges.indptr[1])] == 0).any())


@compiled
def _draw(indptr, indices, hop, known, fanout, rng, number):
    """Pairs (source, target) of new numbers ``(2, E)``, and the nodes not met before, numbered from ``known``.

    Of n neighbours Floyd takes k by drawing, for each j from n - k, one of the first j + 1, or j if that one is taken.
    """
    room = 0
    for v in hop:
        room += min(indptr[v + 1] - indptr[v], fanout)
    pairs, new = np.empty((2, room), np.int32), np.empty(room, np.int64)
    takers = np.full(known + room, -1, np.int32)  # who took each node of the sample last
    count, met = 0, 0
    for v in hop:
        row = indices[indptr[v] : indptr[v + 1]]
        n = len(row)
        itself = np.searchsorted(row, v)
        if itself < n and row[itself] == v:
            n -= 1
        else:
            itself = n
        for j in range(max(0, n - fanout), n):
            i = int(rng.random() * (j + 1)) if n > fanout else j
            u = row[i + (i >= itself)]
            if number[u] >= 0 and takers[number[u]] == number[v]:
                u = row[j + (j >= itself)]
            if number[u] < 0:
                number[u], new[met] = known + met, u
                met += 1
            takers[number[u]] = number[v]
            pairs[0, count], pairs[1, count] = number[u], number[v]
            count += 1
    return pairs[:, :count], new[:met]
