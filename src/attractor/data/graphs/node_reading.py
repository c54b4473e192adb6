"""Whatever the user has (a PyG graph, arrays, a file, a folder) as one graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from attractor.data.graphs.csv_folder import read_csv_folder
from attractor.data.graphs.dgl_file import read_dgl
from attractor.data.graphs.mat_file import read_mat
from attractor.data.graphs.node_graph import NodeGraph
from attractor.data.graphs.npz_file import from_names, read_npz
from attractor.data.graphs.raw import RawGraph, refusing, to_graph
from attractor.errors import InputError

_READERS: dict[str, Callable[[Path], RawGraph]] = {".npz": read_npz, ".mat": read_mat}


def as_node_graph(data: Any, *, directed: bool = False) -> NodeGraph:
    """Anything that holds one graph with features on its nodes as a :class:`NodeGraph`.

    Takes a :class:`NodeGraph` (as it is, ``directed`` too); a PyG ``Data``, or ``HeteroData`` of one kind of node; the
    path of an ``.npz``, of ``YelpChi.mat`` or ``Amazon.mat``, of a DGL file, or of a folder with ``nodes.csv`` and
    ``edges.csv``; ``(x, edges)`` or ``(x, edges, y)`` with ``edges`` an ``edge_index (2, E)``, a SciPy adjacency
    ``(N, N)`` or a dict of either by relation; a dict of arrays named as in an ``.npz``. Raises :class:`InputError`.
    """
    if isinstance(data, NodeGraph):
        return data
    if isinstance(data, (str, PathLike)):
        return _from_path(Path(data).expanduser(), directed)
    with refusing("the graph"):
        return to_graph(_from_object(data), directed=directed)


def _from_path(path: Path, directed: bool) -> NodeGraph:
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the path")
    with refusing(path):
        read = read_csv_folder if path.is_dir() else _READERS.get(path.suffix.lower(), read_dgl)
        return to_graph(read(path), directed=directed, name=str(path))


def _from_object(data: Any) -> RawGraph:
    if hasattr(data, "edge_types"):
        return _from_hetero(data)
    if hasattr(data, "edge_index"):
        return RawGraph(getattr(data, "x", None), _relations(data.edge_index), getattr(data, "y", None))
    if isinstance(data, Mapping):
        return from_names(data, "the graph")
    if isinstance(data, (tuple, list)) and len(data) in (2, 3):
        return RawGraph(data[0], _relations(data[1]), *data[2:])
    raise InputError(f"a graph cannot be a {type(data).__name__}; give a path, a PyG Data, or (x, edge_index, y)")


def _relations(edges: Any) -> Mapping[str, Any]:
    if edges is None:
        return {}
    several = isinstance(edges, Mapping) and not hasattr(edges, "tocoo")  # SciPy's dictionary of keys is an adjacency
    return edges if several else {"edges": edges}


def _from_hetero(data: Any) -> RawGraph:
    """A PyG ``HeteroData``: one kind of node, each kind of edge a relation."""
    if len(data.node_types) != 1:
        raise InputError(f"the graph has nodes of the kinds {', '.join(data.node_types)}; give a graph of one kind")
    nodes = data[data.node_types[0]]
    relations = {kind[1]: data[kind].edge_index for kind in data.edge_types}
    return RawGraph(getattr(nodes, "x", None), relations, getattr(nodes, "y", None))
