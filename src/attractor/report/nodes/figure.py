"""A node explained in one figure: whom it sees, what its energy is made of, its descent, and its features."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from attractor.percent import percent
from attractor.report.nodes.ring import SHOWN, beyond, draw_ring
from attractor.report.style import BLUE, GREEN, INK, ORANGE, new_figure, short, styled
from attractor.tasks.nodes.explanation import NodeExplanation

MEMORIES = 3  # of them named: they have no meaning of their own


class Bar(NamedTuple):
    """What one by name or several add to the energy."""

    label: str
    energy: float
    colour: str
    several: bool = False


@styled
def draw_explanation(explanation: NodeExplanation) -> Figure:
    """Draw a node among its neighbours, the largest parts of its energy, the energy along the descent, its features.

    There is room for ten neighbours and ten features; the other neighbours are drawn as one.
    """
    figure = new_figure(12.5, 9.4)
    figure.suptitle(headline(explanation), x=0.01, ha="left", fontsize=13, fontweight="bold")
    panels: Any = figure.subfigures(2, 2, height_ratios=[1.7, 1])  # each laid out by itself
    ring, parts, descent, features = (panel.subplots() for panel in panels.flat)
    draw_ring(ring, explanation)
    _draw_parts(parts, bars(explanation))
    _draw_descent(descent, explanation)
    _draw_features(features, explanation)
    return figure


def headline(explanation: NodeExplanation) -> str:
    """Say in a line what a node is: its score, its place among all, its energy, and how many it sees."""
    seen = len(explanation.neighbours) + explanation.other_neighbours.count
    return (
        f"Node {explanation.name}: score {explanation.score:.4g}, above {part(explanation.rank)} of the nodes, "
        f"p = {explanation.p_value:.2g}; energy {explanation.energy:.4g}; "
        f"{seen:,} neighbour{'' if seen == 1 else 's'}"
    )


def part(rank: float) -> str:
    """A rank in percent, rounded down: nothing is above all nodes."""
    return percent(math.floor(1000 * rank + 1e-9) / 1000)


def bars(explanation: NodeExplanation) -> list[Bar]:
    """Neighbours, then memories, of each the largest and what is left: the whole energy."""
    e, others = explanation, beyond(explanation)
    shown = [Bar(short(f"node {n.name} {n.relation}"), n.energy, GREEN) for n in e.neighbours[:SHOWN]]
    if others.count:
        shown.append(Bar(f"other neighbours ({others.count:,})", others.energy, GREEN, several=True))
    named = e.memories[:MEMORIES]
    shown += [Bar(f"memory {m.memory}" + f", member {m.member}" * (e.members > 1), m.energy, ORANGE) for m in named]
    left = len(e.memories) - len(named) + e.other_memories.count
    return [
        *shown,
        Bar(f"other memories ({left:,})", e.memory[-1] - sum(m.energy for m in named), ORANGE, several=True),
    ]


def _draw_parts(axes: Axes, shown: list[Bar]) -> None:
    axes.invert_xaxis()  # what holds the node where it is lowers the energy, and is drawn to the right
    _bars(axes, [bar.label for bar in shown], [bar.energy for bar in shown], [bar.colour for bar in shown])
    for patch, bar in zip(axes.patches, shown, strict=True):
        patch.set(alpha=0.5 if bar.several else 1, hatch="///" if bar.several else None)
    axes.set(title="What its energy is made of", xlabel="energy")


def _draw_descent(axes: Axes, explanation: NodeExplanation) -> None:
    attention, memory = np.array(explanation.attention), np.array(explanation.memory)
    parts = {"total": (BLUE, attention + memory), "attention": (GREEN, attention), "memory": (ORANGE, memory)}
    for name, (colour, energy) in parts.items():
        label = f"{name}, {energy[0]:,.4g} to {energy[-1]:,.4g}"
        axes.plot(energy - energy[0], "-o" if name == "total" else "--o", color=colour, markersize=4, label=label)
    axes.set(title="Its energy along the descent", xlabel="step", ylabel="energy since the start")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def _draw_features(axes: Axes, explanation: NodeExplanation) -> None:
    shown = explanation.features[:SHOWN]
    _bars(axes, [short(feature.name) for feature in shown], [feature.value for feature in shown], [BLUE] * len(shown))
    axes.set(title="Features that stand out", xlabel="standard deviations from the mean")


def _bars(axes: Axes, labels: list[str], values: list[float], colours: list[str]) -> None:
    """Horizontal bars from the top down, the value at the end of each."""
    drawn = axes.barh(np.arange(len(values)), values, height=0.64, color=colours)
    axes.bar_label(drawn, [f"{value:.3g}" for value in values], padding=4, fontsize=10)
    axes.set_yticks(np.arange(len(values)), labels)
    axes.axvline(0, color=INK, linewidth=1)
    axes.grid(axis="y", visible=False)
    axes.set_ylim(max(len(values), 8) - 0.4, -0.6)
    axes.margins(x=0.16)
