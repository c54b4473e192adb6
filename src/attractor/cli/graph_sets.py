"""A set of graphs as commands take it: a path or the name of a set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from attractor.console import stderr

if TYPE_CHECKING:
    from attractor.data.graphs.graph_set import GraphSet

GRAPHS = typer.Argument(
    help="A zip or folder in the TU layout, or MUTAG, PROTEINS, NCI1, NCI109, ENZYMES, DD, Mutagenicity, FRANKENSTEIN, "
    "MNIST, CIFAR10.",
    show_default=False,
)


def find_graphs(name: str, data: Path | None) -> GraphSet:
    """Read a set of graphs and say what it is."""
    import pooch

    from attractor.data.graphs.named_sets import graph_set

    graphs = graph_set(name, data or pooch.os_cache("attractor"))
    classes = "no classes" if graphs.y is None else f"classes {', '.join(map(str, graphs.y.values))}"
    nodes = f"{int(graphs.sizes.min())} to {int(graphs.sizes.max()):,} nodes"
    stderr.print(f"{graphs.name}: {len(graphs):,} graphs of {nodes}; {classes}")
    return graphs
