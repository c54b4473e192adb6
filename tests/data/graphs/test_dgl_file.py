"""Files of DGL: the writer here is byte for byte DGL 2.1's, whose own files the hashes are of."""

import hashlib
import random
import struct
from pathlib import Path

import dgl_writer
import numpy as np
import pytest
import torch

from attractor.data.graphs.dgl_file import ARRAY, COO, GRAPH, HEAD, read_dgl
from attractor.data.graphs.node_reading import as_node_graph
from attractor.errors import InputError
from refusals import refusal

EDGES = np.array([[0, 1, 2, 4, 0], [1, 2, 0, 3, 4]])
X = np.arange(15, dtype=np.float32).reshape(5, 3) / np.float32(7)
Y = np.array([0, 1, 0, 0, 1])
DATA = {"label": Y, "feature": X.astype(np.float64)}

# SHA-256, from byte 4096 on, of what dgl.save_graphs 2.1.0 writes for this very graph
WRITTEN = {
    ("coo", "<i8"): "7160f9e7370a9006d771dfcdf88644614cc04893818818eea615a1ac9d3757ae",
    ("csr", "<i4"): "5a51cff11843dca8262041ca11a9c2978ddfd73d8177bd412d4280a1de66830f",
    ("csc", "<i8"): "139ec33caa2a3b192e4bee8f47d1fe05d6c68a75d44fc9f1b244cbeb730810a1",
}


def pairs(index: torch.Tensor) -> list[tuple[int, ...]]:
    return sorted(map(tuple, index.T.tolist()))


def refused(path: Path, *said: str) -> None:
    with refusal(str(path), *said):
        as_node_graph(path)


@pytest.mark.parametrize("form, dtype", WRITTEN)
def test_the_writer_writes_what_dgl_writes(tmp_path: Path, form: str, dtype: str) -> None:
    path = dgl_writer.write(tmp_path / "g", 5, EDGES, DATA, form=form, dtype=dtype)
    assert hashlib.sha256(path.read_bytes()[HEAD:]).hexdigest() == WRITTEN[form, dtype]


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("dtype", ["<i4", "<i8"])
@pytest.mark.parametrize("form", ["coo", "csr", "csc"])
def test_every_format_of_every_version(tmp_path: Path, form: str, dtype: str, old: bool) -> None:
    graph = as_node_graph(dgl_writer.write(tmp_path / "g", 5, EDGES, DATA, form=form, dtype=dtype, old=old))
    assert pairs(graph.relations["edges"]) == sorted(map(tuple, EDGES.T.tolist()))
    assert graph.relations["edges"].dtype == (torch.int32 if dtype == "<i4" else torch.int64)
    assert torch.equal(graph.x, torch.from_numpy(X)) and graph.y.tolist() == Y.tolist()


@pytest.mark.parametrize("kind", [np.float32, np.int64, np.uint8])
def test_labels_that_are_one_hot(tmp_path: Path, kind: type) -> None:
    data = {"feature": X, "label": np.eye(2, dtype=kind)[Y]}
    assert as_node_graph(dgl_writer.write(tmp_path / "tfinance", 5, EDGES, data)).y.tolist() == Y.tolist()


def test_labels_may_be_absent_and_other_data_is_left(tmp_path: Path) -> None:
    graph = as_node_graph(dgl_writer.write(tmp_path / "g", 5, EDGES, {"mask": Y.astype(np.uint8), "feature": X}))
    assert graph.y is None and torch.equal(graph.x, torch.from_numpy(X))


def test_several_relations_keep_their_names(tmp_path: Path) -> None:
    relations = {"net_a": dgl_writer.relation(5, EDGES), "net_b": dgl_writer.relation(5, EDGES[::-1], "csr")}
    (tmp_path / "g").write_bytes(dgl_writer.file(dgl_writer.graph(5, relations, DATA)))
    found = as_node_graph(tmp_path / "g").relations
    assert pairs(found["net_a"]) == pairs(found["net_b"].flip(0)) == sorted(map(tuple, EDGES.T.tolist()))


def test_arrays_stay_in_the_file_until_they_are_converted(tmp_path: Path) -> None:
    raw = read_dgl(dgl_writer.write(tmp_path / "g", 5, EDGES, {"feature": X}))
    assert isinstance(raw.x, np.memmap) and not raw.x.flags.owndata


def test_every_cut_is_refused(tmp_path: Path) -> None:
    whole = dgl_writer.write(tmp_path / "whole", 5, EDGES, DATA).read_bytes()
    cut = tmp_path / "cut"
    needed = len(whole) - 32  # the index of graphs at the end is not read
    for size in [0, 1, 8, 100, HEAD, *range(HEAD + 1, needed, 7), needed - 1]:
        cut.write_bytes(whole[:size])
        refused(cut)


def test_lengths_beyond_the_file_are_refused_before_they_are_set_aside(tmp_path: Path) -> None:
    whole = dgl_writer.write(tmp_path / "g", 5, EDGES, DATA).read_bytes()
    shape = whole.index(struct.pack("<Q", ARRAY), whole.index(b"feature")) + 32
    for at, value in [(shape, 2**40), (shape, 2**63), (shape - 8, 2**31), (shape + 16, 2**62), (HEAD, 2**63)]:
        changed = bytearray(whole)
        size = 4 if at == shape - 8 else 8
        changed[at : at + size] = value.to_bytes(size, "little")
        (tmp_path / "g").write_bytes(changed)
        refused(tmp_path / "g")


def test_damage_is_refused_or_read_but_never_anything_else(tmp_path: Path) -> None:
    whole = dgl_writer.write(tmp_path / "g", 5, EDGES, DATA, form="csr").read_bytes()
    draw = random.Random(0)
    for _ in range(300):
        changed = bytearray(whole)
        changed[draw.randrange(HEAD, len(whole))] = draw.choice([0, 1, 127, 128, 255])
        (tmp_path / "g").write_bytes(changed)
        try:
            as_node_graph(tmp_path / "g")
        except InputError as error:
            assert str(tmp_path / "g") in str(error) and "\n" not in str(error)


def test_compressed_rows_that_wrap_around_are_refused(tmp_path: Path) -> None:
    whole = dgl_writer.write(tmp_path / "g", 5, EDGES, DATA, form="csr", dtype="<i4").read_bytes()
    indptr = np.array([0, 2, 3, 4, 4, 5], "<i4").tobytes()
    assert whole.count(indptr) == 1
    (tmp_path / "g").write_bytes(whole.replace(indptr, np.array([0, 2**31 - 1, -2, 4, 4, 5], "<i4").tobytes()))
    refused(tmp_path / "g", "do not fit")


@pytest.mark.parametrize(
    "said, change",
    [
        ("version 1", lambda b: b[:8] + struct.pack("<Q", 1) + b[16:]),
        ("no graph", lambda b: b"\0" + b[1:]),
        ("unknown DGL", lambda b: b.replace(struct.pack("<Q", GRAPH), b"\0" * 8)),
        ("unknown DGL", lambda b: b.replace(struct.pack("<Q", COO), b"\0" * 8)),
        ("no node data 'feature'", lambda b: b.replace(b"feature", b"measure")),
        ("an edge names node 99", lambda b: b.replace(EDGES[1].tobytes(), np.array([1, 2, 0, 99, 4]).tobytes())),
    ],
)
def test_other_files_are_named(tmp_path: Path, said: str, change) -> None:
    path = dgl_writer.write(tmp_path / "g", 5, EDGES, DATA)
    path.write_bytes(change(path.read_bytes()))
    refused(path, said)


def test_several_kinds_of_nodes_are_named(tmp_path: Path) -> None:
    relations = {"_E": dgl_writer.relation(5, EDGES)}
    (tmp_path / "g").write_bytes(dgl_writer.file(dgl_writer.graph(5, relations, DATA, ("user", "item"))))
    refused(tmp_path / "g", "user, item")
