"""An explained graph in one figure: what carries its energy, and what its class rests on."""

from __future__ import annotations

from matplotlib.figure import Figure

from attractor.report.graphs.layout import STARTS, network, places
from attractor.report.graphs.panels import draw_energy, draw_evidence
from attractor.report.style import new_figure, percent, short, styled
from attractor.tasks.graphs.explanation import GraphExplanation


@styled
def draw_explanation(explanation: GraphExplanation) -> Figure:
    """Draw a graph twice: its nodes and edges by their shares in the energy, and nodes by what the class owes to them.

    Of a graph of more than 500 nodes the part around those that the reader attends to most, which a line then says.
    """
    figure = new_figure(13.0, 7.6)
    figure.suptitle(headline(explanation), x=0.01, ha="left", fontsize=13, fontweight="bold")
    drawn = network(explanation)
    at = places(drawn)
    carried, owed = figure.subfigures(1, 2)  # each laid out by itself
    draw_energy(carried, drawn, at)
    draw_evidence(owed, drawn, at)
    figure.supxlabel(caption(explanation, len(drawn)), x=0.01, ha="left", fontsize=10)
    return figure


def headline(explanation: GraphExplanation) -> str:
    """Say in a line what a graph is taken for, how surely, what it is, and how large."""
    e = explanation
    known = "" if e.actual is None else ", rightly" if e.actual == e.predicted else f", but it is {short(str(e.actual))}"
    return (
        f"Graph {e.graph}: class {short(str(e.predicted))} with probability {percent(e.probability)}{known}; "
        f"{counted(len(e.nodes), 'node')}, {counted(len(e.edges), 'edge')}"
    )


def counted(count: int, what: str) -> str:
    """A number of things in words."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def caption(explanation: GraphExplanation, drawn: int) -> str:
    """Say what the energy adds up from, and what is not drawn or was not tried."""
    e = explanation
    lines = [
        f"Energy of the last block, {e.energy:,.5g}: nodes {e.energy - e.reader:,.5g}, reader {e.reader:,.5g}. "
        f"The same by edges {sum(edge.energy for edge in e.edges):,.5g}, "
        f"between nodes and reader {e.readings:,.5g}, memory {e.memory:,.5g}."
    ]
    if drawn < len(e.nodes):
        lines.append(
            f"Drawn: {drawn:,} of {len(e.nodes):,} nodes, those nearest to the {STARTS} that the reader attends to most."
        )
    if 0 < e.tried < len(e.nodes):
        lines.append(f"Left out one by one: the {e.tried:,} nodes that the reader attends to most; the others are grey.")
    return "\n".join(lines)
