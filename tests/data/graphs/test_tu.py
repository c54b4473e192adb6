"""The TU text layout: the published sets as PyG has them, and every fault named by file and row."""

import zipfile
from pathlib import Path
from unittest import mock

import pytest
import torch

import tu_writer
from attractor.data.graphs import tu
from attractor.data.graphs.graph_set import GraphSet
from attractor.data.graphs.tu import read_tu
from refusals import refusal
from tu_writer import TOY

PUBLISHED = {  # graphs, nodes, directed edges, numbers a node, node labels, edge labels, graphs of each class
    "MUTAG": (188, 3371, 7442, 0, 7, 4, [63, 125]),
    "ENZYMES": (600, 19580, 74564, 18, 3, 0, [100] * 6),
    "PROTEINS": (1113, 43471, 162088, 1, 3, 0, [663, 450]),
    "NCI1": (4110, 122747, 265506, 0, 37, 0, [2053, 2057]),
    "Mutagenicity": (4337, 131488, 266894, 0, 14, 3, [2401, 1936]),
    "DD": (1178, 334925, 1686092, 0, 82, 0, [691, 487]),
}


def same(one: GraphSet, other: GraphSet) -> bool:
    labels = [[*s.node_labels, *s.edge_labels, s.y] for s in (one, other)]
    arrays = ("ptr", "edge_index", "x", "edge_attr")
    return all(torch.equal(getattr(one, key), getattr(other, key)) for key in arrays) and all(
        a.named() == b.named() for a, b in zip(*labels, strict=True)
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sets_have_their_published_counts(shared_data: Path, name: str) -> None:
    graphs = read_tu(shared_data / "graphs" / f"{name}.zip")
    kinds = [sum(len(label.values) for label in labels) for labels in (graphs.node_labels, graphs.edge_labels)]
    found = len(graphs), len(graphs.x), graphs.edge_index.shape[1], graphs.x.shape[1], *kinds
    assert (*found, graphs.y.codes.bincount().tolist()) == PUBLISHED[name] and graphs.name == name


@pytest.mark.parametrize("name", ["MUTAG", "ENZYMES"])
def test_every_graph_is_as_pyg_reads_it(shared_data: Path, tmp_path: Path, name: str) -> None:
    tu_io = pytest.importorskip("torch_geometric.io.tu")
    with zipfile.ZipFile(shared_data / "graphs" / f"{name}.zip") as packed:
        packed.extractall(tmp_path)
    theirs, slices, _ = tu_io.read_tu_data(str(tmp_path / name), name)
    ours = read_tu(tmp_path / name)
    labels = [torch.nn.functional.one_hot(label.codes) for label in (*ours.node_labels, *ours.edge_labels)]
    assert torch.equal(torch.cat([ours.x, labels[0]], dim=1), theirs.x)
    assert torch.equal(ours.y.codes, theirs.y) and torch.equal(ours.ptr, slices["x"])
    first = ours.ptr[:-1].repeat_interleave(slices["edge_index"].diff())
    order = ((theirs.edge_index[1] + first) * len(ours.x) + theirs.edge_index[0]).argsort()
    assert torch.equal(ours.edge_index, (theirs.edge_index + first)[:, order])
    if ours.edge_labels:
        assert torch.equal(labels[1].float(), theirs.edge_attr[order])


def test_labels_and_attributes_of_nodes_and_edges(tmp_path: Path) -> None:
    graphs = read_tu(tu_writer.archive(tmp_path / "toy.zip", TOY))
    assert graphs.name == "TOY" and graphs.sizes.tolist() == [4, 3] and graphs.y.named() == [1, -1]
    assert graphs.node_labels[0].named() == [0, 0, 3, 0, 3, 3, 0]
    assert torch.equal(graphs.x, torch.tensor([[i + 0.5, -i / 10] for i in range(1, 8)]))
    edge = (graphs.edge_index == torch.tensor([[3], [2]])).all(dim=0)
    assert graphs.edge_attr[edge].tolist() == [[4.0]] and graphs.edge_labels[0][edge].named() == [1]


def test_a_folder_is_what_its_archive_is(tmp_path: Path) -> None:
    folder = tu_writer.folder(tmp_path / "toy", {**TOY, "label_readme": "Node labels: C, O", "graph_attributes": "?"})
    with zipfile.ZipFile(tu_writer.archive(tmp_path / "toy.zip", TOY), "a") as packed:
        packed.writestr("__MACOSX/TOY/._TOY_A.txt", b"\0\5")
    assert same(read_tu(folder), read_tu(tmp_path / "toy.zip"))


@pytest.mark.parametrize(
    "spelled",
    [
        lambda text: text.replace(",", " "),
        lambda text: text.replace(",", "\t , ").replace("\n", "\r\n"),
        lambda text: "\ufeff" + text.rstrip("\n"),
        lambda text: text + "\n\n",
    ],
)
def test_blanks_commas_and_line_ends_as_they_come(tmp_path: Path, spelled) -> None:
    folder = tu_writer.folder(tmp_path / "spelled", {what: spelled(text) for what, text in TOY.items()})
    assert same(read_tu(folder), read_tu(tu_writer.folder(tmp_path / "toy", TOY)))


def test_the_nodes_of_a_graph_need_not_stand_together(tmp_path: Path) -> None:
    place = [1, 3, 4, 6, 2, 5, 7]  # where node 1, 2, ... stand now: graphs 1 2 1 1 2 1 2
    mixed = {
        what: "".join(f"{line}\n" for _, line in sorted(zip(place, text.splitlines(), strict=True)))
        for what, text in TOY.items()
        if what in ("graph_indicator", "node_labels", "node_attributes")
    }
    ends = [[place[int(end) - 1] for end in line.split(",")] for line in TOY["A"].splitlines()]
    mixed["A"] = "".join(f"{one}, {other}\n" for one, other in ends)
    assert mixed["graph_indicator"].split() == ["1", "2", "1", "1", "2", "1", "2"]
    folder = tu_writer.folder(tmp_path / "mixed", {**TOY, **mixed})
    assert same(read_tu(folder), read_tu(tu_writer.folder(tmp_path / "toy", TOY)))


def test_only_edges_and_indicator_must_be_there(tmp_path: Path) -> None:
    bare = read_tu(tu_writer.folder(tmp_path / "bare", {what: TOY[what] for what in ("A", "graph_indicator")}))
    assert bare.y is None and bare.x.shape == (7, 0) and bare.node_labels == bare.edge_labels == ()
    dots = read_tu(tu_writer.folder(tmp_path / "dots", {"A": "", "graph_indicator": "1\n2\n2\n", "edge_labels": ""}))
    assert dots.sizes.tolist() == [1, 2] and dots.edge_index.shape == (2, 0)


def test_several_labels_and_numbers_written_with_a_point(tmp_path: Path) -> None:
    texts = {**TOY, "node_labels": "".join(f"{i % 2}, {7 - i}.0\n" for i in range(7)), "graph_labels": "1.0\n0.0\n"}
    graphs = read_tu(tu_writer.folder(tmp_path, texts))
    assert [label.named() for label in graphs.node_labels] == [[0, 1, 0, 1, 0, 1, 0], [7, 6, 5, 4, 3, 2, 1]]
    assert graphs.y.values == (0, 1)


def test_hundreds_of_attributes_and_no_label(tmp_path: Path) -> None:
    x = torch.randn(7, 780)
    texts = {what: TOY[what] for what in ("A", "graph_indicator", "graph_labels")}
    texts["node_attributes"] = "".join(", ".join(f"{value:.9g}" for value in row) + "\n" for row in x.tolist())
    graphs = read_tu(tu_writer.archive(tmp_path / "toy.zip", texts))
    assert torch.equal(graphs.x, x) and graphs.node_labels == ()


FAULTS = {
    "graph_indicator": [
        (None, "no TOY_graph_indicator.txt"),
        ("1\n1\n1\n1\n2\n2\n", "TOY_A.txt, row 11 names number 7, not one from 1 to 6"),
        ("1\n1\n1\n1\n2\n2\n3\n", "row 7 names number 3, not one from 1 to 2"),
        ("1\n1\n1\n1\n1\n1\n1\n", "gives graph 2 no nodes"),
        ("0\n1\n1\n1\n2\n2\n2\n", "row 1 names number 0"),
        ("1 1\n" * 7, "2 numbers a row; there must be 1"),
        ("1\n1\n1\n2\n2\n2\n2\n", "TOY_A.txt, row 7 joins graphs 1 and 2"),
    ],
    "A": [
        ("1, 2\n2\n", "line 2 holds something else"),
        ("1, 2\n2, one\n", "line 2 holds something else"),
        ("1, 2, 3\n", "3 numbers a row; there must be 2"),
        ("1, 2\n0, 1\n", "row 2 names number 0"),
        ("1, 2\n1.5, 2\n", "row 2 holds 1.5, no whole number"),
        ("1, 2\n1e300, 2\n", "row 2 holds 1e+300, no whole number"),
        ("1, 2\nnan, 2\n", "row 2 holds nan"),
        (b"1, 2\n\xff\xfe\0\n", "line 2 holds something else"),
    ],
    "graph_labels": [
        ("1\nactive\n", "line 2"),
        ("1, 0\n1, 1\n", "one class a graph"),
        ("0.25\n1\n", "row 1 holds 0.25"),
    ],
    "node_labels": [("0\n" * 6, "has 6 rows, but TOY_graph_indicator.txt has 7"), ("0\n" * 6 + "C\n", "line 7")],
    "node_attributes": [("0.1\n" * 6 + "inf\n", "row 7 holds a number that is not finite"), ("1\n", "has 1 rows")],
    "edge_labels": [("0\n" * 13, "has 13 rows, but TOY_A.txt has 12")],
    "edge_attributes": [("0 1\n" * 11 + "0\n", "line 12"), ("1e40\n" * 12, "row 1 holds a number that is not finite")],
}


@pytest.mark.parametrize(("what", "text", "said"), [(w, *fault) for w, faults in FAULTS.items() for fault in faults])
def test_a_fault_is_named_with_its_file_and_row(tmp_path: Path, what: str, text: str | bytes | None, said: str) -> None:
    texts = {key: value for key, value in {**TOY, what: text}.items() if value is not None}
    refused(tu_writer.folder(tmp_path, texts), said if "TOY_" in said else f"TOY_{what}.txt", said)


def refused(path: Path, *said: str) -> None:
    with refusal(str(path), *said):
        read_tu(path)


def test_archives_that_hold_no_set_or_several(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no NAME_A.txt")
    tu_writer.folder(tmp_path / "both", TOY)
    refused(tu_writer.folder(tmp_path / "both", TOY, "OTHER"), "several sets (OTHER, TOY)")


def test_archives_that_are_damaged_or_too_large(tmp_path: Path) -> None:
    path = tu_writer.archive(tmp_path / "toy.zip", TOY)
    with mock.patch.object(tu, "LIMIT", 100):
        refused(path, "refused")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(path, "cannot be read")
    place = content.index(b"TOY/TOY_A.txt") + 20
    path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
    refused(path, "cannot be read")
