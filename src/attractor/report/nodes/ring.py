"""A node in the middle of those of its neighbours that add most to its energy."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from attractor.percent import percent
from attractor.report.pictures import HEAT_MAP
from attractor.report.style import GREY, INK, short
from attractor.tasks.nodes.explanation import NodeExplanation, Rest

SHOWN = 10  # neighbours that there is room for
THINNEST, WIDEST = 0.8, 11.0  # points


def draw_ring(axes: Axes, explanation: NodeExplanation) -> None:
    """Draw the node and its first neighbours, a line to each as wide as its energy; the others as one broken line."""
    neighbours, others = explanation.neighbours[:SHOWN], beyond(explanation)
    places = len(neighbours) + (others.count > 0)
    angles = np.pi / 2 - np.linspace(0, 2 * np.pi, places, endpoint=False)
    sizes = np.abs([neighbour.energy for neighbour in neighbours])
    largest = max([*sizes, np.finfo(float).tiny])
    for angle, neighbour, size in zip(angles, neighbours, sizes, strict=False):
        width = THINNEST + (WIDEST - THINNEST) * size / largest
        _spoke(axes, angle, linewidth=width, linestyle="-" if neighbour.energy <= 0 else ":")
        _node(axes, angle, 1.0, 360, neighbour.rank)
        _label(axes, angle, 1.17, f"{short(neighbour.name, 16)}\n{short(neighbour.relation, 16)}".rstrip())
    if others.count:
        _spoke(axes, angles[-1], linewidth=1.2, linestyle="--")
        _label(axes, angles[-1], 1.04, f"{others.count:,} more")
    if not places:
        axes.text(0, -0.3, "sees no other node", ha="center", va="top")
    _node(axes, 0, 0.0, 1000, explanation.rank)
    axes.update_datalim([(-1.6, -1.35), (1.6, 1.35)])  # room for the labels, which limits do not count
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0)
    axes.set_title("Whom it sees")
    axes.set_axis_off()
    _draw_key(axes)


def beyond(explanation: NodeExplanation) -> Rest:
    """The neighbours that there is no room for, those that are not named among them."""
    left, others = explanation.neighbours[SHOWN:], explanation.other_neighbours
    return Rest(len(left) + others.count, sum(neighbour.energy for neighbour in left) + others.energy)


def _spoke(axes: Axes, angle: float, **style: Any) -> None:
    axes.plot([0, np.cos(angle)], [0, np.sin(angle)], color=GREY, solid_capstyle="butt", zorder=1, **style)


def _node(axes: Axes, angle: float, radius: float, size: float, rank: float) -> None:
    at = radius * np.cos(angle), radius * np.sin(angle)
    axes.scatter(*at, s=size, color=HEAT_MAP(rank), edgecolors=INK, linewidths=1.0, zorder=2)


def _label(axes: Axes, angle: float, radius: float, text: str) -> None:
    """Text that grows away from the middle."""
    x, y = np.cos(angle), np.sin(angle)
    across = "center" if abs(x) < 0.2 else "left" if x > 0 else "right"
    along = "center" if abs(y) < 0.9 else "bottom" if y > 0 else "top"
    axes.text(radius * x, radius * y, text, ha=across, va=along, fontsize=10)


def _draw_key(axes: Axes) -> None:
    ranks = ScalarMappable(Normalize(0, 1), HEAT_MAP)
    bar = axes.figure.colorbar(ranks, ax=axes, orientation="horizontal", shrink=0.7, aspect=35, pad=0.02)
    bar.ax.xaxis.set_major_formatter(lambda value, _: percent(value))
    width = "width of a line: its part of the energy, dotted where it raises it"
    bar.set_label(f"colour of a node: part of all nodes that score lower\n{width}")
