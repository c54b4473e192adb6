"""Folders of nodes.csv and edges.csv: what they mean, and every fault by file, line and column."""

from pathlib import Path

import numpy as np
import pytest

from attractor.data.graphs.node_reading import as_node_graph
from attractor.errors import InputError
from refusals import refusal

NODES = "id,age,label,sum\nann,1,0,2.5\nbob,3,,4\ncy,5,1,6e2\n"
EDGES = "source,target\nann,bob\ncy,ann\n"


def folder(path: Path, nodes: str | bytes = NODES, edges: str | bytes = EDGES) -> Path:
    for name, content in (("nodes.csv", nodes), ("edges.csv", edges)):
        (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(path: Path, *said: str) -> None:
    with refusal(str(path), *said):
        as_node_graph(path)


def test_ids_labels_and_features_in_any_order(tmp_path: Path) -> None:
    graph = as_node_graph(folder(tmp_path), directed=True)
    assert graph.x.tolist() == [[1, 2.5], [3, 4], [5, 600]] and graph.y.tolist() == [0, -1, 1]
    assert graph.relations["edges"].tolist() == [[0, 2], [1, 0]] and graph.directed
    assert graph.ids == ("ann", "bob", "cy") and graph.columns == ("age", "sum")


def test_rows_count_where_there_are_no_ids(tmp_path: Path) -> None:
    graph = as_node_graph(folder(tmp_path, "a\n1\n2\n3\n", "target,source\n2,0\n1, 2\n"))
    assert graph.y is None and graph.relations["edges"].tolist() == [[0, 2], [2, 1]]


def test_a_label_is_one_however_its_name_is_written(tmp_path: Path) -> None:
    graph = as_node_graph(folder(tmp_path, "ID,f,Label\nann,1,0\nbob,2,1\n", "Source,TARGET\nann,bob\n"))
    assert graph.x.tolist() == [[1], [2]] and graph.y.tolist() == [0, 1]


def test_relations_are_told_apart(tmp_path: Path) -> None:
    graph = as_node_graph(folder(tmp_path, edges="source,target,relation\nann,bob,pays\ncy,ann,knows\nbob,cy,pays\n"))
    assert {name: index.tolist() for name, index in graph.relations.items()} == {
        "pays": [[0, 1], [1, 2]],
        "knows": [[2], [0]],
    }


def test_what_spreadsheets_write(tmp_path: Path) -> None:
    nodes = b'\xef\xbb\xbfid,label,"sum, total"\r\n"Ann ""A"", Jr",1.0,2\r\n\r\nbob,,3\r\n'
    graph = as_node_graph(folder(tmp_path, nodes, 'source,target\r\n"Ann ""A"", Jr",bob\r\n'))
    assert graph.y.tolist() == [1, -1] and graph.relations["edges"].tolist() == [[0], [1]]


def test_no_edges(tmp_path: Path) -> None:
    assert as_node_graph(folder(tmp_path, edges="source,target\n")).relations["edges"].shape == (2, 0)


def test_as_many_nodes_and_edges_as_written(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    ends = np.random.default_rng(1).integers(0, 500, (2, 4000))
    nodes = "\n".join(["a,b,c", *(",".join(map(repr, row)) for row in x.tolist())])
    edges = "\n".join(["source,target", *(f"{a},{b}" for a, b in ends.T)])
    graph = as_node_graph(folder(tmp_path, nodes, edges))
    assert np.array_equal(graph.x, x) and np.array_equal(graph.relations["edges"], ends)


@pytest.mark.parametrize(
    "nodes, edges, said",
    [
        ("id,a\nx,1\ny,oops\n", EDGES, ("nodes.csv, line 3", "column 'a'", "'oops'")),
        ("id,a,b\nx,1,\n", EDGES, ("nodes.csv, line 2", "column 'b'")),
        ("id,a,label\nx,1,2\n", EDGES, ("nodes.csv, line 2", "column 'label'", "'2'")),
        ("id,a\nx,1\nx,2\n", EDGES, ("nodes.csv, line 3", "'x'", "unique")),
        ("id,a\nx,1,2\n", EDGES, ("nodes.csv, line 2", "3 cells under 2 columns")),
        ("id,a,a\nx,1,2\n", EDGES, ("nodes.csv", "twice")),
        ("id,label\nx,1\n", EDGES, ("nodes.csv", "features")),
        ("id,a\n", EDGES, ("nodes.csv", "no rows")),
        ("", EDGES, ("nodes.csv", "empty")),
        (b"id,a\n\xff\xfe,1\n", EDGES, ("nodes.csv", "UTF-8")),
        ("id,a\nann,nan\nbob,1\ncy,2\n", EDGES, ("features of node 0", "not finite")),
        ("id,a\nann,1e39\nbob,1\ncy,2\n", EDGES, ("features of node 0", "not finite")),
        (NODES, "source,target\nann,bob\nann,dan\n", ("edges.csv, line 3", "'dan'")),
        (NODES, "from,to\nann,bob\n", ("edges.csv", "'source'")),
        (NODES, "source,target,relation\nann,bob,\n", ("edges.csv, line 2", "relation")),
        (NODES, "", ("edges.csv", "empty")),
        ("a\n1\n2\n", "source,target\n0,2\n", ("edges.csv, line 2", "'2'")),
    ],
)
def test_faults_are_named_by_file_line_and_column(tmp_path: Path, nodes, edges: str, said: tuple[str, ...]) -> None:
    refused(folder(tmp_path, nodes, edges), *said)


@pytest.mark.parametrize("name", ["nodes.csv", "edges.csv"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (folder(tmp_path) / name).unlink()
    refused(tmp_path, name, "missing")


def test_nodes_keep_their_ids(tmp_path: Path) -> None:
    graph = as_node_graph(folder(tmp_path))
    assert graph.ids == ("ann", "bob", "cy") and [graph.number(name) for name in graph.ids] == [0, 1, 2]
    with pytest.raises(InputError, match="no node '0'; its nodes have ids"):
        graph.number("0")
    unnamed = as_node_graph(folder(tmp_path, "a\n1\n2\n3\n", "target,source\n2,0\n"))
    assert unnamed.ids is None and unnamed.number("2") == 2
    with pytest.raises(InputError, match="no node '3'; its nodes have numbers from 0 to 2"):
        unnamed.number("3")
