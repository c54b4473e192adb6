"""Why a graph has the class it is given: which nodes and edges carry its energy, and which the class rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from attractor.console import progress
from attractor.data.graphs.graph_set import GraphSet, Value
from attractor.data.graphs.set_reading import as_graph_set
from attractor.errors import InputError
from attractor.models import GraphBatch
from attractor.tasks.graphs.occlusion import evidence
from attractor.tasks.graphs.shares import EnergyShares, energy_shares

if TYPE_CHECKING:
    from attractor.tasks.graphs.classifier import GraphClassifier


@dataclass(frozen=True)
class NodeShare:
    """What a node adds to the energy by whom it sees and what it remembers, and how the class depends on it.

    ``label``: the node's own, where nodes have one label. ``attention``: the share of the reader's attention that it
    has, 0 to 1. ``evidence``: by how much the logarithm of the class's probability falls when the node is left out;
    None where that was not tried.
    """

    node: int
    label: Value | None
    energy: float
    attention: float
    evidence: float | None


@dataclass(frozen=True)
class EdgeShare:
    """What the attention along an edge, both ways, adds to the energy."""

    source: int
    target: int
    energy: float


@dataclass(frozen=True)
class GraphExplanation:
    """The energy of a graph's last block where its descent ends, taken apart in two ways::

        energy = sum of nodes + reader  =  sum of edges + readings + memory

    ``nodes``: all of them by number; ``reader``: the share of the token that sees all nodes. ``edges``: every one once;
    ``readings``: between nodes and reader; ``memory``: of all tokens. ``before`` and ``after`` are the energies of
    every block where its descent begins and ends. Of several ``members`` all of these are means.
    ``probabilities`` are those of :meth:`GraphClassifier.predict_proba`; ``actual`` is the class where it is known.
    """

    graph: int
    members: int
    predicted: Value
    probability: float
    probabilities: dict[Value, float]
    actual: Value | None
    energy: float
    nodes: tuple[NodeShare, ...]
    reader: float
    edges: tuple[EdgeShare, ...]
    readings: float
    memory: float
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def tried(self) -> int:
        """How many nodes have been left out, one at a time."""
        return sum(node.evidence is not None for node in self.nodes)


def explain_graphs(classifier: GraphClassifier, graphs: Any, numbers: Sequence[int]) -> list[GraphExplanation]:
    """Say what carries the energy of the graphs of these numbers, and which nodes their classes rest on.

    ``graphs`` is anything the classifier takes. For the latter every node is left out in turn, with its edges, and the
    graph classified anew; of a graph of more than 400 nodes only those that the reader attends to most, fewer the
    larger it is, but five at least. Raises :class:`InputError` on a graph that there is not.
    """
    classifier._check_fitted()
    graphs = as_graph_set(graphs, carried=classifier.encoder_.carried)
    numbers = [int(number) for number in numbers]
    for number in numbers:
        if not 0 <= number < len(graphs):
            raise InputError(f"{graphs.name} has no graph {number}; its graphs are numbered 0 to {len(graphs) - 1}")
    shown = progress(numbers, "explaining", total=len(numbers))
    return [_explain(classifier, graphs[[number]], number) for number in shown]


def _explain(classifier: GraphClassifier, graph: GraphSet, number: int) -> GraphExplanation:
    """Of a set of one graph, which is called ``number``."""
    p = classifier.predict_proba(graph)[0]
    best = int(p.argmax())
    batch = classifier.encoder_.encode(graph).batch([0])
    shares = energy_shares(classifier.members_, batch.to(classifier.members_[0].reader.device))
    attention = shares.attention[batch.edges.targets() == 0]  # the reader's, whom it sees in order
    found = evidence(classifier, graph, best, attention.argsort(descending=True, stable=True))
    return GraphExplanation(
        graph=number,
        members=len(classifier.members_),
        predicted=classifier.classes_.tolist()[best],
        probability=float(p[best]),
        probabilities=dict(zip(classifier.classes_.tolist(), p.tolist(), strict=True)),
        actual=graph.y.named()[0] if graph.y is not None else None,
        energy=float(shares.pairs.sum() + shares.memory.sum()),
        before=tuple(shares.energies[:, 0].tolist()),
        after=tuple(shares.energies[:, 1].tolist()),
        **_tokens(graph, batch, shares, attention, found),
        **_links(batch, shares),
    )


def _tokens(
    graph: GraphSet, batch: GraphBatch, shares: EnergyShares, attention: Tensor, found: dict[int, float]
) -> dict[str, Any]:
    """The fields that say what comes from which token."""
    reader, *nodes = shares.memory.index_add(0, batch.edges.targets(), shares.pairs).tolist()
    labels = graph.node_labels[0].named() if len(graph.node_labels) == 1 else [None] * len(nodes)
    columns = zip(labels, nodes, attention.tolist(), strict=True)
    return {
        "nodes": tuple(NodeShare(i, *column, found.get(i)) for i, column in enumerate(columns)),
        "reader": reader,
    }


def _links(batch: GraphBatch, shares: EnergyShares) -> dict[str, Any]:
    """The fields that say what comes from which edge; the reader is token 0, hence node i is token i + 1."""
    sources, targets = batch.edges.indices.long(), batch.edges.targets()
    both = shares.pairs + shares.pairs[batch.edges.order]
    between = (sources > 0) & (sources < targets)
    ends = zip((sources[between] - 1).tolist(), (targets[between] - 1).tolist(), both[between].tolist(), strict=True)
    return {
        "edges": tuple(EdgeShare(*edge) for edge in ends),
        "readings": float(both[sources == 0].sum()),
        "memory": float(shares.memory.sum()),
    }
