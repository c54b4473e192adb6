"""``attractor graphs explain``: which nodes and edges carry the energy of a graph, and which its class rests on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from attractor.cli.arguments import DATA, GRAPHS, find_graphs
from attractor.cli.output import print_explanations
from attractor.files import require_writable

if TYPE_CHECKING:
    from attractor.tasks.graphs.explanation import GraphExplanation, NodeShare

TOP = 5  # nodes and edges that are printed; the file has all


def explain(
    model_dir: Path = typer.Argument(help="Folder that `attractor graphs fit` wrote.", show_default=False),
    graphs: str = GRAPHS,
    numbers: list[int] = typer.Argument(help="Numbers of the graphs, from 0.", show_default=False),
    output: Path = typer.Option(..., "--output", "-o", help="Folder for pictures and numbers.", show_default=False),
    data: Path | None = DATA,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Split the energy of graphs by node and by edge, leave nodes out in turn, and draw both."""
    from attractor.report.graphs import write_explanations
    from attractor.tasks import GraphClassifier
    from attractor.tasks.graphs.explanation import explain_graphs

    require_writable(output)
    classifier = GraphClassifier.load(model_dir)
    explanations = explain_graphs(classifier, find_graphs(graphs, data), list(dict.fromkeys(numbers)))
    pictures = write_explanations(explanations, output)
    print_explanations(explanations, table, pictures, as_json)


def table(explanation: GraphExplanation) -> str:
    """What a person reads of one graph: the nodes that the class rests on, and the edges that carry most."""
    from attractor.report.graphs.figure import amount, caption, headline

    e = explanation
    rows = [("node", "evidence", "energy", "attention")]
    for node in _telling(e):
        said = "" if node.evidence is None else f"{node.evidence:.3g}"
        rows.append((_name(node), said, amount(node.energy), f"{100 * node.attention:.2f} %"))
    rows.append(("edge", "", "energy", ""))
    for edge in sorted(e.edges, key=lambda edge: -abs(edge.energy))[:TOP]:
        rows.append((f"{edge.source}-{edge.target}", "", amount(edge.energy), ""))
    width = max(len(name) for name, *_ in rows)
    lines = [f"  {a:<{width}}{b:>12}{c:>12}{d:>12}".rstrip() for a, b, c, d in rows]
    return "\n".join([headline(e), *lines, *(f"  {line}" for line in caption(e, len(e.nodes)).splitlines())])


def _telling(explanation: GraphExplanation) -> list[NodeShare]:
    """The nodes of most evidence either way."""
    return sorted(explanation.nodes, key=lambda n: -abs(n.evidence or 0))[:TOP]


def _name(node: NodeShare) -> str:
    return f"{node.node}" if node.label is None else f"{node.node} (label {node.label})"
