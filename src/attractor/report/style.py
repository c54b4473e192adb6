"""How every figure looks, and how it reaches the disk: no pyplot, hence no global state and no display."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from attractor.files import replacing
from attractor.percent import percent

# Okabe and Ito (2008): eight colours that people with any common colour blindness tell apart.
BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
INK, GREY, PALE = "#1f2328", "#6e7781", "#d0d7de"
NORMAL, ANOMALOUS = BLUE, VERMILION
OTHERS = (GREEN, PURPLE, ORANGE, SKY, GREY)

_RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "text.color": INK,
    "text.parse_math": False,  # a folder called "$\frac" is a name, not a formula
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 2.0,
    "savefig.dpi": 160,
    "pdf.fonttype": 42,  # text in the PDF stays text
}

styled = rc_context(_RC)
"""Decorator that draws a figure in the style of the house."""


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of ``width`` by ``height`` inches that lays itself out without overlaps."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@styled
def save_figure(figure: Figure, folder: Path, name: str) -> Path:
    """Write ``name.png`` and ``name.pdf``; return the path of the PNG."""
    for suffix, metadata in (("pdf", {"CreationDate": None}), ("png", {"Software": None})):
        with replacing(folder / f"{name}.{suffix}") as temporary, warnings.catch_warnings():
            # A folder named in a script the font lacks shows as boxes here and in full on the page.
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            figure.savefig(temporary, format=suffix, metadata=metadata)
    return folder / f"{name}.png"


def short(text: str, limit: int = 28) -> str:
    """Return ``text`` on one line of at most ``limit`` characters, for a label in a figure."""
    line = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def percent_ticks(axes: Axes) -> None:
    """Label the vertical axis in percent."""
    axes.yaxis.set_major_formatter(lambda value, _: percent(value))


def plain_ticks(axes: Axes, which: str) -> None:
    """Label one axis (``"x"`` or ``"y"``) with plain numbers, on a logarithmic scale too."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(lambda value, _: "")
