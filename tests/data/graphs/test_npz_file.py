"""NumPy archives: the spellings that are read, and files that nobody should trust."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from attractor.data.graphs import npz_file
from attractor.data.graphs.node_reading import as_node_graph
from refusals import refusal

X = np.arange(6).reshape(3, 2)
EDGES = np.array([[0, 1], [1, 2]])
GRAPH = {"x": X, "edge_index": EDGES, "y": np.array([0, 1, 0])}


def saved(path: Path, save=np.savez_compressed, **arrays: np.ndarray) -> Path:
    save(path / "g.npz", **arrays)
    return path / "g.npz"


def member(shape: tuple[int, ...], content: bytes = b"", descr: str = "<f4") -> bytes:
    """An ``.npy`` whose header declares ``shape``, whatever follows it."""
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": descr})
    return file.getvalue() + content


def packed(path: Path, **members: bytes) -> Path:
    saved(path, **{name: array for name, array in GRAPH.items() if name not in members})
    with zipfile.ZipFile(path / "g.npz", "a") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path / "g.npz"


def refused(path: Path, *said: str) -> None:
    with refusal(str(path), *said):
        as_node_graph(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["<f8", "<f2", ">f4", "<i8", "|u1", "|b1"])
def test_features_of_any_kind_of_number(tmp_path: Path, save, dtype: str) -> None:
    graph = as_node_graph(saved(tmp_path, save, **{**GRAPH, "x": X.astype(dtype)}))
    assert np.array_equal(graph.x, X.astype(dtype).astype(np.float32)) and graph.y.tolist() == [0, 1, 0]
    assert np.array_equal(graph.relations["edges"], EDGES)


def test_labels_count_where_they_are_labelled(tmp_path: Path) -> None:
    y, labelled = np.array([7.0, 1.0, np.nan]), np.array([False, True, False])
    assert as_node_graph(saved(tmp_path, **{**GRAPH, "y": y}, labelled=labelled)).y.tolist() == [-1, 1, -1]


def test_one_array_a_relation(tmp_path: Path) -> None:
    graph = as_node_graph(saved(tmp_path, x=X, edge_index_upu=EDGES, edge_index_usu=EDGES[::-1].astype(np.int32)))
    assert graph.y is None and list(graph.relations) == ["upu", "usu"]
    assert np.array_equal(graph.relations["usu"], EDGES[::-1])


def test_the_spelling_of_tolokers(tmp_path: Path) -> None:
    masks = np.array([object()])  # which nobody asked for, and nobody unpacks
    path = saved(tmp_path, node_features=X, node_labels=GRAPH["y"], edges=EDGES.T, train_masks=masks)
    graph = as_node_graph(path)
    assert np.array_equal(graph.relations["edges"], EDGES) and graph.y.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    "name, nodes, edges, anomalies, labelled",
    [("amazon-upu", 10224, 351216, 693, 7929), ("tolokers", 11758, 519000, 2566, 11758)],
)
def test_the_shared_sets(shared_data: Path, name: str, nodes: int, edges: int, anomalies: int, labelled: int) -> None:
    graph = as_node_graph(shared_data / "graphs" / f"{name}.npz")
    assert graph.nodes == nodes and graph.relations["edges"].shape == (2, edges)
    assert (graph.y == 1).sum() == anomalies and (graph.y >= 0).sum() == labelled


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"x": np.array([[1.0, np.nan], [0, 0], [0, 0]])}, ("features of node 0", "not finite")),
        ({"x": np.array([[1.0, 1e300], [0, 0], [0, 0]])}, ("features of node 0", "not finite")),
        ({"x": np.array([1.0, 2, 3])}, ("x must be", "(3,)")),
        ({"x": np.array([["a", "b"]] * 3)}, ("x", "not numbers")),
        ({"edge_index": np.array([[0, 1], [1, 3]])}, ("edges", "node 3", "0 to 2")),
        ({"edge_index": np.array([[0, 1], [1, -1]], np.int32)}, ("edges", "node -1")),
        ({"edge_index": EDGES[0]}, ("edges", "(2, edges)")),
        ({"edge_index": EDGES * 0.5}, ("edges", "whole numbers")),
        ({"y": np.array([0, 1])}, ("y must be", "(2,)")),
        ({"y": np.array([0, 1, 2])}, ("y must be 1 (anomalous)", "not 2")),
        ({"y": np.array([0, 1, 0.5])}, ("y must be 1 (anomalous)", "not 0.5")),
        ({"y": np.ones((3, 2))}, ("y", "one-hot")),
        ({"labelled": np.array([True])}, ("labelled", "(1,)")),
    ],
)
def test_arrays_that_make_no_graph(tmp_path: Path, changed: dict[str, np.ndarray], said: tuple[str, ...]) -> None:
    refused(saved(tmp_path, **{**GRAPH, **changed}), *said)


@pytest.mark.parametrize("missing", ["x", "edge_index"])
def test_what_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    refused(saved(tmp_path, **{name: array for name, array in GRAPH.items() if name != missing}), missing)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    refused(saved(tmp_path, **{**GRAPH, "x": np.array([["a", None]] * 3, dtype=object)}), "x.npy", "objects")


@pytest.mark.parametrize("shape", [(2**40, 25), (2**62, 4), (4, 2), (2, 2)])
def test_headers_that_lie_about_the_size(tmp_path: Path, shape: tuple[int, ...]) -> None:
    refused(packed(tmp_path, x=member(shape, b"\0" * 24)), "x.npy", "declares")


def test_archives_that_would_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, x=np.zeros((2**14, 2)), edge_index_a=EDGES, masks=np.zeros(2**20))
    assert path.stat().st_size < 2**14 and as_node_graph(path).nodes == 2**14
    monkeypatch.setattr(npz_file, "LIMIT", 2**18)  # x alone is as much, the masks do not count
    refused(path, "refused")


def test_cut_and_damaged_archives(tmp_path: Path) -> None:
    path = saved(tmp_path, **GRAPH)
    content = path.read_bytes()
    for size in range(0, len(content), 37):
        path.write_bytes(content[:size])
        refused(path)
    path.write_bytes(content[:90] + b"\xff\xff\xff\xff" + content[94:])
    refused(path)
