"""The four figures of a pretraining run, from one row of numbers per epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from attractor.errors import InputError
from attractor.report.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    VERMILION,
    new_figure,
    percent_ticks,
    plain_ticks,
    save_figure,
    styled,
)

TERMS = {"reconstruction": BLUE, "classification": ORANGE, "prototypes": GREEN}
COLUMNS = ("epoch", "lr", *(f"{p}_{m}" for p in ("train", "val") for m in ("loss", "accuracy", *TERMS)))
_Table = dict[str, np.ndarray]


def write_training_figures(history: Sequence[Mapping[str, Any]], folder: str | Path) -> list[Path]:
    """Write the figures of a training run as PNG and PDF and return the paths of the PNGs.

    ``history`` has a row per epoch with the keys of ``COLUMNS``. Raises ``InputError`` on an empty history or
    a row that lacks one of them.
    """
    table, folder = _table(history), Path(folder)
    figures = {
        "training_losses": losses(table),
        "training_accuracy": accuracy(table),
        "training_contributions": contributions(table),
        "training_convergence": convergence(table),
    }
    return [save_figure(figure, folder, name) for name, figure in figures.items()]


def _table(history: Sequence[Mapping[str, Any]]) -> _Table:
    if not history:
        raise InputError("the training history is empty: train for at least one epoch")
    if missing := [name for name in COLUMNS if any(name not in row for row in history)]:
        raise InputError(f"the training history lacks {', '.join(missing)}: pass one full row per epoch")
    return {name: np.array([row[name] for row in history], dtype=np.float64) for name in COLUMNS}


@styled
def losses(table: _Table) -> Figure:
    """Draw the training and the validation loss per epoch."""
    figure, (axes,) = epochs_figure(1)
    line(axes, table, "train_loss", BLUE, "train")
    line(axes, table, "val_loss", VERMILION, "validation")
    best = int(np.argmin(table["val_loss"]))
    axes.plot(
        table["epoch"][best],
        table["val_loss"][best],
        "*",
        color=INK,
        markersize=12,
        label="lowest validation loss",
    )
    axes.set(ylabel="loss")
    axes.legend()
    return figure


@styled
def accuracy(table: _Table) -> Figure:
    """Draw the accuracy on training and validation images, and below it the learning rate."""
    figure, (top, bottom) = epochs_figure(2)
    line(top, table, "train_accuracy", BLUE, "train (augmented, mixed up)")
    line(top, table, "val_accuracy", VERMILION, "validation")
    line(bottom, table, "lr", PURPLE, "learning rate")
    percent_ticks(top)
    top.set(ylabel="accuracy")
    top.legend()
    bottom.set(ylabel="learning rate", ylim=(0, None))
    bottom.ticklabel_format(axis="y", style="plain")
    return figure


@styled
def contributions(table: _Table) -> Figure:
    """Draw the share of each term in the loss, training left and validation right."""
    figure = new_figure(8.5, 4.0)
    grid = figure.subplots(1, 2, sharey=True)
    for axes, part, title in zip(grid, ("train", "val"), ("train", "validation"), strict=True):
        terms = np.stack([table[f"{part}_{term}"] for term in TERMS])
        shares = terms / np.maximum(terms.sum(axis=0), 1e-12)
        base = np.zeros(len(table["epoch"]))
        for (term, colour), share in zip(TERMS.items(), shares, strict=True):
            axes.bar(table["epoch"], share, width=1.0, bottom=base, color=colour, alpha=0.85, label=term)
            base = base + share
        axes.set(title=title, xlabel="epoch", ylim=(0, 1))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        percent_ticks(axes)
    grid[0].set_ylabel("share of the loss")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@styled
def convergence(table: _Table) -> Figure:
    """Draw how far validation loss and accuracy are from their best; a flat end near zero has converged."""
    figure, (top, bottom) = epochs_figure(2)
    loss, best_loss = table["val_loss"], table["val_loss"].min()
    best_accuracy = table["val_accuracy"].max()
    excess = {"excess": 100 * (loss - best_loss) / max(abs(best_loss), 1e-12), "epoch": table["epoch"]}
    missing = {"missing": 100 * (best_accuracy - table["val_accuracy"]), "epoch": table["epoch"]}
    line(top, excess, "excess", VERMILION, "validation loss")
    line(bottom, missing, "missing", BLUE, "validation accuracy")
    # Linear below 0.1 so that the best epoch itself, at zero, stays on the axis.
    for axes, ylabel in ((top, "loss above best (%)"), (bottom, "accuracy below best\n(percentage points)")):
        axes.set_yscale("symlog", linthresh=0.1)
        axes.set(ylabel=ylabel, ylim=(0, None))
        plain_ticks(axes, "y")
    for axes, best in ((top, np.argmin(loss)), (bottom, np.argmax(table["val_accuracy"]))):
        axes.axvline(table["epoch"][best], color=GREY, linestyle="--", linewidth=1.2, label="best epoch")
        axes.legend(loc="lower left")
    return figure


def epochs_figure(rows: int) -> tuple[Figure, np.ndarray]:
    """Return a figure of ``rows`` panels over the same epochs, and its axes."""
    figure = new_figure(7.5, 4.2 if rows == 1 else 5.6)
    grid = figure.subplots(rows, 1, squeeze=False, sharex=True)[:, 0]
    grid[-1].set_xlabel("epoch")
    grid[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure, grid


def line(axes: Axes, table: Mapping[str, np.ndarray], name: str, colour: str, label: str) -> None:
    """Draw one column of a history, its epochs marked where they are few."""
    marker = "o" if len(table["epoch"]) < 15 else ""
    axes.plot(table["epoch"], table[name], color=colour, marker=marker, markersize=4, label=label)
