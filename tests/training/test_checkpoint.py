"""Checkpoints: what was saved comes back, and a bad file is one line and runs nothing."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from attractor.training.checkpoint import load_checkpoint, save_checkpoint
from refusals import refusal


def test_state_comes_back_exactly(tmp_path: Path) -> None:
    state = {"weights": {"a": torch.randn(3)}, "progress": {"best": float("-inf"), "history": [{"loss": 0.1}], "n": 3}}
    save_checkpoint(tmp_path / "c.pt", state)
    loaded = load_checkpoint(tmp_path / "c.pt")
    assert torch.equal(loaded["weights"]["a"], state["weights"]["a"])
    assert loaded["progress"] == state["progress"]


def refused(path: Path) -> None:
    with refusal(str(path)):
        load_checkpoint(path)


def test_missing_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "c.pt")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_is_refused(tmp_path: Path, share: float) -> None:
    save_checkpoint(tmp_path / "c.pt", {"weights": torch.randn(1000)})
    whole = (tmp_path / "c.pt").read_bytes()
    (tmp_path / "c.pt").write_bytes(whole[: int(share * len(whole))])
    refused(tmp_path / "c.pt")


def test_corrupt_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", {"weights": torch.randn(1000)})
    whole = bytearray((tmp_path / "c.pt").read_bytes())
    whole[-200:] = bytes(200)  # the directory of the archive
    (tmp_path / "c.pt").write_bytes(whole)
    refused(tmp_path / "c.pt")


@pytest.mark.parametrize("content", [b"text", b"\x80\x02K\x01.", b"PK\x03\x04"])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.pt").write_bytes(content)
    refused(tmp_path / "c.pt")


@pytest.mark.parametrize("state", [{"version": 99}, {"weights": 1}, [1, 2]])
def test_other_versions_and_other_objects_are_refused(tmp_path: Path, state: object) -> None:
    torch.save(state, tmp_path / "c.pt")
    refused(tmp_path / "c.pt")


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", [torch.save, lambda state, path: path.write_bytes(pickle.dumps(state, protocol=2))])
def test_a_pickle_bomb_is_refused_and_executes_nothing(tmp_path: Path, write) -> None:
    mark = tmp_path / "executed"
    write({"version": 1, "rng": Bomb(mark)}, tmp_path / "c.pt")
    refused(tmp_path / "c.pt")
    assert not mark.exists()
    torch.load(tmp_path / "c.pt", weights_only=False) if write is torch.save else pickle.loads(
        (tmp_path / "c.pt").read_bytes()
    )
    assert mark.exists()  # it was a bomb
