"""Figures made of images: reconstructions beside originals, and heat maps on one scale for the data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure

from attractor.report.style import ANOMALOUS, NORMAL, SKY, new_figure, short, styled
from attractor.tasks.detection.evaluation import Evaluation, Example

HEAT_MAP = colormaps["inferno"]
_Panel = Callable[[Axes, Example], None]


@styled
def reconstructions(evaluation: Evaluation) -> Figure | None:
    """Draw original | reconstruction | absolute difference, both classes; ``None`` without any."""
    blocks = _spread(evaluation, lambda e: e.reconstruction is not None)
    if not blocks:
        return None
    # One scale for all rows, else the harmless difference of a normal image would look as bright as a defect.
    brightest = max(1.0, max(float(np.quantile(difference(e), 0.999)) for rows in blocks.values() for e in rows))
    panels: list[tuple[str, _Panel]] = [
        ("original", lambda axes, e: show(axes, e.original)),
        ("reconstruction", lambda axes, e: show(axes, np.asarray(e.reconstruction))),
        ("difference", lambda axes, e: show(axes, HEAT_MAP(difference(e) / brightest)[..., :3])),
    ]
    return _rows(blocks, panels, (0, brightest), "absolute difference (grey levels of 255)")


@styled
def heat_maps(evaluation: Evaluation) -> Figure | None:
    """Draw original | heat | ground truth, all heat on one scale; ``None`` where no example has heat."""
    blocks = _spread(evaluation, lambda e: e.heat is not None)
    if not blocks:
        return None
    limits = heat_limits(evaluation)
    panels: list[tuple[str, _Panel]] = [
        ("original", lambda axes, e: show(axes, e.original)),
        ("heat", lambda axes, e: show(axes, overlay(e.original, np.asarray(e.heat), limits))),
    ]
    if any(e.mask is not None for rows in blocks.values() for e in rows):
        panels.append(("ground truth", _show_outline))
    return _rows(blocks, panels, limits, f"heat of {short(evaluation.heat_of)} (its units, one scale for all images)")


def difference(example: Example) -> np.ndarray:
    """Return the mean absolute difference over channels, ``(H, W)`` in grey levels of 255."""
    rebuilt = np.asarray(example.reconstruction, dtype=np.float32)
    return np.abs(example.original - rebuilt).mean(axis=-1)


def heat_limits(evaluation: Evaluation) -> tuple[float, float]:
    """Return the colour scale of the data set, else the range over the examples."""
    heats = [e.heat for e in evaluation.examples if e.heat is not None]
    return evaluation.heat_limits or (min(float(h.min()) for h in heats), max(float(h.max()) for h in heats))


def overlay(original: np.ndarray, heat: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Return the grey image ``(H, W, C)`` under its heat ``(H, W)``, opaque where hot, uint8 ``(H, W, 3)``."""
    low, high = limits
    heat = np.clip((heat - low) / max(high - low, 1e-12), 0, 1)
    opacity = 0.85 * heat[..., None] ** 0.7
    grey = 0.8 * original.mean(axis=-1, keepdims=True) / 255  # dimmed: white must not pass for hot
    return np.uint8(255 * (opacity * HEAT_MAP(heat)[..., :3] + (1 - opacity) * grey))


def _spread(evaluation: Evaluation, drawable: Callable[[Example], bool]) -> dict[int, list[Example]]:
    """By class, where there are any, the examples spread from its highest score to its lowest."""
    pictures = {label: evaluation.pictures(places) for label, places in enumerate(evaluation.showing.spread)}
    return {label: rows for label, found in pictures.items() if (rows := [e for e in found if drawable(e)])}


def _rows(
    blocks: dict[int, list[Example]], panels: Sequence[tuple[str, _Panel]], limits: tuple[float, float], scale: str
) -> Figure:
    """Lay out normal examples left and anomalous ones right, one a row, with the colour scale below."""
    height = max(len(rows) for rows in blocks.values())
    figure = new_figure(1.5 * len(panels) * len(blocks) + 0.3, 1.5 * height + 1.2)
    above, below = figure.subfigures(2, 1, height_ratios=[1.5 * height + 0.6, 0.6], squeeze=False)[:, 0]
    parts = above.subfigures(1, len(blocks), squeeze=False)[0]
    for part, (label, rows) in zip(parts, blocks.items(), strict=True):
        part.suptitle(("normal", "anomalous")[label], color=(NORMAL, ANOMALOUS)[label], fontweight="bold")
        _block(part.subplots(height, len(panels), squeeze=False), rows, panels)
    _colour_bar(below, limits, scale)
    return figure


def _block(grid: np.ndarray, rows: Sequence[Example], panels: Sequence[tuple[str, _Panel]]) -> None:
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (title, _) in zip(grid[0], panels, strict=True):
        axes.set_title(title, fontsize=10, fontweight="normal", loc="center")
    for line, example in zip(grid, rows, strict=False):
        for axes, (_, draw) in zip(line, panels, strict=True):
            draw(axes, example)


def _colour_bar(part: SubFigure, limits: tuple[float, float], label: str) -> None:
    left, middle, right = part.subplots(1, 3, width_ratios=[1, 2, 1])
    left.set_axis_off()
    right.set_axis_off()
    bar = part.colorbar(ScalarMappable(Normalize(*limits), HEAT_MAP), cax=middle, orientation="horizontal")
    bar.set_label(label, fontsize=10)


def show(axes: Axes, image: np.ndarray) -> None:
    """Draw in a square view, so that images of any shape stand in line."""
    height, width = image.shape[:2]
    x, y, half = (width - 1) / 2, (height - 1) / 2, max(height, width) / 2
    axes.imshow(image)
    axes.set(xlim=(x - half, x + half), ylim=(y + half, y - half))


def _show_outline(axes: Axes, example: Example) -> None:
    """Draw the true outline; a normal image has none, an anomalous image without a mask is left out."""
    if example.mask is not None or example.label == 0:
        show(axes, example.original)
    if example.mask is not None and example.mask.any():
        axes.contour(example.mask, levels=[0.5], colors=[SKY], linewidths=1.5)
