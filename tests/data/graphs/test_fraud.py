"""The named sets: fetched from a server on this machine, kept, checked, and explained where they cannot be had."""

import hashlib
import io
import zipfile
from pathlib import Path
from unittest import mock

import dgl_writer
import mat_writer
import numpy as np
import pytest
from local_server import NOWHERE, serving
from scipy.io import savemat

from attractor.data import downloads
from attractor.data.graphs.fraud import fraud_graph
from refusals import refusal


def archive(path: Path, member: str, arrays: dict[str, object]) -> Path:
    """As the published ones: a zip of one .mat."""
    file = io.BytesIO()
    savemat(file, arrays, do_compression=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(member, file.getvalue())
    return path


def refused(name: str, folder: Path, *said: str) -> None:
    with refusal(*said):
        fraud_graph(name, folder)


def test_yelp_is_fetched_once_and_its_hash_said_and_kept(served, sets_from, tmp_path: Path, capsys) -> None:
    folder, _ = served
    arrays = mat_writer.yelp(50)
    sent = archive(folder / "FraudYelp.zip", "YelpChi.mat", arrays)
    first = fraud_graph("yelp", tmp_path / "sets")
    digest = hashlib.sha256(sent.read_bytes()).hexdigest()
    assert digest in capsys.readouterr().err
    assert (tmp_path / "sets" / "FraudYelp.zip.sha256").read_text() == f"{digest}\n"
    sets_from(NOWHERE)
    again = fraud_graph("yelp", tmp_path / "sets")
    assert capsys.readouterr().err == ""
    for graph in (first, again):
        assert graph.name == "yelp" and list(graph.relations) == ["rur", "rtr", "rsr"]
        assert np.array_equal(graph.y, arrays["label"][0]) and graph.x.shape == (50, 32)


def test_amazon_knows_who_has_no_label(served, tmp_path: Path) -> None:
    folder, _ = served
    archive(folder / "FraudAmazon.zip", "inside/Amazon.mat", mat_writer.amazon(3400))
    graph = fraud_graph("amazon", tmp_path / "sets")
    assert (graph.y == -1).sum() == 3305 and (graph.y[:3305] == -1).all() and "upu" in graph.relations


def test_a_file_that_has_changed_is_refused(served, tmp_path: Path) -> None:
    folder, _ = served
    archive(folder / "FraudYelp.zip", "YelpChi.mat", mat_writer.yelp(50))
    fraud_graph("yelp", tmp_path)
    archive(tmp_path / "FraudYelp.zip", "YelpChi.mat", mat_writer.yelp(40))
    refused("yelp", tmp_path, "FraudYelp.zip", "not the file it was")
    (tmp_path / "FraudYelp.zip").unlink()
    archive(folder / "FraudYelp.zip", "YelpChi.mat", mat_writer.yelp(30))
    refused("yelp", tmp_path, "FraudYelp.zip", "hash")
    assert not (tmp_path / "FraudYelp.zip").exists()


def test_what_fails_on_the_way_leaves_nothing(served, sets_from, tmp_path: Path) -> None:
    folder, url = served
    refused("yelp", tmp_path / "sets", "404", "by hand")
    with serving(None) as broken:
        sets_from(broken)
        refused("yelp", tmp_path / "sets", broken, "by hand", str(tmp_path / "sets"))
    sets_from(NOWHERE)
    refused("yelp", tmp_path / "sets", "cannot be fetched", "by hand")
    sets_from(url)
    (folder / "FraudYelp.zip").write_text("<html>Please log in</html>")
    refused("yelp", tmp_path / "sets", "no zip archive", "by hand")
    assert list((tmp_path / "sets").iterdir()) == []


def test_archives_that_are_damaged_or_hold_something_else(tmp_path: Path) -> None:
    path = archive(tmp_path / "FraudYelp.zip", "Other.mat", mat_writer.yelp(20))
    refused("yelp", tmp_path, str(path), "no YelpChi.mat")
    (tmp_path / "FraudYelp.zip.sha256").unlink()
    content = bytearray(archive(path, "YelpChi.mat", mat_writer.yelp(20)).read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    refused("yelp", tmp_path, str(path), "cannot be read")


def test_archives_that_would_fill_the_memory(tmp_path: Path) -> None:
    archive(tmp_path / "FraudYelp.zip", "YelpChi.mat", mat_writer.yelp(20))
    with mock.patch.object(downloads, "LIMIT", 1000):
        refused("yelp", tmp_path, "YelpChi.mat", "refused")


@pytest.mark.parametrize("name", ["tfinance", "tsocial"])
def test_what_must_be_fetched_by_hand(tmp_path: Path, name: str) -> None:
    refused(name, tmp_path, str(tmp_path / name), "by hand", "Google Drive")
    x = np.random.default_rng(0).normal(size=(4, 10))
    data = {"feature": x, "label": np.eye(2)[[0, 1, 0, 0]]}
    dgl_writer.write(tmp_path / name, 4, np.array([[0, 1], [2, 3]]), data)
    graph = fraud_graph(name, tmp_path)
    assert graph.name == name and graph.y.tolist() == [0, 1, 0, 0] and np.array_equal(graph.x, x.astype(np.float32))


def test_another_name_is_a_path(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x=np.eye(2), edge_index=[[0], [1]])
    assert fraud_graph(str(tmp_path / "own.npz"), tmp_path).nodes == 2
    refused("yelpp", tmp_path, "yelpp", "yelp, amazon, tfinance, tsocial")
