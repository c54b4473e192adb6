"""``attractor nodes explain``: where the energy of a node comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from attractor.cli.arguments import DATA, GRAPH, find_graph
from attractor.cli.output import print_explanations
from attractor.files import require_writable

if TYPE_CHECKING:
    from attractor.tasks.nodes.explanation import NodeExplanation


def explain(
    model_dir: Path = typer.Argument(help="Folder that `attractor nodes fit` wrote.", show_default=False),
    graph: str = GRAPH,
    nodes: list[str] = typer.Argument(help="Ids of the nodes, or their numbers from 0.", show_default=False),
    output: Path = typer.Option(..., "--output", "-o", help="Folder for pictures and numbers.", show_default=False),
    top: int = typer.Option(10, min=1, help="Neighbours, memories and features named one by one."),
    data: Path | None = DATA,
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Split the energy of nodes by neighbour and by memory, and draw it."""
    from attractor.report.nodes import write_explanations
    from attractor.tasks import NodeAnomalyDetector
    from attractor.tasks.nodes.explanation import explain_nodes

    require_writable(output)
    detector = NodeAnomalyDetector.load(model_dir)
    found = find_graph(graph, data)
    numbers = [found.number(name) for name in dict.fromkeys(nodes)]
    explanations = explain_nodes(detector, found, numbers, top)
    pictures = write_explanations(explanations, output)
    print_explanations(explanations, table, pictures, as_json)


def table(explanation: NodeExplanation) -> str:
    """What a person reads of one node: neighbours and memories, which add up to the energy."""
    from attractor.report.nodes.figure import headline, part

    e = explanation
    rows = [("neighbour", "energy", "score", "above")]
    for n in e.neighbours:
        rows.append((f"{n.name} {n.relation}", f"{n.energy:.4g}", f"{n.score:.4g}", part(n.rank)))
    if e.other_neighbours.count:
        rows.append((f"{e.other_neighbours.count:,} others", f"{e.other_neighbours.energy:.4g}", "", ""))
    rows.append(("memories", f"{e.memory[-1]:.4g}", "", ""))
    width = max(len(name) for name, *_ in rows)
    return "\n".join([headline(e), *(f"  {a:<{width}}{b:>12}{c:>12}{d:>10}".rstrip() for a, b, c, d in rows)])
