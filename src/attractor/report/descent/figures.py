"""The figures of a descent: energy, norms of tokens, where tokens look, and the memories that pull them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from attractor.report.descent.pictures import Descent, enlarged, pixels
from attractor.report.pictures import HEAT_MAP
from attractor.report.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, new_figure, styled

PARTS = {"total": BLUE, "attention": GREEN, "memory": ORANGE}
MEMORIES = 8  # shown of each token


@styled
def energy(descent: Descent) -> Figure:
    """Draw how far the energy and its parts have fallen at every state, and below it the norm of the force."""
    figure = new_figure(8, 6.4)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    for name, colour in PARTS.items():
        start, end = descent.energies[name][[0, -1]]
        label = f"{name}, {start:,.1f} to {end:,.1f}"
        by_block(top, descent, descent.falls[name], colour, label, linestyle="-" if name == "total" else "--")
    by_block(bottom, descent, descent.forces, PURPLE, "force")
    of_block = "of the block" if descent.blocks[-1] else "of the descent"
    top.set(ylabel=f"energy since the start {of_block}", title="Energy")
    top.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    top.legend()
    bottom.set(ylabel="|dE/dg|", xlabel="step", ylim=(0, None), title="Force")
    for axes in (top, bottom):
        mark_blocks(axes, descent)
    return figure


def by_block(axes: Axes, descent: Descent, values: np.ndarray, colour: str, label: str, linestyle: str = "-") -> None:
    """Draw values over states, the line broken where one block hands over to the next."""
    edges = [0, *(seam + 1 for seam in descent.walk.trace.seams), len(values)]
    for first, last in pairwise(edges):
        states = np.arange(first, last)
        axes.plot(states, values[first:last], linestyle, color=colour, marker="o", markersize=4, label=label)
        label = "_"  # one entry in the legend


def mark_blocks(axes: Axes, descent: Descent) -> None:
    """Draw a line between blocks, and whole numbers of steps."""
    for seam in descent.walk.trace.seams:
        axes.axvline(seam + 0.5, color=GREY, linestyle=":", linewidth=1.2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


@styled
def norms(descent: Descent) -> Figure:
    """Draw norm and movement of every token at every state; hidden patches on top, then given ones, CLS last."""
    hidden, given = np.flatnonzero(descent.hidden), np.flatnonzero(~descent.hidden)
    order = np.array([*(1 + hidden), *(1 + given), 0])
    figure = new_figure(9, 5.6)
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, values, title in ((left, descent.norms, "Norm |x|"), (right, descent.moves[1:], "Movement |Δx|")):
        first = len(descent.norms) - len(values)  # state 0 has no movement
        extent = (first - 0.5, len(descent.norms) - 0.5, len(order) - 0.5, -0.5)
        scale = Normalize(values.min(), np.quantile(values, 0.99)) if values.size else None  # outliers may go beyond
        image = axes.imshow(values[:, order].T, HEAT_MAP, scale, aspect="auto", extent=extent, interpolation="nearest")
        axes.axhline(len(hidden) - 0.5, color=SKY, linewidth=1.5)
        axes.set(title=title, xlabel="step")
        axes.grid(visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.colorbar(image, ax=axes, extend="max")
    middles = {"hidden": (len(hidden) - 1) / 2, "given": len(hidden) + (len(given) - 1) / 2, "CLS": len(order) - 1}
    counts = {"hidden": len(hidden), "given": len(given), "CLS": 1}
    shown = [name for name, count in counts.items() if count]
    left.set_yticks([middles[name] for name in shown], [f"{name} ({counts[name]})" for name in shown])
    return figure


@styled
def attention(descent: Descent) -> Figure:
    """Draw where a few hidden patches look at the first, middle and last state, all on one scale."""
    states = list(dict.fromkeys([0, (len(descent.frames) - 1) // 2, len(descent.frames) - 1]))
    patches = descent.watched()
    maps = {state: descent.attention(state)[:, 1:] for state in states}
    brightest = max(float(maps[state][1 + patch].max()) for state in states for patch in patches)
    height, width = descent.image.shape[:2]
    figure = new_figure(2.5 * len(states) + 1.2, 2.55 * min(2.0, height / width) * len(patches) + 0.4)
    grid = figure.subplots(len(patches), len(states), squeeze=False)
    for line, patch in zip(grid, patches, strict=True):
        for axes, state in zip(line, states, strict=True):
            axes.imshow(descent.on_picture(state, maps[state][1 + patch], (0, brightest)))
            outline(axes, descent, patch)
            axes.set_axis_off()
    for axes, state in zip(grid[0], states, strict=True):
        axes.set_title(f"step {state}", loc="center", fontweight="normal")
    scale = figure.colorbar(ScalarMappable(Normalize(0, brightest), HEAT_MAP), ax=grid.ravel().tolist(), shrink=0.6)
    scale.set_label("share of the attention, mean of the heads")
    return figure


def outline(axes: Axes, descent: Descent, patch: int) -> Rectangle:
    """Mark a patch on an enlarged picture."""
    side = descent.patch * (enlarged(descent.image).shape[0] // descent.image.shape[0])
    row, column = descent.corner(patch)
    corner = (column * side - 0.5, row * side - 0.5)
    line = min(2.5, 40 / max(descent.grid))  # thinner where patches are small, which it would else cover
    rectangle = Rectangle(corner, side, side, fill=False, edgecolor=SKY, linewidth=line)
    axes.add_patch(rectangle)
    return rectangle


@styled
def memories(descent: Descent) -> Figure:
    """Draw, for a few hidden patches, what their tokens show and which memories pull them most, first and last."""
    rows = [(patch, state) for patch in descent.watched() for state in sorted({0, len(descent.frames) - 1})]
    figure = new_figure(0.95 * (2 + MEMORIES), 1.15 * len(rows) + 0.2)
    axes = figure.subplots()  # one for all tiles: laying out dozens takes seconds
    for y, (patch, state) in enumerate(rows):
        for x, (tile, text) in enumerate(_memory_row(descent, patch, state)):
            axes.imshow(tile, extent=(x, x + 0.9, 1.2 * y + 0.9, 1.2 * y), interpolation="nearest")
            axes.text(x + 0.45, 1.2 * y - 0.05, text, ha="center", fontsize=10)
    axes.set(xlim=(0, 1.9 + MEMORIES), ylim=(1.2 * len(rows) - 0.25, -0.25), aspect="equal")
    axes.set_axis_off()
    return figure


def _memory_row(descent: Descent, patch: int, state: int) -> Iterator[tuple[np.ndarray, str]]:
    """The picture with the patch left bright, what the patch shows, and memories with their pull."""
    p, (row, column) = descent.patch, descent.corner(patch)
    place = np.s_[row * p : (row + 1) * p, column * p : (column + 1) * p]
    picture = descent.frames[state] // 3
    picture[place] = descent.frames[state][place]
    yield picture, f"step {state}"
    yield descent.readings[state][place], "shows"
    indices, strengths = descent.walk.memories(state, descent.sample, MEMORIES)
    drawn = pixels(descent.walk.memory_patches(descent.blocks[state])[indices[1 + patch]])
    for memory, strength in zip(drawn, strengths[1 + patch].tolist(), strict=True):
        if strength > 0:  # the others are the strongest of those that do not pull at all
            yield memory, f"{strength:.3g}"
