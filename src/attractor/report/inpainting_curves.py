"""The training curves of an in-painter, from one row of numbers per epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from attractor.errors import InputError
from attractor.report.history import epochs_figure, line
from attractor.report.style import BLUE, GREEN, VERMILION, save_figure, styled

MASKS = {"val_psnr_random": (GREEN, "half of the patches"), "val_psnr_block": (VERMILION, "central block")}


def write_inpainting_figure(history: Sequence[Mapping[str, Any]], folder: str | Path) -> Path:
    """Write ``training.png`` and ``.pdf`` and return the path of the first; an empty history is an ``InputError``."""
    if not history:
        raise InputError("the training history is empty: train for at least one epoch")
    return save_figure(curves(history), Path(folder), "training")


@styled
def curves(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the training loss per epoch, and below it the PSNR on validation images where there were any."""
    table = {name: np.array([row[name] for row in history], dtype=np.float64) for name in history[0]}
    shown = {name: label for name, label in MASKS.items() if name in table}
    figure, grid = epochs_figure(2 if shown else 1)
    line(grid[0], table, "train_mse", BLUE, "hidden patches, train")
    grid[0].set(ylabel="mean squared error\n(normalised pixels)")
    grid[0].legend()
    for name, (colour, label) in shown.items():
        line(grid[1], table, name, colour, label)
        grid[1].set(ylabel="PSNR (dB), validation")
        grid[1].legend()
    return figure
