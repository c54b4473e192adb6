"""Rows of nodes on miniatures: the published .mat files in their zips, files of DGL, graphs put there by hand."""

import io
from pathlib import Path

import dgl_writer
import mat_writer
import numpy as np
import pytest
from measured_parts import by_part
from miniatures import as_zip
from scipy.io import savemat

from attractor.data.graphs.fraud import fraud_graph
from attractor.errors import InputError
from attractor.tasks.nodes.evaluate import evaluate_nodes

QUICK = {"epochs": 2, "members": 1}


def as_published(path: Path, member: str, arrays: dict[str, object]) -> None:
    file = io.BytesIO()
    savemat(file, arrays, do_compression=True)
    as_zip(path, {member: file.getvalue()})


@pytest.mark.parametrize(
    ("name", "archive", "member", "arrays"),
    [
        ("yelp", "FraudYelp.zip", "YelpChi.mat", mat_writer.yelp(600)),
        ("amazon", "FraudAmazon.zip", "Amazon.mat", mat_writer.amazon(4000)),
    ],
)
def test_the_fraud_sets(sets: Path, measured, name: str, archive: str, member: str, arrays: dict) -> None:
    as_published(sets / archive, member, arrays)
    runs = by_part(measured(f"et-{name}", **QUICK))
    for variant, fraction in (("1 %", 0.01), ("40 %", 0.4)):
        expected = evaluate_nodes(fraud_graph(name, sets), fraction, [3], **QUICK)
        assert runs[variant, ""] == {m: expected[m]["mean"] for m in ("auc", "ap", "macro_f1")}


@pytest.mark.parametrize("name", ["tfinance", "tsocial"])
def test_files_of_dgl(sets: Path, measured, name: str) -> None:
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(200) % 4 == 0).astype(int)
    data = {"feature": rng.normal(size=(200, 10)) + 4 * y[:, None], "label": np.eye(2)[y]}
    dgl_writer.write(sets / name, 200, rng.integers(0, 200, (2, 400)), data)
    ((_, values),) = by_part(measured(f"et-{name}", ["40 %"], epochs=10, members=1)).items()
    assert values["auc"] > 0.9  # the features of the odd ones are far from the others'


@pytest.mark.parametrize("name", ["tolokers", "amazon-upu"])
def test_graphs_put_there_by_hand(sets: Path, measured, name: str, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(size=(400, 3)), "y": np.arange(400) % 2, "edge_index": rng.integers(0, 400, (2, 900))}
    monkeypatch.chdir(sets)
    (sets / name).touch()  # a file of that name where the command runs is not the set
    with pytest.raises(InputError, match=rf"{sets}/{name}.npz is missing; put the graph there by hand"):
        measured(name, **QUICK)
    np.savez(f"{name}.npz", **arrays)
    assert list(by_part(measured(name, **QUICK))) == [("1 %", ""), ("40 %", "")]


def test_a_graph_that_lies_there_does_not_stand_in_for_a_published_one(sets: Path, measured) -> None:
    np.savez(sets / "tfinance.npz", x=np.eye(4), y=[0, 1, 0, 1], edge_index=[[0], [1]])
    with pytest.raises(InputError, match=rf"{sets}/tfinance is missing; put it there by hand.*Google Drive"):
        measured("et-tfinance")
