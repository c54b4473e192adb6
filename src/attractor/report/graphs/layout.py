"""Where the nodes of a graph are drawn."""

from __future__ import annotations

import networkx as nx
import numpy as np
from numpy.typing import NDArray

EXACT = 120  # nodes up to which every distance counts; beyond, springs between neighbours are quicker
APART = 1.2  # between separate parts, where neighbours are 1 apart
STRETCHES = (1.0, 1.2, 1.4, 1.7, 2.0)  # of the side of a square of all parts: widths of rows that are tried

Places = dict[int, NDArray[np.float64]]


def places(graph: nx.Graph) -> Places:
    """Where to draw every node, neighbours about 1 apart and the longest way across; the same at every call."""
    parts = [graph.subgraph(sorted(part)) for part in nx.connected_components(graph)]
    return _side_by_side([_in_one_piece(part) for part in sorted(parts, key=len, reverse=True)])


def _in_one_piece(part: nx.Graph) -> Places:
    if len(part) == 1:
        return {node: np.zeros(2) for node in part}
    found = nx.kamada_kawai_layout(part) if len(part) <= EXACT else nx.spring_layout(part, seed=0, iterations=200)
    xy = np.array(list(found.values()))
    xy = xy - xy.mean(axis=0)
    xy = xy @ np.linalg.svd(xy, full_matrices=False)[2].T  # the direction in which it is longest becomes the first
    at = dict(zip(found, xy, strict=True))
    apart = np.median([np.linalg.norm(at[source] - at[target]) for source, target in part.edges])
    return {node: place / apart for node, place in at.items()}


def _side_by_side(parts: list[Places]) -> Places:
    """Parts from left to right in rows, the largest first, as nearly as wide together as they are high."""
    areas = [np.prod(np.ptp(list(part.values()), axis=0) + APART) for part in parts]
    return min((_in_rows(parts, stretch * np.sqrt(sum(areas))) for stretch in STRETCHES), key=_extent)


def _in_rows(parts: list[Places], width: float) -> Places:
    """Parts in rows of at most this ``width``, or of one part."""
    drawn: Places = {}
    x = y = deepest = 0.0
    for part in parts:
        box = np.array(list(part.values()))
        w, h = np.ptp(box, axis=0) + APART
        if x and x + w > width:
            x, y, deepest = 0.0, y - deepest, 0.0
        corner = np.array([x - box[:, 0].min(), y - box[:, 1].max()])
        drawn |= {node: place + corner for node, place in part.items()}
        x, deepest = x + w, max(deepest, h)
    return drawn


def _extent(at: Places) -> float:
    return float(np.ptp(list(at.values()), axis=0).max())
