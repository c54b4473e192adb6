"""One picture of a graph: colours and sizes of its nodes, widths of its edges, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import SubFigure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from attractor.report.graphs.layout import Places
from attractor.report.pictures import HEAT_MAP
from attractor.report.style import BLUE, GREY, INK, PALE, VERMILION, percent, short

CARRIED = HEAT_MAP.reversed()  # the lower an energy, the brighter
AGAINST_AND_FOR = LinearSegmentedColormap.from_list("evidence", [VERMILION, "white", BLUE])
LINES = LinearSegmentedColormap.from_list("lines", [PALE, INK])
ROOM = 350.0  # points that a picture is wide and high
LARGEST, SMALLEST = 25.0, 0.5  # diameter of a node: points, and its part for one without attention
WIDEST = 6.0  # points
WRITTEN = 60  # nodes up to which each is written on
NAMED = 8  # nodes that are named of more than that


class Sizes(NamedTuple):
    """In points: diameters of nodes, ``(N,)`` in the order of the graph, and the width of the widest edge."""

    nodes: NDArray[np.float64]
    edge: float


def draw_energy(panel: SubFigure, graph: nx.Graph, at: Places) -> None:
    """Draw nodes and edges by their shares in the energy, nodes as large as the reader attends to them."""
    axes, sizes = _canvas(panel, at, "What carries the energy"), _sizes(graph, at)
    energy = _values(graph, "energy")
    edges = [data["energy"] for *_, data in graph.edges(data=True)]
    _draw_edges(axes, graph, at, edges, sizes.edge)
    colours = ScalarMappable(Normalize(*_limits(energy)), CARRIED)
    _draw_nodes(axes, graph, at, sizes, colours.to_rgba(energy))
    _write(axes, graph, at, sizes, colours.to_rgba(energy), _values(graph, "attention"), "label")
    bar = _colour_bar(axes, colours, "share of a node in the energy")
    bar.ax.invert_xaxis()  # what holds the graph where it is lowers the energy, and is to the right
    panel.legend(handles=_keys(graph, edges, sizes), loc="outside lower center", ncols=4, handlelength=1.6)


def draw_evidence(panel: SubFigure, graph: nx.Graph, at: Places) -> None:
    """Draw the nodes by what the class owes to each, and grey where that is not known."""
    axes, sizes = _canvas(panel, at, "What the class rests on"), _sizes(graph, at)
    axes.add_collection(LineCollection(_segments(graph, at), colors=PALE, linewidths=1.2, zorder=1))
    evidence = np.array(list(nx.get_node_attributes(graph, "evidence").values()), dtype=float)
    largest = max(np.nanmax(np.abs(evidence), initial=0), 1e-12)
    colours = ScalarMappable(Normalize(-largest, largest), AGAINST_AND_FOR)
    drawn = np.where(np.isnan(evidence)[:, None], _grey(), colours.to_rgba(evidence))
    _draw_nodes(axes, graph, at, sizes, drawn)
    _write(axes, graph, at, sizes, drawn, np.nan_to_num(np.abs(evidence)), "node")
    _colour_bar(axes, colours, "log-probability that the class loses without the node\n(blue: it speaks for the class)")
