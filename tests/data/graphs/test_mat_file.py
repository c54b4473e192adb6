"""Miniatures of YelpChi.mat and Amazon.mat, laid out as the published ones."""

from pathlib import Path

import mat_writer
import numpy as np
import pytest
from scipy import sparse
from scipy.io import savemat

from attractor.data.graphs import raw
from attractor.data.graphs.node_reading import as_node_graph
from refusals import refusal

YELP = mat_writer.yelp(60)


def refused(path: Path, *said: str) -> None:
    with refusal(str(path), *said):
        as_node_graph(path)


def saved(path: Path, arrays: dict[str, object]) -> Path:
    savemat(path / "a.mat", arrays, do_compression=True)
    return path / "a.mat"


def test_yelp_has_three_relations_and_all_labels(tmp_path: Path) -> None:
    graph = as_node_graph(saved(tmp_path, YELP))
    assert list(graph.relations) == ["rur", "rtr", "rsr"]
    assert np.array_equal(graph.x, YELP["features"].toarray().astype(np.float32))
    assert np.array_equal(graph.y, YELP["label"][0])
    for name, index in graph.relations.items():
        wanted = np.stack(YELP[f"net_{name}"].nonzero())
        assert sorted(index.T.tolist()) == sorted(wanted.T.tolist())


def test_the_first_nodes_of_amazon_have_no_label(tmp_path: Path) -> None:
    arrays = mat_writer.amazon(3400)
    graph = as_node_graph(saved(tmp_path, arrays))
    assert (graph.y[:3305] == -1).all() and np.array_equal(graph.y[3305:], arrays["label"][0, 3305:])


def test_one_relation_where_there_are_no_three(tmp_path: Path) -> None:
    names = ("features", "label", "homo")
    assert list(as_node_graph(saved(tmp_path, {name: YELP[name] for name in names})).relations) == ["homo"]


@pytest.mark.parametrize("name", ["features", "label", "net_rtr"])
def test_what_is_missing_is_named(tmp_path: Path, name: str) -> None:
    refused(saved(tmp_path, {key: value for key, value in YELP.items() if key != name}), f"has no {name}")


def test_an_adjacency_of_other_nodes_is_named(tmp_path: Path) -> None:
    refused(saved(tmp_path, {**YELP, "net_rsr": sparse.eye(59, format="csc")}), "rsr", "(59, 59)", "60 nodes")


def test_features_too_wide_to_spread_out_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw, "DENSE", 60 * 32 * 4 - 1)
    refused(saved(tmp_path, YELP), "(60, 32)", "GiB")


def test_cut_and_foreign_files(tmp_path: Path) -> None:
    path = saved(tmp_path, YELP)
    content = path.read_bytes()
    for size in range(0, len(content), 500):
        path.write_bytes(content[:size])
        refused(path)
    path.write_bytes(b"MATLAB 7.3" + content[10:])
    refused(path, "-v7")
