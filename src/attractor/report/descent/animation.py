"""A descent as a short film: the picture fills in while the energy falls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image, ImageColor

from attractor.files import replacing
from attractor.report.descent.figures import by_block, mark_blocks, outline
from attractor.report.descent.pictures import Descent, enlarged
from attractor.report.style import BLUE, GREY, INK, PALE, SKY, VERMILION, new_figure, styled

MOST_SHOTS = 40  # of a long descent, evenly spread
SECONDS = 2.4  # from the first to the last shot
LAYOUT: Any = [["picture", "energy", "energy"], ["picture", "attention", "movement"]]
HOUSE = ("white", INK, GREY, PALE, BLUE, SKY, VERMILION)
FIRST, LAST = 700, 1600  # milliseconds for which these stand still


def write_animation(descent: Descent, path: Path) -> Path:
    """Write a GIF that loops: the picture, the energy so far, where one hidden patch looks, what moves."""
    shots = _shots(descent)
    palette = _palette(shots)
    first, *rest = [shot.quantize(palette=palette, dither=Image.Dither.NONE) for shot in shots]
    pace = round(1000 * SECONDS / len(shots) / 10) * 10  # GIF counts in hundredths of a second
    durations = [FIRST, *[pace] * (len(shots) - 2), LAST][-len(shots) :]
    with replacing(path) as temporary:
        first.save(temporary, "GIF", save_all=True, append_images=rest, duration=durations, loop=0)
    return path


def _palette(shots: list[Image.Image]) -> Image.Image:
    """256 colours for all shots, so that nothing flickers: those of the house, the rest from the pictures."""
    few = [shots[i] for i in sorted({0, len(shots) // 3, 2 * len(shots) // 3, len(shots) - 1})]
    sheet = Image.fromarray(np.concatenate([np.asarray(shot) for shot in few]))
    house = [channel for colour in HOUSE for channel in ImageColor.getrgb(colour)]
    found = sheet.quantize(256 - len(HOUSE), Image.Quantize.MAXCOVERAGE, kmeans=1).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(house + found[: 3 * (256 - len(HOUSE))])
    return palette


@styled
def _shots(descent: Descent) -> list[Image.Image]:
    states = np.unique(np.linspace(0, len(descent.frames) - 1, MOST_SHOTS).round().astype(int))
    figure = new_figure(9.6, 4.9)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplot_mosaic(LAYOUT, width_ratios=[2.1, 1, 1], height_ratios=[1, 1.15])
    (patch,) = descent.watched(1)
    maps = {state: descent.attention(state)[1 + patch, 1:] for state in states.tolist()}
    limits = {"attention": max(m.max() for m in maps.values()), "movement": descent.farthest}
    shots: list[Image.Image] = []
    for state in states.tolist():
        for part in axes.values():
            part.clear()
        _draw(axes, descent, state, patch, maps[state], limits)
        if not shots:  # laid out once, else the parts would tremble
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        canvas.draw()
        shots.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
    return shots


def _draw(
    axes: dict[str, Any], descent: Descent, state: int, patch: int, attention: np.ndarray, limits: dict[str, float]
) -> None:
    axes["picture"].imshow(enlarged(descent.frames[state]))
    axes["picture"].set_title(f"step {state} of {len(descent.frames) - 1}", loc="center")
    _energy_so_far(axes["energy"], descent, state)
    axes["attention"].imshow(descent.on_picture(state, attention, (0, limits["attention"])))
    outline(axes["attention"], descent, patch)
    axes["attention"].set_title("where this patch looks", loc="center", fontsize=10, fontweight="normal")
    axes["movement"].imshow(descent.on_picture(state, descent.moves[state, 1:], (0, limits["movement"])))
    axes["movement"].set_title("what moved in this step", loc="center", fontsize=10, fontweight="normal")
    for name in ("picture", "attention", "movement"):
        axes[name].set_axis_off()


def _energy_so_far(axes: Any, descent: Descent, state: int) -> None:
    fall = descent.falls["total"]
    by_block(axes, descent, fall, PALE, "_")
    by_block(axes, descent, np.where(np.arange(len(fall)) <= state, fall, np.nan), BLUE, "_")
    axes.plot(state, fall[state], "o", color=VERMILION, markersize=9, zorder=5)
    mark_blocks(axes, descent)
    axes.set(title=f"energy {descent.energies['total'][state]:,.1f}", yticklabels=[])
