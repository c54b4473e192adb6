"""An explained graph in one figure: what carries its energy, and what its class rests on."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from attractor.percent import percent
from attractor.report.graphs.marks import draw_dots, draw_lines, keys
from attractor.report.graphs.names import write_labels, write_numbers
from attractor.report.graphs.picture import STARTS, WIDTH, Picture
from attractor.report.pictures import HEAT_MAP
from attractor.report.style import BLUE, GREY, PALE, VERMILION, new_figure, short, styled
from attractor.tasks.graphs.explanation import GraphExplanation

CARRIED = HEAT_MAP.reversed()  # the lower an energy, the brighter
AGAINST_AND_FOR = LinearSegmentedColormap.from_list("evidence", [VERMILION, "white", BLUE]).with_extremes(bad=PALE)
PADDING = 0.18  # inches left and right of each picture
BELOW = 1.05  # inches for the keys and the caption


@styled
def draw_explanation(explanation: GraphExplanation) -> Figure:
    """Draw a graph twice: nodes and edges by their energies, and nodes by what the class owes to each.

    Of a graph of more than 500 nodes the part around those that the reader attends to most, as the caption then says.
    """
    picture = Picture.of(explanation)
    height = picture.height() + 1.7
    figure = new_figure(2 * WIDTH + 0.4, height + BELOW)
    figure.set_layout_engine("constrained", w_pad=PADDING)
    figure.suptitle(headline(explanation), x=0.013, ha="left", fontsize=13, fontweight="bold")
    parts: Any = figure.subfigures(2, 1, height_ratios=[height, BELOW])  # each laid out by itself
    above, below = parts
    left, right = above.subplots(1, 2)
    _draw_energy(left, picture)
    _draw_evidence(right, picture)
    below.legend(handles=keys(picture), loc="upper center", ncols=4, columnspacing=3)
    below.text(0.013, 0.1, caption(explanation, len(picture.graph)), fontsize=10, va="bottom")
    return figure


def headline(explanation: GraphExplanation) -> str:
    """Say in a line what a graph is taken for, how surely, what it is, and how large."""
    e = explanation
    known = ", rightly" if e.actual == e.predicted else f", but it is {short(str(e.actual))}"
    return (
        f"Graph {e.graph}: class {short(str(e.predicted))} with probability {percent(e.probability)}"
        f"{known if e.actual is not None else ''}; {_counted(len(e.nodes), 'node')}, {_counted(len(e.edges), 'edge')}"
    )


def caption(explanation: GraphExplanation, drawn: int) -> str:
    """Say what the energy adds up from, and what is not among the ``drawn`` nodes or was not tried."""
    e, most = explanation, "to which the reader attends most"
    networks = f" (mean of {e.members} networks)" if e.members > 1 else ""
    edges = sum(edge.energy for edge in e.edges)
    lines = [
        f"Energy{networks} {amount(e.energy)} = nodes {amount(e.energy - e.reader)} + reader {amount(e.reader)} = "
        f"edges {amount(edges)} + between nodes and reader {amount(e.readings)} + memory {amount(e.memory)}"
    ]
    if drawn < len(e.nodes):
        lines.append(f"Drawn are the {drawn:,} nodes nearest to the {STARTS} {most}.")
    if 0 < e.tried < len(e.nodes):
        lines.append(f"Left out in turn were the {e.tried:,} nodes {most}.")
    return "\n".join(lines)


def amount(energy: float) -> str:
    """An energy with as many digits as tell something."""
    return f"{energy:,.0f}" if abs(energy) >= 1e4 else f"{energy:.4g}"


def _draw_energy(axes: Axes, picture: Picture) -> None:
    energy = picture.nodes("energy")
    scale = ScalarMappable(Normalize(energy.min(), energy.max()), CARRIED)
    colours = scale.to_rgba(energy)
    draw_lines(axes, picture)
    draw_dots(axes, picture, colours)
    written = write_labels(axes, picture, colours)
    _finish(axes, picture, "What carries the energy")
    bar = _colour_bar(axes, scale, f"colour of a node: its energy\n{written}")
    bar.ax.invert_xaxis()  # what holds a graph where it is lowers the energy, and is to the right


def _draw_evidence(axes: Axes, picture: Picture) -> None:
    evidence = picture.nodes("evidence")
    size = np.nan_to_num(np.abs(evidence))
    largest = size.max() or 1.0
    scale = ScalarMappable(Normalize(-largest, largest), AGAINST_AND_FOR)
    colours = scale.to_rgba(np.ma.masked_invalid(evidence))
    axes.add_collection(LineCollection(picture.segments(), colors=GREY, linewidths=0.8, zorder=1))
    draw_dots(axes, picture, colours)
    written = write_numbers(axes, picture, colours, size)
    _finish(axes, picture, "What the class rests on")
    grey = " (grey: not tried)" if np.isnan(evidence).any() else ""
    _colour_bar(axes, scale, f"colour of a node: log-probability that the class loses without it{grey}\n{written}")


def _finish(axes: Axes, picture: Picture, title: str) -> None:
    axes.set_title(title)
    axes.set_axis_off()
    axes.set_aspect("equal", adjustable="datalim")
    axes.update_datalim(picture.xy)
    axes.margins(0.08)


def _colour_bar(axes: Axes, scale: ScalarMappable, label: str) -> Colorbar:
    bar = axes.figure.colorbar(scale, ax=axes, orientation="horizontal", shrink=0.7, aspect=35, pad=0.02)
    bar.set_label(label)
    bar.ax.xaxis.set_major_locator(MaxNLocator(5))
    bar.ax.xaxis.set_major_formatter("{x:.3g}")
    return bar


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
