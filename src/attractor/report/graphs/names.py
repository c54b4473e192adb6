"""Names of nodes: on each where they are few, else beside those that matter most."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from attractor.report.graphs.picture import Column, Picture
from attractor.report.style import INK, short

FEW = 60  # nodes up to which each is written on
NAMED = 8  # of more
HALO = withStroke(linewidth=2.5, foreground="white")
ABOVE: Any = {"ha": "center", "va": "bottom", "fontsize": 9}
APART = 24.0  # points at least between two that are named


def write_labels(axes: Axes, picture: Picture, colours: Column) -> str:
    """Write its label on every node of ``colours (N, 4)``, where they have one; else, and of many nodes, numbers.

    Returns in words what is written.
    """
    labels = [label for _, label in picture.graph.nodes(data="label")]
    if len(labels) <= FEW and any(label is not None for label in labels):
        _write_on(axes, picture, colours, ["?" if label is None else short(str(label), 6) for label in labels])
        return "on a node: its label"
    return write_numbers(axes, picture, colours, picture.nodes("attention"))


def write_numbers(axes: Axes, picture: Picture, colours: Column, weight: Column) -> str:
    """Write its number on every node of ``colours (N, 4)``; of many, beside those of most ``weight (N,)``.

    Returns in words what is written.
    """
    numbers = [str(node) for node in picture.graph]
    if len(numbers) <= FEW:
        _write_on(axes, picture, colours, numbers)
        return "on a node: its number"
    _write_beside(axes, picture, numbers, weight)
    return "beside some nodes: their numbers"


def _write_on(axes: Axes, picture: Picture, colours: Column, texts: list[str]) -> None:
    dark = colours[:, :3] @ [0.299, 0.587, 0.114] < 0.5
    for text, (x, y), size, on_dark in zip(texts, picture.xy, picture.diameters(), dark, strict=True):
        points = min(9.0, 0.6 * size, 1.4 * size / len(text))
        axes.text(x, y, text, ha="center", va="center", fontsize=points, color="white" if on_dark else INK)


def _write_beside(axes: Axes, picture: Picture, texts: list[str], weight: Column) -> None:
    size, scale = picture.diameters(), picture.scale()
    written: list[Column] = []
    for node in (-weight).argsort(kind="stable"):
        place = picture.xy[node]
        near = any(np.abs(place - other).max() * scale < APART for other in written)
        if near or not weight[node] or len(written) == NAMED:
            continue
        written.append(place)
        offset = (0, size[node] / 2 + 1)
        axes.annotate(texts[node], place, offset, textcoords="offset points", path_effects=[HALO], **ABOVE)
