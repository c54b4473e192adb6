"""The published sets by name: fetched from a server on this machine, in the layout in which they are handed out."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from local_server import NOWHERE

import tu_writer
from attractor.data.graphs.named_sets import TU, graph_set
from attractor.data.graphs.superpixels import superpixel_sets
from attractor.errors import InputError
from refusals import refusal


def image(n: int, colours: int, y: int) -> dict[str, torch.Tensor]:
    """A graph of superpixels with the fields of the published ones."""
    index = torch.stack([torch.arange(n), (torch.arange(n) + 1) % n])
    x, pos = torch.rand(n, colours), torch.rand(n, 2)
    return {"x": x, "edge_index": index, "edge_attr": torch.rand(n), "y": torch.tensor([y]), "pos": pos}


def archive(path: Path, content: Any) -> None:
    """A zip of one file that torch saved."""
    file = io.BytesIO()
    torch.save(content, file)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(f"{path.stem}.pt", file.getvalue())


def refused(name: str, folder: Path, *said: str) -> None:
    with refusal(*said):
        graph_set(name, folder)


@pytest.mark.parametrize("name", TU)
def test_each_tu_set_is_fetched_once_under_its_own_name(served, sets_from, tmp_path: Path, name: str, capsys) -> None:
    folder, _ = served
    tu_writer.archive(folder / f"{name}.zip", tu_writer.TOY, name)
    graphs = graph_set(name.lower(), tmp_path / "sets")
    digest = hashlib.sha256((folder / f"{name}.zip").read_bytes()).hexdigest()
    assert digest in capsys.readouterr().err
    assert (tmp_path / "sets" / f"{name}.zip.sha256").read_text() == f"{digest}\n"
    assert graphs.name == name and len(graphs) == 2
    sets_from(NOWHERE)
    assert len(graph_set(name.upper(), tmp_path / "sets")) == 2


def test_superpixels_keep_their_official_parts(served, sets_from, tmp_path: Path) -> None:
    folder, _ = served
    parts = [[image(5, 3, y) for y in ys] for ys in ([0, 1, 1], [9], [0, 1])]
    archive(folder / "CIFAR10_v2.zip", parts)
    sets = superpixel_sets("cifar10", tmp_path)
    assert {part: len(graphs) for part, graphs in sets.items()} == {"train": 3, "val": 1, "test": 2}
    first = parts[0][0]
    assert torch.equal(sets["train"].x[:5], torch.cat([first["x"], first["pos"]], dim=1))
    assert sets["val"].y.values == (9,) and sets["val"].edge_attr.shape == (10, 1)
    sets_from(NOWHERE)
    whole = graph_set("CIFAR10", tmp_path)
    assert whole.name == "CIFAR10" and whole.y.named() == [0, 1, 1, 9, 0, 1]
    assert torch.equal(whole.x, torch.cat([graphs.x for graphs in sets.values()]))


def test_superpixels_that_are_damaged_or_run_code(served, tmp_path: Path) -> None:
    folder, _ = served
    archive(folder / "MNIST_v2.zip", [[image(3, 1, 0)], [image(3, 1, 0)]])
    refused("mnist", tmp_path / "two", "MNIST_v2.pt has 2 parts")
    archive(folder / "MNIST_v2.zip", Path("harmless"))
    refused("mnist", tmp_path / "code", "MNIST_v2.pt holds something else than tensors")
    archive(folder / "MNIST_v2.zip", [[{"x": torch.ones(2, 1)}]] * 3)
    refused("mnist", tmp_path / "fields", "MNIST_v2.zip cannot be read", "pos")
    with pytest.raises(InputError, match="MUTAG is no set of superpixels"):
        superpixel_sets("MUTAG", tmp_path)


@pytest.mark.usefixtures("served")
def test_what_cannot_be_fetched(sets_from, tmp_path: Path) -> None:
    refused("NCI109", tmp_path / "sets", "404", "by hand")
    sets_from(NOWHERE)
    refused("mutag", tmp_path / "sets", "MUTAG.zip", "by hand", str(tmp_path / "sets"))
    assert not list((tmp_path / "sets").glob("*.zip"))


def test_another_name_is_a_path(tmp_path: Path) -> None:
    path = tu_writer.archive(tmp_path / "own.zip", tu_writer.TOY)
    assert graph_set(path, tmp_path).name == "TOY"
    refused("MUTAGG", tmp_path, "MUTAGG is no set (MUTAG, PROTEINS,", "FRANKENSTEIN, MNIST, CIFAR10)")
