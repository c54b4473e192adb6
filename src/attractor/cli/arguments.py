"""Graphs as commands take them: a path or the name of a set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from attractor.console import stderr

if TYPE_CHECKING:
    from attractor.data.graphs.graph_set import GraphSet
    from attractor.data.graphs.node_graph import NodeGraph

GRAPH = typer.Argument(
    help="An .npz (x, edge_index, y), .mat or DGL file; a folder of nodes.csv (id, label, features) and edges.csv "
    "(source, target); or yelp, amazon, tfinance, tsocial.",
    show_default=False,
)
GRAPHS = typer.Argument(
    help="A zip or folder in the TU layout, or MUTAG, PROTEINS, NCI1, NCI109, ENZYMES, DD, Mutagenicity, FRANKENSTEIN, "
    "MNIST, CIFAR10.",
    show_default=False,
)
DATA = typer.Option(None, help="Folder of the named sets, by default in the user's cache.")


def find_graph(name: str, data: Path | None) -> NodeGraph:
    """Read a graph and say what it is."""
    import pooch

    from attractor.data.graphs.fraud import fraud_graph

    graph = fraud_graph(name, data or pooch.os_cache("attractor"))
    relations = ", ".join(sorted(graph.relations))
    stderr.print(f"{graph.name}: {graph.nodes:,} nodes, {graph.x.shape[1]} features; relations: {relations}")
    return graph


def find_graphs(name: str, data: Path | None) -> GraphSet:
    """Read a set of graphs and say what it is."""
    import pooch

    from attractor.data.graphs.named_sets import graph_set

    graphs = graph_set(name, data or pooch.os_cache("attractor"))
    classes = "no classes" if graphs.y is None else f"classes {', '.join(map(str, graphs.y.values))}"
    nodes = f"{int(graphs.sizes.min())} to {int(graphs.sizes.max()):,} nodes"
    stderr.print(f"{graphs.name}: {len(graphs):,} graphs of {nodes}; {classes}")
    return graphs
