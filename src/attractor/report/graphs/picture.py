"""What is drawn of an explained graph: some or all of its nodes, each at its place."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from attractor.report.graphs.layout import places
from attractor.tasks.graphs.explanation import GraphExplanation

ALL = 500  # nodes up to which all are drawn
STARTS = 5  # of a larger graph the nodes that the reader attends to most,
SHOWN = 150  # with those around them
WIDTH, LOWEST = 6.3, 2.4  # inches that a picture is wide, and is high at least
MARGIN = 1.5  # around the outermost nodes together, where neighbours are 1 apart
LARGEST, SMALLEST = 24.0, 0.5  # diameter of a node: points, and its part for one without attention

Column = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Picture:
    """N nodes at ``xy (N, 2)``, in the order of ``graph``, whose nodes and edges have their shares as attributes."""

    graph: nx.Graph
    xy: NDArray[np.float64]

    @classmethod
    def of(cls, explanation: GraphExplanation) -> Picture:
        """All of a graph, or of a large one what is around the nodes that the reader attends to most."""
        graph = nx.Graph()
        graph.add_nodes_from((node.node, vars(node)) for node in explanation.nodes)
        graph.add_edges_from((edge.source, edge.target, {"energy": edge.energy}) for edge in explanation.edges)
        if len(graph) > ALL:
            graph = nx.Graph(graph.subgraph(_around(graph, _attended(graph)[:STARTS])))
        at = places(graph)
        return cls(graph, np.array([at[node] for node in graph]))

    def nodes(self, name: str) -> Column:
        """An attribute of all nodes, NaN where there is none, ``(N,)``."""
        return np.array([data[name] for _, data in self.graph.nodes(data=True)], dtype=float)

    def edges(self) -> Column:
        """The shares of all edges in the energy."""
        return np.array([energy for *_, energy in self.graph.edges(data="energy")])

    def segments(self) -> list[Column]:
        """Where each edge begins and ends, ``(2, 2)``."""
        number = {node: i for i, node in enumerate(self.graph)}
        return [self.xy[[number[source], number[target]]] for source, target in self.graph.edges]

    def height(self) -> float:
        """How high to draw it, in inches."""
        width, height = np.ptp(self.xy, axis=0)
        return float(np.clip(WIDTH * (height + MARGIN) / (width + MARGIN), LOWEST, WIDTH))

    def scale(self) -> float:
        """How many points on the page neighbours are apart."""
        width, height = np.ptp(self.xy, axis=0) + MARGIN
        return 72 * min(WIDTH / width, self.height() / height)

    def diameters(self) -> Column:
        """How large nodes are, in points, ``(N,)``: by attention, and not so that neighbours touch."""
        attention = self.nodes("attention")
        largest = min(LARGEST, 0.62 * self.scale())
        return largest * (SMALLEST + (1 - SMALLEST) * np.sqrt(attention / attention.max()))


def _attended(graph: nx.Graph) -> list[int]:
    """Its nodes, first the one that has most of the reader's attention."""
    return sorted(graph, key=lambda node: -graph.nodes[node]["attention"])


def _around(graph: nx.Graph, starts: list[int]) -> list[int]:
    """The nodes that the fewest edges part from the ``starts``; of as many, first what the reader attends to."""
    layers = nx.bfs_layers(graph, starts)
    return [node for layer in layers for node in _attended(graph.subgraph(layer))][:SHOWN]
