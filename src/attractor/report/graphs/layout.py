"""Where the nodes of a graph are drawn, and which of them where there are too many."""

from __future__ import annotations

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from attractor.tasks.graphs.explanation import GraphExplanation

ALL = 500  # nodes up to which all are drawn
SHOWN = 150  # nodes that are drawn of a larger graph
STARTS = 5  # of them those that the reader attends to most, around which the others lie
EXACT = 120  # nodes up to which every distance counts; beyond, springs between neighbours are quicker
APART = 1.5  # between separate parts, in units of the distance between neighbours

Places = dict[int, NDArray[np.float64]]


def network(explanation: GraphExplanation) -> nx.Graph:
    """The graph with its shares as attributes; of a large one the part around the nodes that the reader attends to."""
    graph = nx.Graph()
    graph.add_nodes_from((node.node, vars(node)) for node in explanation.nodes)
    graph.add_edges_from((edge.source, edge.target, {"energy": edge.energy}) for edge in explanation.edges)
    if len(graph) <= ALL:
        return graph
    return nx.Graph(graph.subgraph(around(graph, attended(graph)[:STARTS])))


def attended(graph: nx.Graph) -> list[int]:
    """Its nodes, first the one that has most of the reader's attention."""
    return sorted(graph, key=lambda node: -graph.nodes[node]["attention"])


def around(graph: nx.Graph, starts: list[int]) -> list[int]:
    """The nodes nearest to the ``starts`` by steps along edges; of those as near, first what the reader attends to."""
    nearest = [node for layer in nx.bfs_layers(graph, starts) for node in attended(graph.subgraph(layer))]
    return nearest[:SHOWN]


def places(graph: nx.Graph) -> Places:
    """Where to draw every node, neighbours about 1 apart, the longest way across; the same at every call."""
    parts = [graph.subgraph(sorted(part)) for part in nx.connected_components(graph)]
    return _side_by_side([_laid_out(part) for part in sorted(parts, key=len, reverse=True)])


def _laid_out(part: nx.Graph) -> Places:
    """Of a graph in one piece."""
    if len(part) == 1:
        return {node: np.zeros(2) for node in part}
    near = nx.kamada_kawai_layout(part) if len(part) <= EXACT else nx.spring_layout(part, seed=0, iterations=200)
    xy = np.array(list(near.values())) - np.mean(list(near.values()), axis=0)
    xy = xy @ np.linalg.svd(xy, full_matrices=False)[2].T  # along the axes in which it is longest
    at = dict(zip(near, xy, strict=True))
    typical = np.median([np.linalg.norm(at[source] - at[target]) for source, target in part.edges])
    return {node: place / typical for node, place in at.items()}


def _side_by_side(parts: list[Places]) -> Places:
    """Parts in rows, largest first, as wide together as they are high."""
    boxes = [np.array(list(part.values())) for part in parts]
    sizes = [np.ptp(box, axis=0) + APART for box in boxes]
    width = max(np.sqrt(sum(w * h for w, h in sizes)) * 1.2, sizes[0][0])
    drawn: Places = {}
    x = y = deepest = 0.0
    for part, box, (w, h) in zip(parts, boxes, sizes, strict=True):
        if x and x + w > width:
            x, y, deepest = 0.0, y - deepest, 0.0
        corner = np.array([x - box[:, 0].min(), y - box[:, 1].max()])
        drawn |= {node: place + corner for node, place in part.items()}
        x, deepest = x + w, max(deepest, h)
    return drawn
