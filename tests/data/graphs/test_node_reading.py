"""Graphs from objects: PyG, arrays, tensors, sparse matrices; and paths that lead nowhere."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from attractor.data.graphs.node_graph import NodeGraph
from attractor.data.graphs.node_reading import as_node_graph
from attractor.errors import InputError
from refusals import refusal

pyg = pytest.importorskip("torch_geometric.data", reason="the graphs extra is not installed")

X = torch.arange(6.0).view(3, 2)
EDGES = torch.tensor([[0, 1, 1], [1, 2, 2]])
Y = torch.tensor([0, 1, 0])


def same(graph: NodeGraph, relation: str = "edges") -> bool:
    return torch.equal(graph.x, X) and torch.equal(graph.relations[relation], EDGES)


def refused(data: object, *said: str) -> None:
    with refusal(*said):
        as_node_graph(data)


def test_a_node_graph_is_itself() -> None:
    graph = NodeGraph(X, {"a": EDGES}, directed=True)
    assert as_node_graph(graph) is graph


@pytest.mark.parametrize("y", [Y, Y.float(), Y.bool(), Y[:, None], None])
def test_data_of_pyg(y: torch.Tensor | None) -> None:
    graph = as_node_graph(pyg.Data(x=X, edge_index=EDGES, y=y), directed=True)
    assert same(graph) and graph.directed and (graph.y is None if y is None else torch.equal(graph.y, Y))


def test_heterogeneous_data_of_one_kind_of_node() -> None:
    data = pyg.HeteroData()
    data["user"].x, data["user"].y = X, Y
    data["user", "pays", "user"].edge_index = EDGES
    data["user", "knows", "user"].edge_index = EDGES.flip(0)
    graph = as_node_graph(data)
    assert same(graph, "pays") and torch.equal(graph.relations["knows"], EDGES.flip(0)) and torch.equal(graph.y, Y)
    data["item"].x = X
    refused(data, "user, item")


@pytest.mark.parametrize(
    "data",
    [
        (X, EDGES),
        (X.numpy(), EDGES.numpy(), Y.numpy()),
        [X.double(), EDGES.tolist(), Y.tolist()],
        (X.bfloat16().requires_grad_(), {"edges": EDGES}),
        {"x": X, "edge_index": EDGES},
        {"x": sparse.csr_array(X.numpy()), "edges": EDGES.T},
    ],
)
def test_arrays_tensors_and_lists(data: object) -> None:
    assert same(as_node_graph(data))


@pytest.mark.parametrize(
    "kind", [sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix, sparse.lil_matrix, sparse.dok_array]
)
def test_an_adjacency_leads_from_rows_to_columns(kind) -> None:
    adjacency = kind(np.array([[0, 2, 0], [0, 0, 1], [0, 0, 0]]))
    assert as_node_graph((X, adjacency)).relations["edges"].tolist() == [[0, 1], [1, 2]]


def test_indices_keep_their_width_and_may_be_narrow() -> None:
    kinds = {np.int32: torch.int32, np.int64: torch.int64, np.uint8: torch.int64, np.uint64: torch.int64}
    for given, kept in kinds.items():
        assert as_node_graph((X, EDGES.numpy().astype(given))).relations["edges"].dtype == kept
    assert as_node_graph((X, torch.empty(2, 0))).relations["edges"].dtype == torch.int64
    with pytest.raises(InputError, match="two of the relations 1 have one name"):
        as_node_graph((X, {1: EDGES, "1": EDGES}))


def test_what_is_read_only_is_copied() -> None:
    x = X.numpy().copy()
    x.flags.writeable = False
    graph = as_node_graph((x, EDGES))
    graph.x[0] = 9
    assert x[0, 0] == 0


@pytest.mark.parametrize(
    "data, said",
    [
        (7, ("int", "PyG Data")),
        ((X,), ("tuple",)),
        (pyg.Data(edge_index=EDGES), ("no x",)),
        (pyg.Data(x=X), ("no edges",)),
        ((X, {}), ("no edges",)),
        ({"x": X}, ("edge_index",)),
        ((X, [[0, 1], [1]]), ("edges", "different lengths")),
        ((X, EDGES + 1), ("edges", "node 3")),
        ((X, sparse.eye(4)), ("(4, 4)", "3 nodes")),
        ((X, EDGES, Y + 1), ("not 2",)),
        ((X * float("nan"), EDGES), ("node 0", "not finite")),
        ((X + 1j, EDGES), ("complex", "not numbers")),
        ((torch.empty(0, 2), EDGES[:, :0]), ("x must be",)),
        ("nowhere/graph.npz", ("nowhere/graph.npz", "no such file")),
    ],
)
def test_bad_input_is_named(data: object, said: tuple[str, ...]) -> None:
    refused(data, *said)


def test_adjacencies_that_point_outside_are_refused() -> None:
    adjacency = sparse.csr_matrix(np.eye(3))
    adjacency.indices[2] = 10**6
    refused((X, adjacency), "the graph")
    features = sparse.csr_matrix(np.eye(3))
    features.indices[2] = 10**6
    refused((features, EDGES), "the graph")


@pytest.mark.parametrize("content", [b"", b"what is this", bytes(5000)])
def test_a_file_of_no_known_kind(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "graph.bin").write_bytes(content)
    refused(tmp_path / "graph.bin", str(tmp_path / "graph.bin"), "no graph")
