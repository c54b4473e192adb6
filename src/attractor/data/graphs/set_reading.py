"""Whatever the user has (a TU archive, NetworkX graphs, PyG graphs) as one set of graphs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from attractor.data.graphs.graph_labels import classes
from attractor.data.graphs.graph_set import Carried, GraphSet
from attractor.data.graphs.networkx_graphs import from_networkx
from attractor.data.graphs.pyg_graphs import from_pyg
from attractor.data.graphs.tu import read_tu
from attractor.errors import InputError

_GIVE = "give a TU zip or folder, a list of NetworkX graphs, or PyG graphs"


def as_graph_set(
    data: Any,
    y: Iterable[Any] | None = None,
    name: str | None = None,
    carried: tuple[Carried, Carried] | None = None,
) -> GraphSet:
    """Anything that holds many graphs as a :class:`GraphSet`.

    Takes a :class:`GraphSet`; the path of a zip or folder in the TU text layout (:func:`read_tu`); NetworkX graphs
    (:func:`from_networkx`) or PyG graphs (:func:`from_pyg`) in a list, a dataset or any other iterable. ``y``, one
    class a graph (whole number or text), takes the place of what the graphs have themselves. ``name`` is what messages
    and tables call the set. ``carried``: what NetworkX graphs are to carry, as the :class:`GraphSet` fitted on has it.
    Raises :class:`InputError` on anything else.
    """
    if isinstance(data, (str, PathLike)):
        data = _from_path(Path(data).expanduser())
    if not isinstance(data, GraphSet):
        return _from_graphs(data, y, name or "graphs", carried)
    data = replace(data, name=name or data.name)
    return data if y is None else _with_classes(data, y)


def _from_path(path: Path) -> GraphSet:
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the path")
    return read_tu(path)


def _with_classes(graphs: GraphSet, y: Iterable[Any]) -> GraphSet:
    found = classes(y, graphs.name)
    if found is not None and len(found.codes) != len(graphs):
        raise InputError(f"{graphs.name}: {len(found.codes)} classes do not fit {len(graphs)} graphs")
    return replace(graphs, y=found)


def _from_graphs(data: Any, y: Iterable[Any] | None, name: str, carried: tuple[Carried, Carried] | None) -> GraphSet:
    if _kind(data):
        raise InputError(f"{name} is one graph, a {type(data).__name__}; put it in a list")
    if not hasattr(data, "__iter__") and not hasattr(data, "__getitem__"):
        raise InputError(f"{name} cannot be a {type(data).__name__}; {_GIVE}")
    graphs = list(data)
    kinds = [_kind(graph) for graph in graphs]
    if not graphs:
        raise InputError(f"{name} has no graphs; {_GIVE}")
    if None in kinds:
        number = kinds.index(None)
        raise InputError(f"{name}: number {number} is a {type(graphs[number]).__name__}, no graph; {_GIVE}")
    if len(set(kinds)) > 1:
        raise InputError(f"{name} mixes NetworkX and PyG graphs; {_GIVE}")
    return from_pyg(graphs, y, name) if kinds[0] == "PyG" else from_networkx(graphs, y, name, carried)


def _kind(graph: Any) -> str | None:
    """Told by what it has, since neither library need be there."""
    if hasattr(graph, "edge_index"):
        return None if isinstance(graph, Dataset) else "PyG"  # a dataset lends its graphs' arrays
    return "NetworkX" if hasattr(graph, "adj") and hasattr(graph, "graph") else None
