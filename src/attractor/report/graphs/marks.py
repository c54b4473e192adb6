"""Nodes as dots, edges as lines, and the keys to both."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D

from attractor.percent import percent
from attractor.report.graphs.picture import LARGEST, Column, Picture
from attractor.report.style import INK, PALE

SHADES = LinearSegmentedColormap.from_list("shades", [PALE, INK])
WIDEST, THINNEST = 0.28, 0.04  # of the diameter of the largest node


def draw_dots(axes: Axes, picture: Picture, colours: Column) -> None:
    """Draw nodes in ``colours (N, 4)``, as large as the reader attends to them."""
    size, (x, y) = picture.diameters(), picture.xy.T
    axes.scatter(x, y, s=size**2, c=colours, edgecolors=INK, linewidths=size.max() / LARGEST, zorder=2)


def draw_lines(axes: Axes, picture: Picture) -> None:
    """Draw edges as wide and as dark as their shares, dotted where those raise the energy."""
    styles = ["-" if share <= 0 else ":" for share in picture.edges()]
    colours, widths = _strokes(picture)
    lines = LineCollection(picture.segments(), colors=colours, linewidths=widths, linestyles=styles, zorder=1)
    axes.add_collection(lines)


def keys(picture: Picture) -> list[Line2D]:
    """The largest and the smallest dot and line, with what they mean."""
    attention, size, energy = picture.nodes("attention"), picture.diameters(), picture.edges()
    white: Any = {"linestyle": "", "marker": "o", "markerfacecolor": "white", "markeredgecolor": INK}
    colours, widths = _strokes(picture)
    dots = [
        Line2D([], [], markersize=size[i], label=f"{percent(attention[i])} of the reader's attention", **white)
        for i in _extremes(attention)
    ]
    lines = [
        Line2D([], [], color=colours[i], linewidth=widths[i], label=f"an edge of energy {energy[i]:,.3g}")
        for i in _extremes(np.abs(energy))
    ]
    return dots + lines


def _extremes(size: Column) -> list[int]:
    """Where the largest is and where the smallest, once if that is the same."""
    return list(dict.fromkeys([int(size.argmax()), int(size.argmin())])) if len(size) else []


def _strokes(picture: Picture) -> tuple[Column, Column]:
    """Colours ``(E, 4)`` and widths ``(E,)`` of all edges."""
    size = np.abs(picture.edges())
    part = size / size.max(initial=np.finfo(float).tiny)
    return SHADES(part), picture.diameters().max() * (THINNEST + (WIDEST - THINNEST) * part)
