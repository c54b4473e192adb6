"""Our sides of the comparisons do what their case says, and count its operations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from attractor.bench import inputs
from attractor.bench.answer import load
from attractor.bench.cases import CASES, PEERS
from attractor.bench.run import SIDES
from attractor.models import SelyneConfig
from sides_for_tests import TINY

SMALL_SELYNE = {"dim": 16, "latent": 8, "heads": 2, "depth": 1, "prototypes": 2}
SPECS: dict[str, dict[str, Any]] = {
    "image_et": {**TINY, "batch": {"forward": 2, "train": 3}},
    "graph_et": {**{k: v for k, v in TINY.items() if k != "tokens"}, "blocks": 1, "positions": 3},
    "node_et": {k: v for k, v in TINY.items() if k != "tokens"},
    "selyne": {"batch": 2, "image": 64},
    "folder": {"batch": 2, "image": 64, "images": 3},
}


@pytest.fixture
def file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(inputs, "GRAPHS", 3)
    monkeypatch.setattr(inputs, "NODES", 50)
    monkeypatch.setattr(inputs, "LINKS", 100)
    monkeypatch.setattr(inputs, "PHOTOGRAPHS", 4)
    maker = {"graph_et": inputs.molecules, "node_et": inputs.reviewers, "folder": inputs.photographs}
    side = request.getfixturevalue("side")
    return str(maker[side](tmp_path, 0)) if side in maker else ""


@pytest.mark.parametrize("side", SPECS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_pass_runs(side: str, precision: str, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small = SelyneConfig(**SMALL_SELYNE)
    module = load(SIDES / f"{side}.py")
    if side == "folder":
        monkeypatch.setattr(module, "SelyneConfig", lambda: small)
    if side == "selyne":
        made = {"name": "bench", "data": "noise", "model": small.to_dict()}
        monkeypatch.setattr(module, "SETTINGS", made)
    spec = {**SPECS[side], "seed": 0, "device": "cpu", "precision": precision, "file": file}
    for run in module.passes(spec).values():
        run()
    operations = module.operations(spec)
    assert set(operations) == set(module.passes(spec)) and min(operations.values()) > 0
    assert module.versions()["torch"]


def test_operations_of_a_descent_are_those_of_its_products() -> None:
    """Counted by hand: 1 token of width 1, 1 head of width 1, 1 memory: 8 + 6 + 4 a step."""
    module = load(SIDES / "image_et.py")
    one = {"tokens": 1, "dim": 1, "heads": 1, "head_dim": 1, "memories": 1, "steps": 2}
    assert module.operations({**one, "batch": {"forward": 5, "train": 1}}) == {"forward": 180, "train": 108}


def test_cases_name_sides_and_peers_that_there_are() -> None:
    for case in CASES.values():
        for side in [case.side, *case.peers.values()]:
            assert (SIDES / f"{side}.py").exists()
        assert set(case.peers) <= set(PEERS)


def test_inputs_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    for maker in (inputs.molecules, inputs.reviewers):
        one, two = (np.load(maker(tmp_path / name, 3)) for name in ("one", "two"))
        assert all(np.array_equal(one[key], two[key]) for key in one.files)
    graphs = np.load(tmp_path / "one" / "molecules.npz")
    assert len(graphs["sizes"]) == 64 and set(graphs["sizes"]) <= set(range(30, 51))
    assert graphs["edge_index"].max() < graphs["sizes"].sum()


def test_photographs_are_what_a_camera_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "PHOTOGRAPHS", 2)
    files = sorted(inputs.photographs(tmp_path, 0).iterdir())
    assert len(files) == 2
    with Image.open(files[0]) as image:
        assert image.format == "JPEG" and image.size == (500, 375)


def test_peers_run_without_this_library() -> None:
    """Adaptors of published code import nothing of ours: their interpreters do not have it."""
    peers = [f for f in SIDES.glob("*_*.py") if f.stem.rpartition("_")[2] in ("torch", "jax", "dgl", "script")]
    assert {side for case in CASES.values() for side in case.peers.values()} <= {file.stem for file in peers}
    for file in peers:
        assert "attractor" not in file.read_text().replace("attractor's", "")
