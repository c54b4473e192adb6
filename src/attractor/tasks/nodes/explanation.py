"""Why a node has the energy it has: which neighbours and memories it comes from, and how the node stands out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attractor.data.graphs.node_graph import NodeGraph
from attractor.data.graphs.node_reading import as_node_graph
from attractor.errors import InputError
from attractor.tasks.nodes.shares import EnergyShares, energy_shares

if TYPE_CHECKING:
    from attractor.tasks.nodes.detector import NodeAnomalyDetector


@dataclass(frozen=True)
class NeighbourShare:
    """What a neighbour adds to the node's energy; its own score, and how many of all nodes score lower, 0 to 1.

    ``name`` is its id, where the graph has ids, else its number.
    """

    node: int
    name: str
    relation: str
    energy: float
    score: float
    rank: float


@dataclass(frozen=True)
class MemoryShare:
    """What one memory of one member of the ensemble adds to the node's energy."""

    member: int
    memory: int
    energy: float


@dataclass(frozen=True)
class Rest:
    """How many are not named one by one, and what they add together."""

    count: int
    energy: float


@dataclass(frozen=True)
class Feature:
    """A feature of the node, in standard deviations from the mean of the nodes that the model was fitted on."""

    name: str
    value: float


@dataclass(frozen=True)
class NodeExplanation:
    """The energy of a node where its descent ends: neighbours and memories add up to ``energy``.

    Neighbours, memories and features are the largest, in order of size; what the others add is beside them. A
    neighbour in two relations is there twice. ``name`` is a node's id, where the graph has ids, else its number.
    ``rank`` is the part of all nodes that score lower, 0 to 1. The parts of the energy along the descent, before the
    first step and after each, are ``attention`` and ``memory``. Of several ``members`` the energy is the mean, as is
    every neighbour's; a memory is one member's own, which the others do not have, and its energy is what it adds to
    the mean.
    """

    node: int
    name: str
    members: int
    score: float
    rank: float
    p_value: float
    energy: float
    neighbours: tuple[NeighbourShare, ...]
    other_neighbours: Rest
    memories: tuple[MemoryShare, ...]
    other_memories: Rest
    features: tuple[Feature, ...]
    attention: tuple[float, ...]
    memory: tuple[float, ...]


def explain_nodes(
    detector: NodeAnomalyDetector, graph: Any, nodes: Sequence[int], top: int = 10
) -> list[NodeExplanation]:
    """Say where the energy of each node comes from, as :func:`energy_shares` splits it, naming the ``top`` of a kind.

    It is the energy that is explained, which is half of the score without labels; with labels the score is a network's
    reading of where the node began and ended, which has no such split. ``graph`` is anything the detector takes. All
    nodes together take one scoring of the graph and one descent. Raises :class:`InputError` on a node that the graph
    does not have and on a ``top`` below 1.
    """
    graph, nodes = as_node_graph(graph), list(nodes)
    _check(graph, nodes, top)
    x, edges = detector.inputs(graph)
    relations = list(detector.relations_) if len(edges) > 1 else [""]
    named = graph.columns or [f"feature {i}" for i in range(graph.x.shape[1])]
    columns = [*named, *(f"log degree {name}".strip() for name in relations)]
    z = detector.members_[0].standardize(x[nodes]).double().cpu().numpy()
    scores = detector.decision_function(graph)
    p_values = detector.calibrator_.p_value(scores[nodes])
    shares = energy_shares(detector.members_, x, edges, nodes)
    names = graph.ids or range(graph.nodes)
    return [
        NodeExplanation(
            node=node,
            name=str(names[node]),
            members=len(detector.members_),
            score=float(scores[node]),
            rank=_rank(scores, node),
            p_value=float(p_value),
            features=tuple(Feature(columns[i], float(values[i])) for i in _largest(values, top)),
            **_attention(share, names, relations, scores, top),
            **_memory(share, top),
            energy=float(share.attention[-1].sum() + share.memory[-1].sum()),
        )
        for node, p_value, values, share in zip(nodes, p_values, z, shares, strict=True)
    ]


def _check(graph: NodeGraph, nodes: list[int], top: int) -> None:
    if top < 1:
        raise InputError(f"top is {top}; give 1 or more")
    for node in nodes:
        if not 0 <= node < graph.nodes:
            raise InputError(f"{graph.name} has no node {node}; its nodes are numbered 0 to {graph.nodes - 1}")


def _attention(
    shares: EnergyShares, names: Sequence[object], relations: list[str], scores: np.ndarray, top: int
) -> dict[str, Any]:
    """The fields that say what comes from whom the node sees."""
    ends, sources = shares.attention[-1].numpy(), shares.sources.numpy()
    order = _largest(ends, top)
    named = tuple(
        NeighbourShare(
            node=int(sources[i]),
            name=str(names[int(sources[i])]),
            relation=relations[int(shares.relations[i])],
            energy=float(ends[i]),
            score=float(scores[sources[i]]),
            rank=_rank(scores, sources[i]),
        )
        for i in order
    )
    return {
        "neighbours": named,
        "other_neighbours": Rest(len(ends) - len(order), float(ends.sum() - ends[order].sum())),
        "attention": tuple(shares.attention.sum(dim=1).tolist()),
    }


def _memory(shares: EnergyShares, top: int) -> dict[str, Any]:
    """The fields that say what comes from memories; one that does not pull is not named."""
    ends = shares.memory[-1].numpy()
    order = [i for i in _largest(ends.ravel(), top) if ends.flat[i]]
    named = tuple(
        MemoryShare(member=int(i // ends.shape[1]), memory=int(i % ends.shape[1]), energy=float(ends.flat[i]))
        for i in order
    )
    return {
        "memories": named,
        "other_memories": Rest(ends.size - len(order), float(ends.sum() - ends.ravel()[order].sum())),
        "memory": tuple(shares.memory.sum(dim=(1, 2)).tolist()),
    }


def _largest(values: np.ndarray, top: int) -> list[int]:
    """Places of the ``top`` values furthest from 0, the furthest first."""
    return np.argsort(-np.abs(values), kind="stable")[:top].tolist()


def _rank(scores: np.ndarray, node: int) -> float:
    return float((scores < scores[node]).mean())
